"""Make docs/pictures/console-*.png again: `testbed console` over a real world, in a real headless Chromium.

    .venv/bin/python tools/console_pictures.py

It needs the built page (`make frontend`), Chromium with its driver, and Selenium.
"""

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.clients.consoledriver import ConsoleDriver, consoled  # noqa: E402 (beside the page's own test)

PICTURES = ROOT / "docs" / "pictures"
SLOW = "curl -s -o /dev/null https://abs.twimg.com/bytes/600000"
CURVE = 20.0  # seconds of a policed download that the picture shows


def main() -> None:
    """Three pictures of one world."""
    with consoled("twitter-throttling-2021", "mts", "beeline", "rostelecom") as console:
        console.open_terminal("mts")
        console.type(SLOW)
        console.wait_for_flow("abs.twimg.com")
        time.sleep(CURVE)
        console.type("")
        console.show_ladder("abs.twimg.com")
        for name, dark, size in (
            ("light", False, (1440, 1560)),
            ("dark", True, (1440, 1560)),
            ("phone", False, (500, 2300)),
        ):
            _picture(console, name, size, dark=dark)


def _picture(console: ConsoleDriver, name: str, size: tuple[int, int], *, dark: bool) -> None:
    console.resize(*size)
    console.theme(dark=dark)
    time.sleep(1.0)
    console.top()
    console.picture(PICTURES / f"console-{name}.png")
    print(PICTURES / f"console-{name}.png")


if __name__ == "__main__":
    main()
