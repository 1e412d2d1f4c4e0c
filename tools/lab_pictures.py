"""Make docs/pictures/lab-*.png again: a class of three on `testbed lab serve`, in a real headless Chromium.

    .venv/bin/python tools/lab_pictures.py

It needs the built page (`make frontend`), Chromium with its driver, Selenium and Jinja2.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.clients.consoledriver import TESTBED, ConsoleDriver, chromium  # noqa: E402 (beside the pages' tests)
from tests.labs.classdriver import ServedClass, served  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
STUDENTS = ("anna", "boris", "vera")
TYPED = (
    "testbed lab check router 9.9.9.9",
    "testbed lab check who 'a box on the way'",
    "testbed lab hint hop",
    "testbed lab submit",
)


def main() -> None:
    """A student's page with `check`, the worksheet, the lecturer's page, the table of points."""
    with (
        tempfile.TemporaryDirectory(prefix="pictures-", ignore_cleanup_errors=True) as place,
        served(Path(place), "1", STUDENTS, "--class", "spring", "--at-once", "2") as room,
    ):
        browser = chromium(place)
        try:
            _draw(ConsoleDriver(browser, "", "", {}), room, Path(place))
        finally:
            browser.quit()


def _draw(page: ConsoleDriver, room: ServedClass, place: Path) -> None:
    anna, boris, lecturer = (room.people[one] for one in ("anna", "boris", "lecturer"))
    boris.enter()
    boris.start(patience=300)
    boris.run("testbed lab check lie 192.0.2.1", "testbed lab check who 'the resolver'", "testbed lab submit")
    page.resize(1440, 1160)
    page.browser.get(anna.link)
    page.until("#state", "no world yet")
    page.one("#start").click()
    page.until("#state", "your world is open")
    page.one("#open").click()
    page.wait(lambda: "[anna ·" in page.screen())
    for number, line in enumerate(TYPED, 1):
        page.type(line)
        page.wait(lambda number=number: page.screen().count("[anna ·") > number)
    page.until("#points", "2 of 11")
    _picture(page, "lab-check")
    page.browser.get(f"http://127.0.0.1:{anna.port}{anna.place}worksheet")
    _picture(page, "lab-worksheet")
    page.browser.get(lecturer.link)
    page.resize(1440, 420)
    _picture(page, "lab-progress")
    table = place / "points.html"
    line = [
        TESTBED,
        "lab",
        "grade",
        str(room.folder / "handed-in"),
        "--class",
        "spring",
        "--html",
        str(table),
    ]
    subprocess.run(line, check=True, capture_output=True)
    page.browser.get(table.as_uri())
    page.resize(1440, 900)
    _picture(page, "lab-points")


def _picture(page: ConsoleDriver, name: str) -> None:
    time.sleep(1.0)
    page.top()
    page.picture(PICTURES / f"{name}.png")
    print(PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
