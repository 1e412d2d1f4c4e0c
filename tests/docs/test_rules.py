"""The examples of rules: each acts on what it is for and on nothing else; the scenario runs as it says."""

import subprocess
import sys
from pathlib import Path

import pytest

from testbed.censor.match import KEYS
from testbed.censor.policy import Policy
from testbed.replay.policyfile import PolicyChoice, load_policy
from tests.censor.line import Line, hello
from tests.censor.match.test_content import ANSWER, BINDING, DISCORD, get, query
from tests.docs.pages import ROOT

RULES = ROOT / "examples/rules/every-kind.yaml"
RANDOM = bytes((i * 89 + 7) % 256 for i in range(500))
WIREGUARD = b"\1\0\0\0" + bytes(range(144))
FIRES = {  # rule -> far port, UDP or TCP, payloads that the rule waits for; and payloads that it lets pass
    "voice": (50001, True, [b"voice"], None),
    "address-queries": (19302, True, [BINDING], [b"x" * 20]),
    "names": (8443, False, [hello("xn--e1afmkfd.xn--p1ai")], [hello("n.com")]),
    "pages": (80, False, [get("/page", "example.org")], [get("/", "example.org")]),
    "word": (80, False, [get("/Casino")], [get("/")]),
    "false-a": (53, True, [query("twitter.com", 1)], [query("twitter.com", 28)]),
    "shadowsocks": (8388, False, [RANDOM] * 3, [RANDOM[:400]] * 3),
    "slow": (443, False, [hello("www.wikipedia.org")], [hello("wikipedia.org")]),
    "vpn": (51820, True, [WIREGUARD], [WIREGUARD + b"x"]),
}


@pytest.fixture(scope="module")
def loaded() -> Policy:
    return load_policy(PolicyChoice(str(RULES)))


def took(policy: Policy, port: int, udp: bool, payloads: list[bytes]) -> list[str]:
    """The rules that these payloads of the subscriber trigger."""
    line = Line(policy, dport=port, udp=udp)
    if not udp:
        line.handshake()
    events = [event for payload in payloads for event in line.L(payload=payload).decision.events]
    return [event.rule for event in events if event.kind == "match"]


@pytest.mark.parametrize("name", FIRES)
def test_each_rule_takes_what_it_is_for(name: str, loaded: Policy) -> None:
    port, udp, payloads, others = FIRES[name]
    assert took(loaded, port, udp, payloads) == [name]
    if others is not None:
        assert took(loaded, port, udp, others) == []


def test_discords_query_and_not_its_neighbour_port(loaded: Policy) -> None:
    assert took(loaded, 50101, True, [DISCORD]) == ["address-queries"]
    assert took(loaded, 50101, True, [b"voice"]) == []
    assert took(loaded, 3478, True, [ANSWER]) == ["address-queries"]


def test_a_listed_address_and_a_syn_without_options(loaded: Policy) -> None:
    from scapy.layers.inet import IP, TCP

    for options, fires in (([("MSS", 1460), ("WScale", 7), ("SAckOK", b"")], ["addresses"]), ([], [])):
        packet = IP(src="95.24.0.2", dst="203.0.113.15") / TCP(dport=443, flags="S", options=options)
        events = Line(loaded).send(packet).decision.events
        assert [event.rule for event in events] == fires


def test_a_mail_server_at_a_subscriber(loaded: Policy) -> None:
    line = Line(loaded, dport=50000)
    line.sport = 25
    assert line.R("S").silent


def test_the_vpns_server_is_blocked_later(loaded: Policy) -> None:
    line = Line(loaded, dport=51820, udp=True)
    line.L(payload=WIREGUARD)
    line.new_port()
    assert line.L(payload=b"other").untouched
    line.wait(901)
    line.new_port()
    assert [event.rule for event in line.L(payload=b"other").decision.events] == ["listed-server"]


def test_every_rule_of_the_example_is_tried(loaded: Policy) -> None:
    others = {"addresses", "mail-at-home", "listed-server"}
    assert {rule.name for rule in loaded.rules} == FIRES.keys() | others


def test_every_key_is_in_an_example() -> None:
    """In examples/, docs/scenarios.md or docs/mechanisms."""
    pages = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.yaml"), *ROOT.glob("scenarios/*.yaml")]
    used = "\n".join(page.read_text("utf-8") for page in pages)
    assert [key for key in KEYS if f"{{{key}: " not in used and f", {key}: " not in used] == []


@pytest.mark.world
def test_the_scenario_of_pages_runs_as_it_says(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "testbed"
    run = [program, "run", ROOT / "examples/rules/pages.yaml", "--out", tmp_path / "run"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
