"""The freeze after packets or bytes, on the core. C numbers are the conformance cases' names."""

from ipaddress import ip_network

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.freeze import Freeze
from testbed.censor.handover import Drop, passing_time
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from testbed.censor.units import Octets
from tests.censor.line import INSIDE, Line, hello, opened, policy, sni

BOTH = pytest.mark.parametrize("version", [4, 6])
HOSTING = (ip_network("104.244.42.0/24"), ip_network("2606:1f80:f000::/48"))


def hosting(action: Freeze, **match: object) -> Policy:
    """Everything to a hosting network, from the flow's first packet on."""
    return policy(Match(ip=HOSTING, **match), action, "t25")


@BOTH
@pytest.mark.parametrize("kernel", [True, False])
def test_c93_silence_after_the_25th_packet_both_ways(version: int, kernel: bool) -> None:
    line = opened(hosting(Freeze()), version, kernel=kernel)
    for number in range(4, 26):
        send = line.L if number % 2 else line.R
        assert send(payload=b"ab").untouched, number
    frozen = line.L(payload=b"ab")
    assert frozen.silent
    assert frozen.decision.rule == 0
    assert frozen.decision.handover == Drop(480, refresh=True)
    for _ in range(3):
        assert line.R(payload=b"ab").silent
        assert line.L("R").silent


@BOTH
@pytest.mark.parametrize(("size", "passes"), [(1460, 10), (960, 16), (100, 25)])
def test_c91_silence_after_16_kb(version: int, size: int, passes: int) -> None:
    line = opened(hosting(Freeze(packets=25, octets=Octets(16384), count="down")), version)
    line.L(payload=hello())
    arrived = [not line.R(payload=bytes(size)).silent for _ in range(40)]
    header = 40 if version == 4 else 60
    handshake = header  # the SYN/ACK
    expected = min(24, (16384 - handshake) // (size + header))
    assert arrived == [True] * expected + [False] * (40 - expected)
    assert abs(expected - passes) <= 1


def test_octets_alone_do_not_count_packets() -> None:
    line = opened(hosting(Freeze(octets=Octets(16384))))
    assert all(line.L(payload=b"ab").untouched for _ in range(300))
    assert not all(line.L(payload=b"ab").untouched for _ in range(100))


@pytest.mark.parametrize("count", ["up", "down"])
def test_one_direction_may_be_counted_alone(count: str) -> None:
    line = opened(hosting(Freeze(packets=10, count=count)))
    counted, other = (line.L, line.R) if count == "up" else (line.R, line.L)
    assert all(other(payload=b"ab").untouched for _ in range(50))
    passed = 0
    while counted(payload=b"ab").arrived is not None:
        passed += 1
    assert passed == {"up": 8, "down": 9}[count], "the handshake is counted"
    assert other(payload=b"ab").silent


def test_c92_a_short_transfer_completes_and_c96_an_unlisted_net_does() -> None:
    line = opened(hosting(Freeze(octets=Octets(16384))))
    line.L(payload=hello())
    assert all(line.R(payload=bytes(1400)).untouched for _ in range(6))
    line = opened(policy(Match(ip=(ip_network("1.2.3.0/24"),)), Freeze(), "t25"))
    assert all(line.R(payload=bytes(1400)).untouched for _ in range(60))


def test_a_slow_flow_is_counted_as_well_and_stays_frozen_while_anybody_tries() -> None:
    line = opened(hosting(Freeze()))
    for _ in range(22):
        line.wait(100)
        assert line.L(payload=b"ab").untouched
    for _ in range(5):
        line.wait(400)
        assert line.R(payload=b"ab").silent
    line.wait(490)
    assert line.L(payload=b"ab").arrived is not None


def test_a_new_connection_is_counted_afresh() -> None:
    line = opened(hosting(Freeze(packets=5)))
    for _ in range(5):
        line.L(payload=b"ab")
    assert line.L(payload=b"ab").silent
    line.new_port()
    line.handshake()
    assert line.L(payload=b"ab").untouched


def test_by_name_it_counts_from_the_clienthello_on() -> None:
    line = opened(sni(Freeze(packets=3), profile="t25"))
    assert line.L(payload=hello()).arrived is not None
    assert line.R(payload=b"hello").untouched
    assert line.R(payload=b"hello").untouched
    assert line.R(payload=b"hello").silent


# --- UDP -----------------------------------------------------------------------------------------


def frozen_udp(version: int = 4, last: str = "L", **fields: object) -> Line:
    line = Line(hosting(Freeze(packets=3, **fields)), version, udp=True, dport=51820)
    for _ in range(3):
        assert line.L(payload=b"x").arrived is not None
    assert {"L": line.L, "R": line.R}[last](payload=b"x").silent
    return line


@BOTH
@pytest.mark.parametrize("last", ["L", "R"])
def test_a_frozen_udp_flow_locks_its_server_for_600_s(version: int, last: str) -> None:
    line = frozen_udp(version, last)
    line.wait(590)
    line.new_port()
    line.dport = 443
    locked = line.L(payload=b"x")
    assert locked.silent
    assert isinstance(locked.decision.handover, Drop)
    assert line.R(payload=b"x").silent


def test_the_lock_ends_600_s_after_the_last_datagram() -> None:
    line = frozen_udp()
    line.wait(590)
    line.new_port()
    assert line.L(payload=b"x").silent
    line.wait(590)
    line.new_port()
    assert line.L(payload=b"x").silent, "restarted by the attempt"
    line.wait(610)
    line.new_port()
    assert line.L(payload=b"x").arrived is not None


def test_without_a_lock_only_the_flow_is_dead() -> None:
    line = frozen_udp(udp_lock=None)
    line.new_port()
    assert line.L(payload=b"x").arrived is not None


@BOTH
def test_the_lock_is_for_one_server_and_one_inside_host_and_udp(version: int) -> None:
    line = frozen_udp(version)
    ip = IP if version == 4 else IPv6
    neighbour, other = ("95.24.0.9", "104.244.42.9") if version == 4 else ("2a00::9", "2606:1f80:f000::9")
    for source, destination in ((INSIDE[version], other), (neighbour, other)):
        packet = ip(src=source, dst=destination) / UDP(sport=5, dport=51820) / Raw(b"x")
        assert line.send(packet).arrived is not None
    server = "104.244.42.1" if version == 4 else "2606:1f80:f000::1"
    assert line.send(ip(src=neighbour, dst=server) / UDP(sport=5, dport=9) / Raw(b"x")).arrived is not None
    line.udp = False
    line.new_port()
    assert line.L("S").untouched


PORT_443 = {"transport": "udp", "ports": (443,)}


def locked_at_443(version: int, *rules: Rule, **match: object) -> Line:
    """A line whose rule for UDP port 443 has frozen a flow to the server; `rules` stand above it."""
    frozen = Rule("frozen", Match(ip=HOSTING, **PORT_443, **match), Freeze(packets=3))
    line = Line(Policy("box", PROFILES["t25"], (*rules, frozen)), version, udp=True)
    for _ in range(3):
        assert line.L(payload=b"x").arrived is not None
    assert line.L(payload=b"x").silent
    return line


@BOTH
@pytest.mark.parametrize("kernel", [True, False])
def test_the_lock_is_for_ports_that_the_rule_does_not_name(version: int, kernel: bool) -> None:
    line = locked_at_443(version)
    line.kernel = kernel
    line.new_port()
    line.dport = 5000
    locked = line.L(payload=b"x")
    assert locked.silent
    (event,) = locked.decision.events
    assert (event.kind, event.rule, event.detail["spread"]) == ("match", "frozen", True)
    assert line.R(payload=b"x").silent
    line.wait(610)
    line.new_port()
    assert line.L(payload=b"x").untouched


@BOTH
def test_the_lock_takes_what_was_open_before(version: int) -> None:
    line = Line(policy(Match(ip=HOSTING, **PORT_443), Freeze(packets=3), "t25"), version, udp=True, dport=53)
    for _ in range(3):
        assert line.L(payload=b"x").untouched
        assert line.R(payload=b"x").untouched
    line.sport, line.dport = 50000, 443
    while line.L(payload=b"x").arrived is not None:
        pass
    line.sport, line.dport = 40000, 53
    line.wait(passing_time(PROFILES["t25"]) + 1)
    assert line.R(payload=b"x").silent
    assert line.L(payload=b"x").silent


def test_a_flow_that_is_counted_is_frozen_by_the_lock_of_another() -> None:
    line = Line(hosting(Freeze(packets=3)), udp=True, dport=51820)
    assert line.L(payload=b"x").arrived is not None
    line.new_port()
    for _ in range(3):
        line.L(payload=b"x")
    assert line.L(payload=b"x").silent
    line.sport -= 1
    assert line.L(payload=b"x").silent


@BOTH
def test_a_rule_above_comes_before_the_lock_for_good(version: int) -> None:
    line = locked_at_443(version, Rule("game", Match(ports=(5000,)), Allow()))
    line.new_port()
    line.dport = 5000
    for _ in range(3):
        assert line.L(payload=b"x").arrived is not None
        line.wait(passing_time(PROFILES["t25"]) + 1)
    line.new_port()
    line.dport = 5001
    assert line.L(payload=b"x").silent


def test_what_the_box_misses_of_the_lock_it_misses_once() -> None:
    line = Line(policy(Match(ip=HOSTING, **PORT_443), Freeze(packets=0), "t25", freeze=0.5), udp=True)
    line.kernel = False
    while line.L(payload=b"x").arrived is not None:
        line.new_port()
    line.dport = 5000
    missed = 0
    for _ in range(20):
        line.new_port()
        if (first := line.L(payload=b"x")).arrived is not None:
            assert [event.kind for event in first.decision.events] == ["miss"]
            assert not line.L(payload=b"x").decision.events
            missed += 1
    assert 0 < missed < 20


def test_locks_are_bounded_and_their_eviction_is_an_event() -> None:
    line = Line(policy(Match(transport="udp"), Freeze(packets=0), "t25"))
    events = []
    for number in range(300):
        packet = (
            IP(src=INSIDE[4], dst=f"10.1.{number >> 8}.{number & 255}") / UDP(sport=5, dport=9) / Raw(b"x")
        )
        events += [e for e in line.send(packet).decision.events if e.kind == "evict"]
    assert len(events) == 300 - 256
    assert events[0].detail == {"table": "freeze"}


def test_a_frozen_tcp_flow_locks_nothing() -> None:
    line = opened(hosting(Freeze(packets=5)))
    while line.L(payload=b"ab").arrived is not None:
        pass
    line.udp = True
    line.new_port()
    assert line.L(payload=b"x").untouched


def test_resets_are_sent_once() -> None:
    line = opened(hosting(Freeze(packets=5, rst="both")), kernel=False)
    assert all(line.L(payload=b"ab").untouched for _ in range(2))
    first = line.L(payload=b"ab")
    assert (first.arrived, len(first.to_inside), len(first.to_outside)) == (None, 1, 1)
    assert line.L(payload=b"ab").silent
    assert line.R(payload=b"ab").silent


def test_a_reset_is_not_answered_by_resets() -> None:
    line = opened(hosting(Freeze(packets=5, rst="both")))
    assert all(line.L(payload=b"ab").untouched for _ in range(2))
    assert line.L("R").silent
