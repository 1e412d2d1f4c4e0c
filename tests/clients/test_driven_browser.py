"""Chromium by its own driver: forms of its hello, HTTP/3, DoH, and a picture of a block page."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from testbed.browser.drive import lacking_browser
from testbed.run.open import open_world

pytestmark = [
    pytest.mark.slow,
    pytest.mark.world,
    pytest.mark.skipif(bool(lacking_browser("chromium")), reason=lacking_browser("chromium")),
]
BLOCK = "twitter-facebook-block-2022-03"


def seen(world: Any, url: str, *options: str) -> dict[str, Any]:
    line = [sys.executable, "-m", "testbed.browser", "chromium", url, *options]
    done = world.run(line, capture_output=True, text=True)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.timeout(600)
def test_forms_of_its_hello_and_of_its_lookups() -> None:
    with open_world(BLOCK, vantages=["mts"]) as world:
        today = seen(world, "https://twitter.com/")
        short = seen(world, "https://twitter.com/", "--post-quantum", "off")
        tcp = seen(world, "https://vk.com/", "--quic", "off", "--doh", "https://dns.google/dns-query")
        quic = seen(world, "https://vk.com/", "--quic", "on")
        whole = seen(world, "https://vk.com/bytes/30000", "--whole")
    assert (today["title"], today["error"]) == ("twitter.com", ""), "two segments pass a box of 2022"
    assert (short["title"], short["error"]) == ("", "ERR_CONNECTION_RESET")
    assert (tcp["title"], tcp["protocol"]) == ("vk.com", "h2")
    assert (quic["title"], quic["protocol"]) == ("vk.com", "h3")
    assert (whole["size"], whole["error"]) == (30000, "")


@pytest.mark.timeout(600)
def test_a_picture_of_a_page_that_somebody_else_sent(tmp_path: Path) -> None:
    """A portal answers a request over HTTP. Twin: a network without filters."""
    page, picture = "http://example.com/", tmp_path / "page.png"
    with open_world("false-friends", phase="portal", vantages=["mts"]) as world:
        led_away = seen(world, page, "--screenshot", str(picture))
    with open_world("free-network", vantages=["mts"]) as world:
        free = seen(world, page)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert (led_away["error"], free["title"], free["error"]) == ("", "example.com", "")
    assert led_away["title"] != free["title"]
