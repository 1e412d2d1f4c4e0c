"""The console's page in a real Chromium, over a real world."""

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from testbed.console.webapp import ASSETS
from tests.clients.consoledriver import ConsoleDriver, consoled
from tests.htmlreport.accessibility import AXE, NO_AXE, checked

pytestmark = [
    pytest.mark.slow,
    pytest.mark.world("chromium"),
    pytest.mark.skipif(not (ASSETS / "index.html").exists(), reason="the page is not built: make frontend"),
]
BOX = "mts/tspu-substring"
SPEED = "curl -s -o /dev/null -w 'speed %{speed_download}\\n' https://abs.twimg.com/bytes/"


@pytest.fixture(scope="module")
def console() -> Iterator[ConsoleDriver]:
    pytest.importorskip("selenium")
    with consoled("twitter-throttling-2021", "mts", "beeline") as made:
        yield made


def speed(console: ConsoleDriver, octets: int) -> float:
    """Bytes per second of a download in the terminal."""
    before = console.screen().count("\nspeed ")
    console.type(f"{SPEED}{octets}")
    console.wait(lambda: console.screen().count("\nspeed ") > before)
    lines = [line for line in console.screen().splitlines() if line.startswith("speed ")]
    return float(lines[-1].split()[1])


def test_a_subscribers_command_shows_the_verdict_change_with_the_phase(console: ConsoleDriver) -> None:
    console.open_terminal("mts")
    slow = speed(console, 60_000)
    console.until("#rules", f"{BOX}/twitter-policer")
    ladder = console.show_ladder("abs.twimg.com")
    assert "rule twitter-policer (police) matches on" in ladder
    assert "hop 2" in ladder
    console.phase("before")
    fast = speed(console, 60_001)
    assert slow < 40_000 < fast, console.screen()
    assert "substring," in console.text("#past")


def test_a_box_is_moved_and_says_so(console: ConsoleDriver) -> None:
    console.phase("substring")
    console.move(BOX, hop=4)
    console.until("#where", "phase substring~1 ")
    box = console.one(f"[data-box='{BOX}']")
    assert "hop 4" in box.get_attribute("aria-label")
    assert f"{BOX}: from hop 2 to hop 4" in console.until("#past", "hop 4")
    assert speed(console, 60_002) < 40_000
    assert "hop 4" in console.show_ladder("abs.twimg.com")


def test_the_curve_of_the_policer_is_drawn(console: ConsoleDriver) -> None:
    console.until("#curves", BOX)
    assert "limit of a flow 140 kbit/s" in console.one("#curves svg").get_attribute("aria-label")


@pytest.mark.skipif(not AXE.exists(), reason=NO_AXE)
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [(1440, 1400), (390, 844)])
def test_axe_finds_no_violation(console: ConsoleDriver, size: tuple[int, int], dark: bool) -> None:
    """With a terminal, a ladder, curves and a log on the page; then with a box's dialog open."""
    console.resize(*size)
    console.theme(dark=dark)
    console.open_terminal("mts")
    console.until("#curves", BOX)
    seen = checked(console.browser)
    console.open_box(BOX)
    dialog = checked(console.browser)
    console.one("#box [value=cancel]").click()
    console.resize(1440, 1400)
    console.theme(dark=False)
    assert (seen["violations"], dialog["violations"]) == ([], [])
    assert min(seen["passed"], dialog["passed"]) > 15


def test_nothing_offends_the_policy(console: ConsoleDriver) -> None:
    assert console.complaints() == []


def test_it_fits_a_phone(console: ConsoleDriver) -> None:
    console.resize(390, 844)
    width = console.browser.execute_script("return document.documentElement.scrollWidth")
    console.resize(1440, 1400)
    assert width <= 390


def test_the_link_works_once(console: ConsoleDriver) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(console.link, timeout=30)
    with refused.value as answer:
        assert answer.code == 403


def test_the_page_says_that_the_world_has_ended(console: ConsoleDriver) -> None:
    assert console.testbed("down", console.world).returncode == 0
    assert "The world has ended by testbed down; it was valid." in console.until("#alert", "ended")
