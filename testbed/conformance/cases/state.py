"""Timers, 4-tuples, opening sequences, fragments, addresses."""

from collections.abc import Iterator

from testbed.censor.policy import Policy
from testbed.conformance.backend import R_ADDRESS
from testbed.conformance.builders import action, match, policy, sni
from testbed.conformance.builders import profile as given_profile
from testbed.conformance.case import TSPU, Dialogue, case
from testbed.conformance.cases.common import control, data, dialogue, no_rule_acts, rule_acts, sni_policy
from testbed.conformance.payloads import SERVER_HELLO, N, hello
from testbed.conformance.series import Burst, Series
from testbed.conformance.steps import OPENED, DialogueStep, Fragmented, L, R, ping, tcp, udp, wait

_HIT = (L(hello()).passes, R(SERVER_HELLO).becomes_reset)


@case(
    "C40",
    "t22",
    "IMC22q p.7",
    "H",
    "SNI-I hit; innocent data on the 4-tuple after 70 s, and after 80 s",
    "blocked; free",
)
def _case_residual_1(profile: str) -> Dialogue:
    return dialogue(
        sni(profile, action("rst-rewrite")),
        *OPENED,
        *_HIT,
        wait(70),
        data().passes,
        data("R").becomes_reset,
        wait(10),
        data().passes,
        data("R").passes,
        scale=50,
    )


@case(
    "C42",
    "t22",
    "IMC22q p.7",
    "H",
    "SNI-IV hit; innocent data on the 4-tuple after 35 s, and after 45 s",
    "blocked; free",
)
def _case_residual_4(profile: str) -> Dialogue:
    return dialogue(
        sni(profile, action("drop")),
        *OPENED,
        L(hello()).is_dropped,
        wait(35),
        data().is_dropped,
        data("R").is_dropped,
        wait(10),
        data().passes,
        data("R").passes,
        scale=25,
    )


@case(
    "C43",
    "t22",
    "IMC22q; FOCI26q",
    "M",
    "SNI-I hit, then a neutral name from a new port",
    "passes",
)
def _case_fresh_port(profile: str) -> Dialogue:
    fresh = (tcp(what="a new port"), *OPENED, L(hello(N)).passes, no_rule_acts())
    return dialogue(sni(profile, action("rst-rewrite")), *OPENED, *_HIT, *fresh)


@case(
    "C122",
    "t21 t22w t22 t23 t24 t25 t26",
    "CP22 Fig. 7",
    "H",
    "R sends a SYN first; L answers with a SYN of its own, then the ClientHello of X",
    "passes: flows that R opens are never inspected",
)
def _case_outside_first(profile: str) -> Dialogue:
    opening = (
        R(flags="S").passes_unreported,
        L(flags="S").passes_unreported,
        R(flags="SA").passes_unreported,
    )
    return dialogue(sni_policy(profile), *opening, L(hello()).passes, R(SERVER_HELLO).passes, no_rule_acts())


@case("C44", "t22", "CP22", "H", "SNI-I hit, followed by X from a new port", "blocked again")
def _case_fresh_port_again(profile: str) -> Dialogue:
    return dialogue(
        sni(profile, action("rst-rewrite")), *OPENED, *_HIT, tcp(what="a new port"), *OPENED, *_HIT
    )


@case(
    "C45", "t22", "CP22 Fig. 7", "H", "SYN, SYN from L, then SYN from R, then ClientHello of X", "untouched"
)
def _case_syn_from_r(profile: str) -> Dialogue:
    opening = (L(flags="S").passes_unreported, L(flags="S", at=-1).passes_unreported, R(flags="S").passes)
    return dialogue(
        sni(profile, action("rst-rewrite")), *opening, L(hello()).passes, no_rule_acts(), *control(profile)
    )


@case("C48", "t22", "CP22 Fig. 7; ASBI", "M", "ACK from L without any SYN, ClientHello of X", "blocked")
def _case_no_syn(profile: str) -> Dialogue:
    return dialogue(sni(profile, action("rst-rewrite")), L(flags="A").passes, *_HIT)


@case(
    "C49",
    "t21",
    "IMC21 §6.6",
    "H",
    "A throttled flow is idle for 11 minutes; a handshake, 11 minutes idle, ClientHello of X",
    "no longer throttled, not even by another ClientHello; not throttled",
)
def _case_rested(profile: str) -> Iterator[Dialogue]:
    hit: tuple[DialogueStep, ...] = (*OPENED, L(hello()).passes, rule_acts(profile))
    again: tuple[DialogueStep, ...] = (wait(660), no_rule_acts(), L(hello()).passes, no_rule_acts())
    yield dialogue(sni_policy(profile), *hit, *again, label="throttled, then 11 min idle", scale=600)
    late: tuple[DialogueStep, ...] = (
        *OPENED,
        wait(660),
        L(hello()).passes,
        no_rule_acts(),
        *control(profile),
    )
    yield dialogue(sni_policy(profile), *late, label="handshake, then 11 min idle", scale=600)


@case(
    "C124",
    "t22 t23 t24 t25 t26",
    "CP22 Fig. 7; ASBI",
    "M",
    "Handshake, 11 minutes idle, ClientHello of X",
    "blocked: these boxes take up a connection whose beginning they did not see, or have forgotten",
)
def _case_taken_up(profile: str) -> Dialogue:
    steps: tuple[DialogueStep, ...] = (*OPENED, wait(660), *_HIT)
    return dialogue(sni_policy(profile), *steps, scale=600)


@case(
    "C51",
    "t21",
    "IMC21 §6.6",
    "H",
    "A throttled flow kept busy below the rate for 2 h, then a burst",
    "still throttled",
)
def _case_busy(profile: str) -> Dialogue:
    kept = Series("LR", 36, 100, "all pass", every=200)
    return dialogue(sni_policy(profile), *OPENED, L(hello()).passes, kept, rule_acts(profile), scale=1200)


def _any(profile: str) -> Policy:
    return sni(profile, action("rst-rewrite"))


@case(
    "C52",
    "t22w t22",
    "CP22 Fig. 8",
    "H",
    "A datagram in 45 fragments, and one in 46",
    "all arrive, after the last was sent, not reassembled; none arrives",
)
def _case_many_fragments(profile: str) -> Iterator[Dialogue]:
    for count, arrive in ((45, True), (46, False)):
        step = Fragmented("L", 8 * (6 * count) - 8, count, arrive=arrive)
        yield dialogue(_any(profile), udp(9000), step, label=str(count), without_box=True)
    mixed = Fragmented("L", 1000, 3, arrive=True, first_ttl=64, later_ttl=3)
    yield dialogue(_any(profile), udp(9000), mixed, label="later ones with TTL 3", without_box=True)


@case(
    "C55",
    "t22w t22",
    "CP22 Fig. 8",
    "H",
    "The first fragment's TTL ends one hop before the box",
    "nothing arrives",
)
def _case_first_fragment_lost(profile: str) -> Dialogue:
    step = Fragmented("L", 1000, 3, arrive=False, first_ttl=2)
    return dialogue(_any(profile), udp(9000), step, without_box=True)


@case(
    "C56",
    "t22w t22",
    "IMC22 (from memory)",
    "L",
    "The last fragment is never sent; 6 s later the same packet is sent complete",
    "nothing arrives; then the buffer is free, and everything arrives",
)
def _case_last_fragment_missing(profile: str) -> Dialogue:
    steps: tuple[DialogueStep, ...] = (
        Fragmented("L", 1000, 3, arrive=False, withhold=1),
        wait(6),
        Fragmented("L", 1000, 3, arrive=True),
    )
    return dialogue(_any(profile), udp(9000), *steps, without_box=True, scale=4)


@case("C57", "t22", "CP22", "H", "ClientHello of X in two IP fragments", "not matched")
def _case_hello_in_fragments(profile: str) -> Dialogue:
    cut = Fragmented("L", 0, 2, arrive=True, payload=hello(pad_to=600))
    steps: tuple[DialogueStep, ...] = (*OPENED, cut, no_rule_acts(), *control(profile))
    return dialogue(_any(profile), *steps, without_box=True)


@case(
    "C125",
    "t21 t22 t26 outage",
    "CP22 Fig. 6; ASBI",
    "M",
    "A datagram, a TCP segment and a ping in fragments to a blocked address; a datagram to a blocked port",
    "nothing arrives: lists of addresses come first; to another address or port everything arrives",
)
def _case_blocked_in_fragments(profile: str) -> Iterator[Dialogue]:
    lost, whole = Fragmented("L", 1000, 3, arrive=False), Fragmented("L", 1000, 3, arrive=True)
    buffers = given_profile(profile).fragments.value is not None
    for does in ("block-host", "drop"):
        steps: list[DialogueStep] = [
            udp(9000),
            lost,
            tcp(80),
            lost,
            ping(),
            Fragmented("L", 0, 2, arrive=False),
        ]
        if buffers:  # a step that expects fragments expects them together
            steps += [udp(9000, right="104.244.42.2"), whole]
        rule = policy(profile, (match(ip=f"{R_ADDRESS}/32"), action(does)))
        yield dialogue(rule, *steps, label=does)
    by_port = policy(profile, (match(ports=(9000,)), action("drop", scope="packet")))
    yield dialogue(by_port, udp(9000), lost, *((udp(9001), whole) if buffers else ()), label="port")


@case(
    "C126",
    "t22",
    "CP22 Fig. 6; CP22 Fig. 8",
    "M",
    "Fragments on a flow that SNI-IV holds, and of the server's data on one that SNI-I holds",
    "nothing arrives; the server's packet arrives as one RST/ACK",
)
def _case_held_in_fragments(profile: str) -> Iterator[Dialogue]:
    lost = (Fragmented("L", 1000, 3, arrive=False), Fragmented("R", 1000, 3, arrive=False))
    dropped = sni(profile, action("drop"))
    yield dialogue(dropped, *OPENED, L(hello()).is_dropped, *lost, label="SNI-IV")
    reset = Fragmented("R", 1000, 3, arrive=False, reset=True)
    yield dialogue(sni(profile, action("rst-rewrite")), *OPENED, L(hello()).passes, reset, label="SNI-I")


def _blocked(profile: str) -> Policy:
    return policy(profile, (match(ip=f"{R_ADDRESS}/32"), action("block-host")))


@case("C58", "t22", "CP22 Fig. 6", "H", "SYN from L to a blocked address, any port", "dropped")
def _case_syn_to_blocked(profile: str) -> Dialogue:
    tries: list[DialogueStep] = [
        step
        for port in (80, 443, 8080)
        for step in (tcp(port), L(flags="S", what=f"SYN to port {port}").is_dropped)
    ]
    other: tuple[DialogueStep, ...] = (tcp(right="104.244.42.2", what="the address beside it"), *OPENED)
    return dialogue(_blocked(profile), *tries, *other, data().passes)


@case(
    "C59",
    "t22",
    "CP22 Fig. 6",
    "H",
    "A blocked address opens a connection",
    "L receives its SYN; L's SYN/ACK, and everything after it, arrives there as RST/ACK",
)
def _case_blocked_opens(profile: str) -> Dialogue:
    return dialogue(
        _blocked(profile),
        tcp(80, inward=True),
        R(flags="S").passes,
        L(flags="SA").becomes_reset,
        L(flags="SA", what="SYN/ACK once more", at=-1).becomes_reset,
        data().becomes_reset,
    )


@case("C60", "t22", "NEVOD; N4P#106", "M", "Ping from L to a blocked address, and from it", "no reply")
def _case_blocked_ping(profile: str) -> Dialogue:
    steps = (ping(), L().is_dropped, R().is_dropped)
    return dialogue(_blocked(profile), *steps, ping(right="104.244.42.2"), L().passes, R().passes)


@case(
    "C117",
    TSPU,
    "ASBI",
    "M",
    "The box fails open for 30 minutes, then works again",
    "everything passes, then new flows are blocked; flows opened meanwhile are not",
)
def _case_fails_open(profile: str) -> Dialogue:
    box = sni(profile, action("rst-rewrite"), off=((1800.0, 3600.0),))
    return dialogue(
        box,
        *OPENED,
        *_HIT,
        wait(1800),
        tcp(what="during the bypass, a new flow"),
        *OPENED,
        L(hello()).passes,
        Burst("R", 5, 1000, 5, 5),
        wait(1800),
        data().passes,
        data("R").passes,
        tcp(what="after it, a new flow"),
        *OPENED,
        *_HIT,
        scale=1200,
    )
