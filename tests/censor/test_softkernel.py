"""The soft kernel by itself. That nft does the same is shown in tests/middlebox/test_differential.py."""

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, PadN
from scapy.packet import Raw

from testbed.censor.actions.policer import Policer
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.decision import PASS, Decision, Direction, Verdict
from testbed.censor.handover import PASS_ON, Drop, Handover, Police
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from testbed.censor.softkernel import SoftKernel, TokenBucket, _fragmented, flow_key

UP, DOWN = Direction.UP, Direction.DOWN
BOTH = pytest.mark.parametrize("version", [4, 6])
INSIDE, OUTSIDE = {4: "10.0.0.2", 6: "2001:db8::2"}, {4: "192.0.2.1", 6: "2001:db8:1::1"}


class Stub:
    """A core that hands every flow over, and counts what it was asked."""

    def __init__(self, handover: Handover | None, verdict: Verdict = Verdict.PASS) -> None:
        self.answer = Decision(verdict, handover=handover, rule=0)
        self.asked = 0

    def process(self, raw: bytes, direction: Direction, now: float) -> Decision:
        self.asked += 1
        return self.answer


def kernel(handover: Handover | None, *, most_flows: int = 100, time_scale: float = 1.0) -> SoftKernel:
    policy = Policy("box", PROFILES["t22"], (Rule("rule", Match(), SilentDrop()),))
    return SoftKernel(Stub(handover), policy, most_flows=most_flows, time_scale=time_scale)


def packet(
    version: int, direction: Direction, *, sport: int = 4000, flags: str = "A", size: int = 0
) -> bytes:
    ends = (INSIDE[version], OUTSIDE[version]), (sport, 443)
    (source, destination), (a, b) = ends if direction is UP else (ends[0][::-1], ends[1][::-1])
    ip = IP(src=source, dst=destination) if version == 4 else IPv6(src=source, dst=destination)
    return bytes(ip / TCP(sport=a, dport=b, flags=flags) / Raw(bytes(size)))


@BOTH
def test_pass_ends_after_its_time_and_with_a_syn_from_inside(version: int) -> None:
    box = kernel(PASS_ON)
    up, down, syn = (packet(version, UP), packet(version, DOWN), packet(version, UP, flags="S"))
    said = [
        box.process(up, UP, 0.0).by,
        box.process(up, UP, 1.0).by,
        box.process(down, DOWN, 29.9).by,
        box.process(down, DOWN, 30.1).by,
        box.process(down, DOWN, 31.0).by,
        box.process(packet(version, DOWN, flags="S"), DOWN, 32.0).by,
        box.process(packet(version, UP, flags="SA"), UP, 32.0).by,
        box.process(syn, UP, 33.0).by,
    ]
    assert said == ["core", "pass", "pass", "core", "pass", "pass", "pass", "core"]


@BOTH
@pytest.mark.parametrize(("refresh", "last"), [(False, "core"), (True, "drop")])
def test_drop_ends_after_the_handover_or_after_the_last_packet(
    version: int, refresh: bool, last: str
) -> None:
    box = kernel(Drop(10.0, refresh=refresh))
    times = ((UP, 0.0), (DOWN, 6.0), (UP, 9.0), (DOWN, 12.0))
    outcomes = [box.process(packet(version, way), way, now) for way, now in times]
    assert [outcome.by for outcome in outcomes] == ["core", "drop", "drop", last]
    assert outcomes[1].decision == Decision(Verdict.DROP, rule=0)
    assert box.counted["flow_drop_0"] == (3 if refresh else 2)


@BOTH
def test_each_direction_of_a_policed_flow_has_its_bucket(version: int) -> None:
    box = kernel(Police(8000, 3000, idle=60.0))
    sent = packet(version, UP, size=1000 - (40 if version == 4 else 60))
    box.process(sent, UP, 0.0)  # the trigger is the core's
    passed = [box.process(sent, UP, 0.0).decision is PASS for _ in range(5)]
    assert passed == [True, True, True, False, False]
    back = packet(version, DOWN, size=1000 - (40 if version == 4 else 60))
    assert [box.process(back, DOWN, 0.0).decision is PASS for _ in range(4)] == [True, True, True, False]
    assert box.process(sent, UP, 1.0).decision is PASS, "1,000 bytes a second"
    assert box.counted == {"police_0": 1, "policed_drop_0": 3}


def test_flows_of_a_host_share_a_bucket_if_asked() -> None:
    box = kernel(Police(8000, 2000, idle=60.0, per="host"))
    for sport in (4000, 4001):
        box.process(packet(4, UP, sport=sport), UP, 0.0)
    passed = [
        box.process(packet(4, UP, sport=p, size=960), UP, 0.0).decision is PASS for p in (4000, 4001, 4000)
    ]
    assert passed == [True, True, False]


def test_an_unpoliced_direction_passes() -> None:
    box = kernel(Police(8, 1, idle=60.0, direction="up"))
    box.process(packet(4, UP), UP, 0.0)
    assert box.process(packet(4, DOWN, size=1000), DOWN, 0.0).decision is PASS
    assert box.process(packet(4, UP, size=1000), UP, 0.0).decision.verdict is Verdict.DROP


def test_a_bucket_is_full_again_after_the_idle_time() -> None:
    box = kernel(Police(8, 1000, idle=5.0))
    box.process(packet(4, UP), UP, 0.0)
    sent = packet(4, UP, size=960)
    assert box.process(sent, UP, 0.0).decision is PASS
    assert box.process(sent, UP, 4.0).decision.verdict is Verdict.DROP
    assert box.process(sent, UP, 9.5).by == "core", "idle for longer"
    assert box.process(sent, UP, 9.6).decision is PASS


def test_times_are_the_censors_and_rates_are_real() -> None:
    box = kernel(Police(8000, 1000, idle=600.0), time_scale=60.0)
    box.process(packet(4, UP), UP, 0.0)
    sent = packet(4, UP, size=960)
    passed = [box.process(sent, UP, now).decision is PASS for now in (0.0, 30.0, 60.0)]
    assert passed == [True, False, True], "60 s of the censor's clock are one real second"


@pytest.mark.parametrize(
    "raw",
    [
        bytes(IP(flags="MF") / TCP()),
        bytes(IP(frag=5) / Raw(bytes(40))),
        bytes(IPv6() / IPv6ExtHdrFragment(m=1) / TCP()),
        bytes(IPv6() / IPv6ExtHdrFragment(m=0) / TCP()),
        bytes(IP(proto=47) / Raw(bytes(40))),
        bytes(IP() / UDP())[:22],
    ],
    ids=["first", "later", "ipv6", "atomic", "gre", "cut"],
)
def test_fragments_and_packets_without_ports_always_go_to_the_core(raw: bytes) -> None:
    box = kernel(Drop(10.0))
    assert [box.process(raw, UP, 0.0).by for _ in range(3)] == ["core"] * 3


def test_options_and_extension_headers_do_not_make_another_flow() -> None:
    plain = bytes(IP(src="10.0.0.2", dst="192.0.2.1") / TCP(sport=1, dport=2))
    optioned = bytes(IP(src="10.0.0.2", dst="192.0.2.1", options=[("NOP")] * 4) / TCP(sport=1, dport=2))
    assert flow_key(plain) == flow_key(optioned) is not None
    plain6 = bytes(IPv6(src="2001:db8::2", dst="2001:db8::1") / UDP(sport=1, dport=2))
    hop = bytes(IPv6(src="2001:db8::2", dst="2001:db8::1") / IPv6ExtHdrHopByHop() / UDP(sport=1, dport=2))
    assert flow_key(plain6) == flow_key(hop) is not None


def test_a_full_table_forgets_what_is_over_then_passed_flows_then_says_so() -> None:
    box = kernel(PASS_ON, most_flows=2)
    for sport in (1, 2):
        box.process(packet(4, UP, sport=sport), UP, 0.0)
    assert box.process(packet(4, UP, sport=3), UP, 1.0).by == "core"
    assert (box.process(packet(4, UP, sport=3), UP, 1.0).by, box.full) == ("core", 2), "no room for a third"
    box.core.answer = Decision(Verdict.DROP, handover=Drop(100.0), rule=0)
    for sport in (3, 4):  # a flow that must be dropped takes the place of one that passes
        box.process(packet(4, UP, sport=sport), UP, 2.0)
        assert box.process(packet(4, UP, sport=sport), UP, 2.0).by == "drop"
    assert box.full == 2
    box.process(packet(4, UP, sport=5), UP, 3.0)
    assert box.full == 3
    box.process(packet(4, UP, sport=5), UP, 103.0)
    assert (box.process(packet(4, UP, sport=5), UP, 104.0).by, box.full) == ("drop", 3), "the others are over"


def test_a_bucket_begins_full_and_drops_cost_nothing() -> None:
    tokens = TokenBucket(1000.0, 5000.0, 5000.0, 0.0)
    assert [tokens.take(1500, 0.0) for _ in range(4)] == [True, True, True, False]
    assert tokens.take(500, 0.0), "what was dropped was not charged"
    assert not tokens.take(1, 0.0)
    assert [tokens.take(1000, now) for now in (1.0, 1.5, 2.0)] == [True, False, True]
    assert not tokens.take(5001, 1000.0), "it holds no more than its size"


def test_a_bucket_holds_a_second_of_its_rate_at_least() -> None:
    """net/netfilter/nft_limit.c; a 16 KiB burst at 140 kbit/s becomes 17,500 bytes."""
    (police,) = Policer(rate=140e3, burst=16384).handovers(PROFILES["t21"])
    assert (police.octets_per_second, police.bucket_size) == (17_500, 17_500)
    assert Police(8000, 4000, idle=1.0).bucket_size == 4000


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Drop(0.0),
        lambda: Drop(-1.0),
        lambda: Police(0, 1, 1.0),
        lambda: Police(1, 1, 0.0),
        lambda: Drop(float("nan")),
    ],
)
def test_a_handover_that_means_nothing_cannot_be_made(wrong) -> None:
    with pytest.raises(ValueError, match="give"):
        wrong()


@BOTH
@pytest.mark.parametrize("way", [UP, DOWN])
def test_a_shared_bucket_is_the_inside_hosts(version: int, way: Direction) -> None:
    ip, header = (IP, 40) if version == 4 else (IPv6, 60)
    inside = INSIDE[version], {4: "10.0.0.77", 6: "2001:db8::77"}[version]
    outside = OUTSIDE[version], {4: "192.0.2.77", 6: "2001:db8:1::77"}[version]

    def sent(near: str, far: str) -> bytes:
        (a, sport), (b, dport) = ((near, 4000), (far, 443))[:: 1 if way is UP else -1]
        return bytes(ip(src=a, dst=b) / TCP(sport=sport, dport=dport, flags="A") / Raw(bytes(1000 - header)))

    box = kernel(Police(8000, 1000, idle=60.0, per="host"))
    flows = [sent(inside[0], outside[0]), sent(inside[0], outside[1]), sent(inside[1], outside[0])]
    for raw in flows:
        box.process(raw, way, 0.0)  # the trigger is the core's
    assert [box.process(raw, way, 0.0).decision is PASS for raw in flows] == [True, False, True]


def test_a_fragment_of_a_policed_flow_goes_to_the_core() -> None:
    box = kernel(Police(8000, 3000, idle=60.0))
    assert [box.process(packet(6, UP), UP, 0.0).by for _ in range(2)] == ["core", "police"]
    ends = TCP(sport=4000, dport=443, flags="A")
    whole = IPv6(src=INSIDE[6], dst=OUTSIDE[6]) / IPv6ExtHdrFragment(nh=6, m=0) / ends
    assert box.process(bytes(whole), UP, 0.0).by == "core"


@pytest.mark.parametrize("size", [4, 12, 20])
def test_a_fragment_header_behind_others_is_found(size: int) -> None:
    ip, ends = IPv6(src=INSIDE[6], dst=OUTSIDE[6]), TCP(sport=4000, dport=443, flags="A")
    hop = IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(size))])
    destination = IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(size))])
    for before in (ip, ip / hop, ip / destination, ip / hop / destination):
        assert _fragmented(bytes(before / IPv6ExtHdrFragment(nh=6) / ends))
        assert not _fragmented(bytes(before / ends))


def test_a_packets_class_is_no_part_of_its_length() -> None:
    ends = TCP(sport=4000, dport=443, flags="A") / Raw(bytes(400))
    for ip in (IP(src=INSIDE[4], dst=OUTSIDE[4], tos=0xB9), IPv6(src=INSIDE[6], dst=OUTSIDE[6], tc=0xB9)):
        box = kernel(Police(8000, 1000, idle=60.0))
        said = [box.process(bytes(ip / ends), UP, 0.0).decision is PASS for _ in range(4)]
        assert said[1:] == [True, True, False]
