"""What a censor decided live and what it decides about a capture of the same packets agree."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.conftest import TESTBED

pytestmark = pytest.mark.world("curl")

SCENARIO = """\
title: Two ways
period: 2022
sources: [our choice]
censors:
  tspu:
    profile: t22
    rules:
      - {name: reset, match: {tls.sni: ["*twitter.com"]}, action: rst-rewrite}
      - {name: silence, match: {tls.sni: ["*.bbc.com", meduza.io]}, action: grace-drop}
phases: {block: {mts: tspu}}
default_phase: block
"""
# Captures raw IP packets at the subscriber while curl asks; the kernel's own time stamps are not needed.
PROGRAM = """\
import socket, struct, subprocess, time
wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
for number in range(3):
    for name in ("twitter.com", "www.wikipedia.org", "www.bbc.com", "meduza.io"):
        subprocess.run(["curl", "-s", "-m", "0.5", "-o", "/dev/null", f"-{4 + number % 2 * 2}", f"https://{name}/"])
wire.settimeout(0.2)
with open("live.pcap", "wb") as file:
    file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
    try:
        while True:
            raw, (device, *_) = wire.recvfrom(65535)
            if device != "lo":
                now = time.time()
                file.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(raw), len(raw)) + raw)
    except TimeoutError:
        pass
"""


def test_a_capture_meets_what_the_live_packets_met(testbed, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(SCENARIO)
    done = testbed("./x.yaml", "--vantage", "mts", "--", "python3", "-c", PROGRAM)
    assert done.status == 0, done.err
    arguments = ["live.pcap", "--rules", "x.yaml", "--json"]
    replayed = subprocess.run(
        [TESTBED, "replay", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert replayed.returncode == 0, replayed.stderr
    *packets, last = map(json.loads, replayed.stdout.splitlines())
    live = [(e["rule"], e["flow"]) for e in done.events if e["kind"] == "match"]
    again = [
        (effect["rule"], packet["flow"])
        for packet in packets
        for effect in packet["effects"]
        if effect["what"] == "matched"
    ]
    assert len(live) == 9, "three blocked names, three times"
    assert again == live
    rules = last["summary"]["rules"]
    assert (rules["reset"]["matched"], rules["silence"]["matched"]) == (3, 6)
    assert rules["reset"]["rewritten"] == 0, "captured behind the box: its RST/ACKs are there already"
    assert rules["silence"]["dropped"] > 0
