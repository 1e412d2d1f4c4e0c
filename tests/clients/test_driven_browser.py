"""Chromium and Firefox by their own drivers: forms of the hello, HTTP/3, DoH, ECH, a block page."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testbed.browser.drive import Browser, lacking_browser
from testbed.run.open import open_world

pytestmark = [pytest.mark.slow, pytest.mark.world, pytest.mark.timeout(600)]
BLOCK = "twitter-facebook-block-2022-03"
ROOT = Path(__file__).resolve().parents[2]
RESET = {"chromium": "ERR_CONNECTION_RESET", "firefox": "nssFailure2"}
"""What each calls a reset after its ClientHello; Firefox's page says "connection interrupted"."""


@pytest.fixture(params=["chromium", "firefox"])
def browser(request: Any) -> Browser:
    if why := lacking_browser(request.param):
        pytest.skip(why)
    found: Browser = request.param
    return found


def seen(world: Any, browser: Browser, url: str, *options: str) -> dict[str, Any]:
    line = [sys.executable, "-m", "testbed.browser", browser, url, *options]
    done = world.run(line, capture_output=True, text=True)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_forms_of_its_hello_and_of_its_lookups(browser: Browser) -> None:
    with open_world(BLOCK, vantages=["mts"]) as world:
        today = seen(world, browser, "https://twitter.com/")
        short = seen(world, browser, "https://twitter.com/", "--post-quantum", "off")
        tcp = seen(
            world, browser, "https://vk.com/", "--quic", "off", "--doh", "https://dns.google/dns-query"
        )
        quic = seen(world, browser, "https://vk.com/", "--quic", "on")
        whole = seen(world, browser, "https://vk.com/bytes/30000", "--whole")
    assert (today["title"], today["error"]) == ("twitter.com", ""), "two segments pass a box of 2022"
    assert (short["title"], short["error"]) == ("", RESET[browser])
    assert (tcp["title"], tcp["protocol"]) == ("vk.com", "h2")
    assert (quic["title"], quic["protocol"]) == ("vk.com", "h3")
    assert (whole["size"], whole["error"]) == (30000, "")


def test_an_encrypted_hello(browser: Browser) -> None:
    """The box looks for the name. Twin: without ECH, in the same world: TLS 1.2 has none."""
    off = {"chromium": ("--post-quantum", "off"), "firefox": ("--ech", "off")}[browser]
    page = "https://hidden.example.net/"
    with open_world(str(ROOT / "examples/servers/ech.yaml"), vantages=["mts"]) as world:
        hidden = seen(world, browser, page)
        said = (world.folder / "logs/host.front.ech.log").read_text()
        open_to_all = seen(world, browser, page, *off)
    assert (hidden["title"], hidden["error"]) == ("hidden.example.net", "")
    assert {*said.splitlines()} == {"hidden.example.net, encrypted"}
    assert (open_to_all["title"], open_to_all["error"]) == ("", RESET[browser])


def test_a_picture_of_an_operators_block_page(browser: Browser, tmp_path: Path) -> None:
    """Beeline, November 2016: the page in place of LinkedIn's. Twin: before the block."""
    page, picture = "http://www.linkedin.com/", tmp_path / "page.png"
    with open_world("linkedin-ban-2016", phase="everywhere", vantages=["beeline"]) as world:
        blocked = seen(world, browser, page, "--screenshot", str(picture))
        world.phase("before")
        free = seen(world, browser, page)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert (blocked["error"], free["title"], free["error"]) == ("", "www.linkedin.com", "")
    assert blocked["title"] != free["title"]


def test_what_is_missing_is_named() -> None:
    """Exit 4, without a browser on the path."""
    line = [sys.executable, "-m", "testbed.browser", "firefox", "https://vk.com/"]
    done = subprocess.run(line, env={"PATH": ""}, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (4, "")
    assert "firefox-esr is not installed" in done.stderr
