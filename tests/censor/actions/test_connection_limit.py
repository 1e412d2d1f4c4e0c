"""The limit on TLS connections, on the core. C97."""

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from testbed.censor.actions.connection_limit import ConnectionLimit
from testbed.censor.core import Censor
from testbed.censor.decision import Decision, Direction, Verdict
from testbed.censor.handover import PASS_ON, Drop
from testbed.censor.units import Seconds
from tests.censor.line import INSIDE, Line, hello, opened, sni

BOTH = pytest.mark.parametrize("version", [4, 6])
NEAR, FAR = {4: "104.244.42.200", 6: "2606:1f80:f000:2::1"}, {4: "104.244.43.1", 6: "2606:1f80:f001::1"}


def limit(**fields: object) -> Line:
    return Line(sni(ConnectionLimit(**fields), "*", profile="t25"))


def connect(line: Line) -> bool:
    """A new TLS connection: whether its ClientHello arrives. The handshake always passes."""
    line.new_port()
    line.handshake()
    return line.L(payload=hello("n.com")).arrived is not None


def frozen(line: Line) -> bool:
    return line.L(payload=b"x").silent and line.R(payload=b"x").silent


@BOTH
def test_c97_the_13th_flow_in_10_s_freezes_and_recovers_after_60_s(version: int) -> None:
    line = limit()
    line.version = version
    for number in range(12):
        assert connect(line), number
        line.wait(0.5)
    assert not connect(line)
    assert frozen(line)
    line.wait(59)
    assert not connect(line), "the lock is for every new flow"
    line.wait(2)
    assert connect(line)


def test_flows_spread_over_time_are_not_too_many() -> None:
    line = limit()
    for _ in range(50):
        line.wait(0.9)
        assert connect(line)


def test_twin_without_the_rule_for_it() -> None:
    line = limit(flows=1000)
    assert all(connect(line) for _ in range(60))


def test_one_multiplexed_connection_is_fine_and_open_flows_go_on() -> None:
    line = limit(flows=1)
    assert connect(line)
    first = line.sport
    assert all(line.L(payload=hello("n.com")).arrived is not None for _ in range(20))
    assert not connect(line)
    line.sport = first
    assert not frozen(line)


def test_a_passed_flow_goes_to_the_kernel_and_a_frozen_one_too() -> None:
    line = limit(flows=1)
    for handed_over, rule in ((PASS_ON, None), (Drop(60.0), 0)):
        line.new_port()
        line.handshake()
        decision = line.L(payload=hello("n.com")).decision
        assert (decision.handover, decision.rule) == (handed_over, rule)


@pytest.mark.parametrize("kernel", [True, False])
def test_without_the_kernel_it_is_the_same(kernel: bool) -> None:
    line = Line(sni(ConnectionLimit(flows=1), "*", profile="t25"), kernel=kernel)
    assert connect(line)
    assert not frozen(line)
    assert not connect(line)
    assert frozen(line)
    line.wait(61)
    assert not frozen(line), "the frozen flow recovers with the others"


def hello_to(censor: Censor, version: int, server: str, port: int, inside: str = "") -> Decision:
    ip = IP if version == 4 else IPv6
    packet = ip(src=inside or INSIDE[version], dst=server) / TCP(sport=port, dport=443, flags="PA")
    return censor.process(bytes(packet / Raw(hello("n.com"))), Direction.UP, 0.0)


@BOTH
def test_neighbours_in_the_subnet_count_together_others_do_not(version: int) -> None:
    line = limit(flows=1)
    line.version = version
    assert connect(line)
    assert hello_to(line.censor, version, NEAR[version], 1).verdict is Verdict.DROP
    assert hello_to(line.censor, version, FAR[version], 2).verdict is Verdict.PASS
    neighbour = "95.24.0.9" if version == 4 else "2a00:1118::9"
    assert hello_to(line.censor, version, NEAR[version], 3, neighbour).verdict is Verdict.PASS


@BOTH
def test_the_prefix_may_be_given(version: int) -> None:
    line = limit(flows=1, prefix4=32, prefix6=128)
    line.version = version
    assert connect(line)
    assert hello_to(line.censor, version, NEAR[version], 1).verdict is Verdict.PASS
    whole = limit(flows=1, prefix4=0, prefix6=0)
    whole.version = version
    assert connect(whole)
    assert hello_to(whole.censor, version, FAR[version], 1).verdict is Verdict.DROP
    assert hello_to(whole.censor, 10 - version, FAR[10 - version], 1).verdict is Verdict.PASS, "own table"


def test_the_window_is_of_the_censors_clock() -> None:
    line = limit(flows=2, window=Seconds(1), lock=Seconds(5))
    assert connect(line)
    line.wait(0.6)
    assert connect(line)
    line.wait(0.6)
    assert connect(line), "the first is over a second ago"
    assert not connect(line)


def test_networks_are_bounded_and_their_eviction_is_an_event() -> None:
    line = limit()
    events = []
    for number in range(300):
        decision = hello_to(line.censor, 4, f"10.{number >> 8}.{number & 255}.1", 1000 + number)
        events += [event for event in decision.events if event.kind == "evict"]
    assert len(events) == 300 - 256


def test_a_known_network_evicts_nothing() -> None:
    line = opened(sni(ConnectionLimit(), "*", profile="t25"))
    for _ in range(3):
        assert [one.kind for one in line.L(payload=hello("n.com")).decision.events] == ["match"]
        line.new_port()
        line.handshake()
