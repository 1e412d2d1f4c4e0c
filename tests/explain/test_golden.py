"""The story of one flow for each technique, whole: from the core, by a fixed clock.

TESTBED_GOLDEN=write makes the files again; look at what changed before it is committed.
"""

import os
from pathlib import Path

import pytest

from testbed.censor.actions import ACTIONS
from testbed.censor.actions.base import AnyAction
from testbed.censor.match import Match
from testbed.explain.chosen import choose
from testbed.explain.compose import compose
from testbed.explain.evidence import read
from testbed.report.explained import explained
from tests.censor.line import hello, names, policy
from tests.explain.boxed import BoxedLine

GOLDEN = Path(__file__).parent / "golden"
SNI = Match(tls_sni=names("x.com"))
HOST = Match(http_host=names("x.com"))
PARAMETERS = {  # of techniques whose parameters have no default
    "data-drop": {"protocol": "tls"},
    "delay": {"by": 0.5},
    "divert": {"to4": "203.0.113.7"},
    "dns": {"a": ("203.0.113.7",)},
    "learn": {"into": "seen"},
    "loss": {"share": 1.0},
    "police": {"rate": 140_000.0},
    "shape": {"rate": 130_000.0},
    "freeze": {"packets": 4},
    "page": {"location": "http://blocked.example/"},
    "connection-limit": {"flows": 0},
}
MATCHES = {"page": HOST, "dns": Match(dns_qname=names("x.com")), "divert": Match(transport="tcp")}
WHY_NOT = {"page": "it reads the server name in the ClientHello, and this flow is HTTP"}
WHY_NOT["dns"] = WHY_NOT["page"].replace("HTTP", "DNS")
GET = b"GET / HTTP/1.1\r\nHost: x.com\r\n\r\n"
QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x\x03com\x00\x00\x01\x00\x01"
FINISHED = b"\x14\x03\x03\0\x01\x01\x17\x03\x03\0\x35" + bytes(53)
DATA = b"\x17\x03\x03\x05\x73" + bytes(1395)
SERVER_HELLO = b"\x16\x03\x03\x00\x7a\x02" + bytes(121)


def action(key: str) -> AnyAction:
    return ACTIONS[key](**PARAMETERS.get(key, {}))


def talk(line: BoxedLine, key: str) -> None:
    """What one client and its server say."""
    if key == "dns":
        line.udp, line.dport = True, 53
        line.L(payload=QUERY)
        return
    line.dport = 80 if key == "page" else 443
    line.L("S")
    line.R("SA")
    line.L("A")
    line.L(payload=GET if key == "page" else hello("x.com", pad=250))
    line.R("A")
    line.R(payload=SERVER_HELLO)
    line.L(payload=FINISHED)
    for _ in range(14):
        line.R(payload=DATA)
    line.L("A")


@pytest.mark.parametrize("key", sorted(ACTIONS))
def test_the_story_of_each_technique(tmp_path, key):
    line = BoxedLine(policy(MATCHES.get(key, SNI), action(key))).begin(tmp_path / "run")
    talk(line, key)
    evidence = read(line.finish())
    found = compose(evidence, choose(evidence))
    assert found.packets
    assert any(step.kind == "matched" for step in found.steps)
    text = explained(found, 110)
    path = GOLDEN / f"{key}.txt"
    if os.environ.get("TESTBED_GOLDEN") == "write":
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


@pytest.mark.parametrize("key", sorted(ACTIONS))
def test_of_another_name_every_packet_arrives(tmp_path, key):
    line = BoxedLine(policy(Match(tls_sni=names("y.com")), action(key))).begin(tmp_path / "run")
    talk(line, key)
    evidence = read(line.finish())
    found = compose(evidence, choose(evidence, ":40000"))
    assert [step.kind for step in found.steps if not step.to] == []
    assert {step.stops for step in found.steps} == {""}
    reason = WHY_NOT.get(key, "x.com is none of its names (y.com)")
    assert found.why == (f"beeline/box left it alone: rule: {reason}",)
