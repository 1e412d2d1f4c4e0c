"""A laboratory that did nothing, or broke, must say so: exit status 3, never green.

Each test breaks one thing on purpose and has a twin in which nothing is broken.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from tests.acceptance.conftest import Done
from tests.meddling import at, descendants, kill, meddling, service

pytestmark = pytest.mark.world
Run = Callable[..., Done]

SCENARIO = """
title: For breaking
period: any
sources: [our choice]
world: {world}
operators: [mts]
seed: 1
censors:
  box:
    profile: t22
    rules:
      - name: rule
        match: {{tls.sni: [twitter.com]}}
        action: {action}
phases: {{p: {{mts: box}}}}
default_phase: p
expect:
  - {{phase: p, vantage: mts, target: "{target}", outcome: {outcome}, by: rule}}
controls: ["https://vk.com/"]
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[..., str]:
    """Write a scenario of one rule, and a technique beside it; gives its path."""

    def write(
        action: str = "rst-rewrite", outcome: str = "tls.sni.rst", target: str = "https://twitter.com/",
        plugin: str = "", world: str = "runet",
    ) -> str:  # fmt: skip
        folder = tmp_path / "mine"
        folder.mkdir(exist_ok=True)
        (folder / "bad.py").write_text(dedent(plugin))
        path = folder / "breaking.yaml"
        path.write_text(SCENARIO.format(action=action, outcome=outcome, target=target, world=world))
        return str(path)

    return write


PLUGIN = """
    import time
    from dataclasses import dataclass
    from typing import ClassVar
    from testbed.censor.actions.base import Action, Context
    from testbed.censor.decision import PASS, Decision

    @dataclass(frozen=True, slots=True)
    class Bad(Action):
        key: ClassVar[str] = "bad"

        def on_match(self, ctx: Context) -> Decision:
            {body}
            return PASS

        def on_packet(self, ctx: Context) -> Decision:
            return self.on_match(ctx)

        def holds_for(self, profile):
            return 60.0
"""


def test_nothing_broken_is_valid(testbed: Run, scenario: Callable[..., str]) -> None:
    done = testbed(scenario())
    assert done.status == 0, done.out + done.err
    done = testbed(scenario(), "--vantage", "mts", "--", "true")
    assert done.status == 0, done.err


def test_a_rule_expected_to_fire_that_did_not(testbed: Run, scenario: Callable[..., str]) -> None:
    """The emulator's classic: a free network behind a rule that never sees a packet."""
    done = testbed(scenario(target="https://www.wikipedia.org/"))
    assert done.status == 3, done.out
    assert "rule" in done.out
    assert not done.summary["valid"]


def test_an_exception_in_the_packet_path(testbed: Run, scenario: Callable[..., str]) -> None:
    """What always fails is found when the technique is loaded; this one waits for curl's name."""
    always = scenario("{'bad.py:Bad': {}}", plugin=PLUGIN.format(body="raise RuntimeError('boom')"))
    assert testbed(always, "--vantage", "mts", "--", "true").status == 2
    for_twitter = "if b'twitter' in ctx.packet.raw: raise RuntimeError('boom')"
    path = scenario("{'bad.py:Bad': {}}", plugin=PLUGIN.format(body=for_twitter))
    done = testbed(path, "--vantage", "mts", "--", "curl", "-sS", "-o", "/dev/null", "https://twitter.com/")
    assert done.status == 3, done.err
    assert "fault" in done.err
    assert any(event["kind"] == "fault" and "boom" in str(event) for event in done.events)
    healthy = scenario("{'bad.py:Bad': {}}", plugin=PLUGIN.format(body="pass"))
    done = testbed(
        healthy, "--vantage", "mts", "--", "curl", "-sS", "-o", "/dev/null", "https://twitter.com/"
    )
    assert done.status == 0, done.err


FLOOD = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 40000))
s.connect((sys.argv[1], 53))
for _ in range(60000):
    s.send(b"x" * 20)
"""


def test_queue_overflow(testbed: Run, scenario: Callable[..., str]) -> None:
    """A censor too slow for its queue loses packets that it never judged."""
    slow = scenario("{'bad.py:Bad': {}}", plugin=PLUGIN.format(body="time.sleep(0.002)"))
    text = Path(slow).read_text().replace("{tls.sni: [twitter.com]}", "{ports: [53], transport: udp}")
    Path(slow).write_text(text)
    flood = (sys.executable, "-c", FLOOD, "8.8.8.8")
    done = testbed(slow, "--vantage", "mts", "--", *flood, timeout=110)
    assert done.status == 3, done.err
    assert "dropped" in done.err


@pytest.mark.parametrize("name", ["far", "mts.box", "resolvers"])
def test_a_dead_service(testbed: Run, scenario: Callable[..., str], name: str, tmp_path: Path) -> None:
    with meddling(tmp_path, kill(name)) as command:
        done = testbed(scenario(), "--vantage", "mts", "--", *command)
    assert done.status == 3, done.err
    assert name in done.err or name.replace(".", "/") in done.err
    with meddling(tmp_path, lambda _: None) as command:
        done = testbed(scenario(), "--vantage", "mts", "--", *command)
    assert (done.status, done.out) == (0, "")


def test_a_dead_delay_line(testbed: Run, scenario: Callable[..., str], tmp_path: Path) -> None:
    path = scenario(world="slow.yaml")
    worlds = Path(__file__).parents[2] / "scenarios" / "worlds" / "runet.yaml"
    text = worlds.read_text("utf-8")
    (Path(path).parent / "slow.yaml").write_text(text + "\nbackbone: {delay: 5 ms}\n")
    done = testbed(path, "--vantage", "mts", "--", "true")
    assert done.status == 0, done.err
    with meddling(tmp_path, kill("delay")) as command:
        done = testbed(path, "--vantage", "mts", "--", *command)
    assert done.status == 3, done.err
    assert "delay" in done.err


def sh(script: str) -> tuple[str, ...]:
    return ("--vantage", "mts", "--", "sh", "-c", script)


TWO_RULES = """
title: Two rules and whose is whose
period: any
sources: [our choice]
world: runet
operators: [mts]
seed: 1
censors:
  box:
    profile: t22
    rules:
      - name: one
        match: {{tls.sni: [twitter.com]}}
        action: rst-rewrite
      - name: other
        match: {{tls.sni: [meduza.io]}}
        action: rst-rewrite
phases: {{p: {{mts: box}}}}
default_phase: p
expect:
  - {{phase: p, vantage: mts, target: "https://twitter.com/", outcome: tls.sni.rst, by: {first}}}
  - {{phase: p, vantage: mts, target: "https://meduza.io/", outcome: tls.sni.rst, by: {second}}}
controls: ["https://vk.com/"]
"""


@pytest.mark.parametrize(("first", "second", "status"), [("one", "other", 0), ("other", "one", 1)])
def test_two_expectations_that_name_each_others_rules(
    testbed: Run, tmp_path: Path, first: str, second: str, status: int
) -> None:
    """Both rules fired, at one vantage: only the flows tell which is whose."""
    path = tmp_path / "two.yaml"
    path.write_text(TWO_RULES.format(first=first, second=second))
    done = testbed(str(path))
    assert done.status == status, done.out
    rows = [row for row in done.summary["rows"] if row["by"]]
    assert [row["verdict"] for row in rows] == ["ok" if status == 0 else "differs"] * 2
    assert [row["others"] for row in rows] == (
        [[], []] if status == 0 else [["mts/box/one"], ["mts/box/other"]]
    )


@pytest.mark.parametrize("change", ["list ruleset", "flush ruleset", "flush chain ip mangle FORWARD"])
def test_a_rule_set_that_somebody_changed(
    testbed: Run, scenario: Callable[..., str], tmp_path: Path, change: str
) -> None:
    """Everything would pass, and no counter would be missed."""
    with meddling(tmp_path, at("mts.box", "nft", change)) as command:
        done = testbed(scenario(), "--vantage", "mts", "--", *command)
    changed = change.startswith("flush")
    assert done.status == (3 if changed else 0), done.err
    assert ("the nftables rules of router mts.hop2 were changed" in done.err) == changed


@pytest.mark.parametrize(
    ("script", "note"),
    [
        pytest.param(
            "iptables -A OUTPUT -p tcp -j NFQUEUE --queue-num 7",
            "mts has firewall rules of its own",
            marks=pytest.mark.world("iptables-nft"),
        ),
        ("ip route del default; ip -6 route del default", ""),
        ("ip link set eth0 down", ""),
    ],
)
def test_a_subscriber_may_break_its_own_machine(
    testbed: Run, scenario: Callable[..., str], script: str, note: str
) -> None:
    """The control comes from a twin, and what the subscriber's own rules do is no censor's."""
    done = testbed(scenario(), *sh(f"{script}; curl -4sS -m 2 -o /dev/null https://vk.com/"))
    assert done.summary["valid"], done.err
    assert done.status == done.summary["command_status"] != 0
    assert done.summary["controls"] == {"https://vk.com/": "ok"}
    assert note in done.err


@pytest.mark.parametrize(
    ("script", "fired"), [("true", []), ("curl -s -o /dev/null https://vk.com/", ["mts/box/rule"])]
)
def test_the_controls_own_packets_are_counted_apart(
    testbed: Run, scenario: Callable[..., str], script: str, fired: list[str]
) -> None:
    """A rule that acts on the control, too: harmless, but not the command's."""
    path = Path(scenario("{shape: {rate: 50 Mbit/s}}"))
    path.write_text(path.read_text().replace("[twitter.com]", "[twitter.com, vk.com]"))
    done = testbed(str(path), *sh(script))
    assert done.status == 0, done.err
    assert list(done.summary["rules_fired"]) == fired
    assert list(done.summary["rules_fired_at_control"]) == ["mts/box/rule"]


@pytest.mark.parametrize("hangs", [True, False])
def test_a_server_that_hangs(testbed: Run, scenario: Callable[..., str], tmp_path: Path, hangs: bool) -> None:
    """The processes of the far side, but not the one that supervises them: nobody has ended."""

    def stop(folder: Path) -> None:
        for part in descendants(service("far", folder)):
            os.kill(part, signal.SIGSTOP)

    with meddling(tmp_path, stop if hangs else lambda _: None) as command:
        done = testbed(scenario(), "--vantage", "mts", "--", *command)
    assert done.status == (3 if hangs else 0), done.err
    assert ("SIGKILL when asked to stop" in done.err) == hangs


SPLIT = """
import socket, ssl, sys
out = ssl.MemoryBIO()
tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="twitter.com")
try:
    tls.do_handshake()
except ssl.SSLWantReadError:
    hello = out.read()
cut = len(hello) if sys.argv[1] == "whole" else 60
with socket.create_connection(("twitter.com", 443), 3) as sock:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in filter(None, (hello[:cut], hello[cut:])):
        sock.sendall(piece)
    try:
        print(len(sock.recv(10)))
    except ConnectionResetError:
        print("reset")
"""


@pytest.mark.parametrize(("how", "answer"), [("split", "10"), ("whole", "reset")])
def test_a_listed_name_that_passed_is_named(
    testbed: Run, scenario: Callable[..., str], how: str, answer: str
) -> None:
    """A box of 2022 reads no ClientHello in two segments, as it should; nobody need wonder why."""
    done = testbed(scenario(), "--vantage", "mts", "--", sys.executable, "-c", SPLIT, how)
    assert (done.status, done.out.strip()) == (0, answer), done.err
    named = "note: twitter.com passed mts/box/rule: its ClientHello came in 2 segments" in done.err
    assert named == (how == "split") == bool(done.summary["names_passed"])
