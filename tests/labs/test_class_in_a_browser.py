"""A class over https in a real Chromium: a student's page, the lecturer's, the table of points; axe-core."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from testbed.console.webapp import ASSETS
from tests.clients.consoledriver import TESTBED, ConsoleDriver, chromium
from tests.htmlreport.accessibility import AXE, NO_AXE, checked
from tests.labs.classdriver import ServedClass, served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.world("chromium"),
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not (ASSETS / "classroom.html").exists(), reason="the page is not built: make frontend"
    ),
]
SIZES = [(1440, 1160), (390, 844)]


@dataclass
class Classroom:
    """A class, and a browser in which the lecturer and a student have entered."""

    room: ServedClass
    page: ConsoleDriver
    table: str = ""  # of points, as a file's address


def certified(folder: Path) -> list[str]:
    """Options for https, with a certificate that is made here."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now, own = datetime.now(UTC), x509.IPAddress(ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([own]), critical=True)
        .sign(key, SHA256())
    )
    (folder / "c.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "k.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return ["--certificate", str(folder / "c.pem"), "--key", str(folder / "k.pem")]


@pytest.fixture(scope="module")
def classroom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Classroom]:
    """Lab 3 over https; anna is at her page, with a terminal in her world."""
    pytest.importorskip("selenium")
    folder = tmp_path_factory.mktemp("class")
    with served(folder, "3", ["anna", "boris"], "--class", "spring", *certified(folder)) as room:
        browser = chromium(str(folder), any_certificate=True)
        try:
            page = ConsoleDriver(browser, "", "", {})
            page.resize(*SIZES[0])
            browser.get(room.people["lecturer"].link)
            browser.get(room.people["anna"].link)
            page.until("#state", "no world yet")
            page.one("#start").click()
            page.until("#state", "your world is open")
            page.one("#open").click()
            page.wait(lambda: "[anna ·" in page.screen())
            yield Classroom(room, page)
        finally:
            browser.quit()


def test_a_student_measures_answers_and_hands_in_over_https(classroom: Classroom) -> None:
    page = classroom.page
    assert page.browser.current_url.startswith("https://")
    typed = (
        "curl -s -o /dev/null -w 'came %{http_code}\\n' https://www.bbc.com/bytes/1000",
        "testbed lab check trigger 'the name in the ClientHello'",
        "testbed lab submit",
    )
    for number, line in enumerate(typed, 1):
        page.type(line)
        page.wait(lambda number=number: page.screen().count("[anna ·") > number)
    page.until("#points", "2 of 14")
    assert "came 200" in page.screen()
    assert (classroom.room.folder / "handed-in/03-rate-anna.lab").is_file()
    assert page.complaints() == []


@pytest.mark.skipif(not AXE.exists(), reason=NO_AXE)
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_no_violation_at_a_students(
    classroom: Classroom, size: tuple[int, int], *, dark: bool
) -> None:
    page = classroom.page
    page.resize(*size)
    page.theme(dark=dark)
    _clean(checked(page.browser))


@pytest.mark.skipif(not AXE.exists(), reason=NO_AXE)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_no_violation_at_the_lecturers(
    classroom: Classroom, size: tuple[int, int], scheme: str
) -> None:
    page, lecturer = classroom.page, classroom.room.people["lecturer"]
    seen = [{"name": "prefers-color-scheme", "value": scheme}]
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": seen})
    page.resize(*size)
    page.browser.get(f"https://127.0.0.1:{lecturer.port}{lecturer.place}?still")
    assert "anna" in page.text("main")
    _clean(checked(page.browser))
    page.browser.get(_table(classroom))
    assert "anna" in page.text("body")
    _clean(checked(page.browser))


def _table(classroom: Classroom) -> str:
    """The page that `testbed lab grade --html` writes."""
    folder = classroom.room.folder
    if not classroom.table:
        line = [TESTBED, "lab", "grade", folder / "handed-in", "--html", folder / "points.html"]
        subprocess.run(line, check=True, capture_output=True)
        classroom.table = (folder / "points.html").as_uri()
    return classroom.table


def _clean(found: dict[str, Any]) -> None:
    assert (found["violations"], found["passed"] > 15) == ([], True), found
