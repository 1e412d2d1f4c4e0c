"""Chromium, as Debian has it, in the March of 2022 and before boxes that read more or less."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.clients.hellos import crossings, hellos
from tests.clients.lab import LISTED, RESET, as_subscriber, python

pytestmark = [pytest.mark.slow, pytest.mark.world("chromium")]
TESTBED = str(Path(sys.executable).parent / "testbed")
BLOCK, FREE_NETWORK = "twitter-facebook-block-2022-03", "free-network"
SHORT = "--ssl-version-max=tls1.2"  # what makes its ClientHello fit one packet, as in 2022


def visit(folder: Path, scenario: str, *arguments: str) -> dict[str, Any]:
    """Load a page in a scenario of the library: what came of it, and the rules that fired."""
    run = [TESTBED, "run", scenario, "--vantage", "mts", "--out", str(folder), "--"]
    done = subprocess.run(
        [*run, *python("browse.py", *arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads((folder / "summary.json").read_text("utf-8"))
    assert summary["valid"]
    return {**json.loads(done.stdout), "rules": summary["rules_fired"]}


def test_a_page_loads_because_a_policy_names_the_authority(tmp_path: Path) -> None:
    seen = visit(tmp_path / "vk", BLOCK, "https://vk.com/", SHORT)
    assert (seen["title"], seen["error"]) == ("vk.com", "")
    without = visit(tmp_path / "untrusted", BLOCK, "untrusted", "https://vk.com/", SHORT)
    assert without["error"] == "ERR_CERT_AUTHORITY_INVALID"


def test_twitter_is_reset(tmp_path: Path) -> None:
    seen = visit(tmp_path / "block", BLOCK, f"https://{LISTED}/", SHORT)
    assert seen["error"] == "ERR_CONNECTION_RESET"
    assert seen["rules"]["mts/tspu-mts/social-reset"] > 0
    free = visit(tmp_path / "free", FREE_NETWORK, f"https://{LISTED}/", SHORT)
    assert (free["title"], free["error"]) == (LISTED, "")


def test_a_substituted_certificate_is_refused(tmp_path: Path) -> None:
    seen = visit(tmp_path / "block", BLOCK, "https://www.dw.com/")
    assert seen["error"] == "ERR_CERT_AUTHORITY_INVALID"
    assert seen["rules"]["mts/isp-mitm/dw-mitm"] > 0
    free = visit(tmp_path / "free", FREE_NETWORK, "https://www.dw.com/")
    assert (free["title"], free["error"]) == ("www.dw.com", "")


def test_as_it_is_today_it_passes_boxes_that_read_one_packet(tmp_path: Path) -> None:
    """Its ClientHello has a post-quantum key and fills two segments."""
    visit_it = python("browse.py", f"https://{LISTED}/", "--disable-quic")
    passes = as_subscriber(tmp_path / "t22", visit_it, [RESET], capture=True)
    assert passes.answers() == {"title": LISTED, "error": ""}
    assert passes.rules == {}
    assert {len(hello.segments) for hello in hellos(crossings(passes.capture), LISTED)} == {2}
    read = as_subscriber(tmp_path / "R", visit_it, [RESET], model="R")
    assert read.answers()["error"] == "ERR_CONNECTION_RESET"
    assert read.rules["mts/box/listed"] > 0
