"""What the rules by server name do, packet by packet."""

from collections.abc import Iterator

from testbed.censor.policy import Policy
from testbed.conformance.backend import ABROAD, R_ADDRESS, Box
from testbed.conformance.builders import action, match, policy, sni
from testbed.conformance.case import Dialogue, case
from testbed.conformance.cases.common import data, dialogue, no_rule_acts, sni_policy
from testbed.conformance.exchange import Observation
from testbed.conformance.packets import UDP
from testbed.conformance.payloads import RECORD, SERVER_HELLO, X, get, hello, quic_form
from testbed.conformance.rates import Transfer
from testbed.conformance.series import Burst, Pairs, Protocols, Series, Trials, bounds
from testbed.conformance.steps import OPENED, DialogueStep, L, R, tcp, wait

_TRIALS = 20_000  # IMC22q p.6
_MANY = "thousands of flows: their share is the core's draw, the kernel adds nothing to it"


def _sni1(profile: str, **more: object) -> Policy:
    return sni(profile, action("rst-rewrite"), **more)


def _sni2(profile: str, **more: object) -> Policy:
    return sni(profile, action("grace-drop"), **more)


@case(
    "C27",
    "t22 t23 t24 t25 t26",
    "CP22 Fig. 6; OONI22",
    "H",
    "SNI-I: ClientHello of X",
    "R receives the ClientHello; R's packets reach L as RST/ACK with R's TTL; nothing comes before R answers",
)
def _case_sni_1(profile: str) -> Dialogue:
    return dialogue(
        _sni1(profile),
        *OPENED,
        L(hello()).passes,
        R(what="ACK of it").becomes_reset,
        R(SERVER_HELLO).becomes_reset,
        R(RECORD, "data").becomes_reset,
        data().passes,
    )


@case(
    "C28",
    "t22",
    "CP22 Fig. 6",
    "M",
    "SNI-I, and R retransmits",
    "each retransmission becomes RST/ACK again",
)
def _case_sni_1_again(profile: str) -> Dialogue:
    again = [R(SERVER_HELLO, "ServerHello once more", at=-len(SERVER_HELLO)).becomes_reset] * 3
    return dialogue(_sni1(profile), *OPENED, L(hello()).passes, R(SERVER_HELLO).becomes_reset, *again)


@case(
    "C30",
    "t22 t23 t24 t25 t26",
    "CP22 Fig. 6",
    "H",
    "SNI-II: ClientHello of X",
    "5 to 8 further packets of either side pass, then none",
)
def _case_sni_2(profile: str) -> Iterator[Dialogue]:
    for number in range(3):  # the number is drawn per flow
        yield dialogue(
            _sni2(profile),
            *OPENED,
            L(hello()).passes,
            Series("LR", 20, 100, "some pass, then none", 5, 8),
            seed=number,
        )


@case(
    "C31",
    "t26",
    "NEVOD",
    "M",
    "SNI-II and a nearby server with a long answer",
    "L gets ACKs and part of the ServerHello, then nothing for 20 s",
)
def _case_sni_2_near(profile: str) -> Dialogue:
    return dialogue(
        _sni2(profile),
        *OPENED,
        L(hello()).passes,
        R(what="ACK of it").passes,
        Burst("R", 10, 1400, 4, 7),
        Series("LR", 10, 100, "nothing passes", every=2.0),
        scale=20,
    )


@case(
    "C32",
    "t22w",
    "OONI22; NEVOD",
    "M",
    "SNI-III: ClientHello of X, then a server's answer of 6.5 KB in packets of 517 bytes",
    "600 to 700 bytes/s, by drops, so a client with a timeout of 10 s gets about 6 KB; nothing is delayed",
)
def _case_sni_3(profile: str) -> Dialogue:
    crawl = Transfer(("R",), 6500, 2000, (8.4, 10.6), packet=517)
    return dialogue(sni_policy(profile), *OPENED, L(hello()).passes, crawl)


@case(
    "C34",
    "t22",
    "CP22 Fig. 6",
    "H",
    "X in the SNI-IV list, R's SYN having reversed the roles",
    "ClientHello and everything after it dropped; SNI-I alone would not fire",
)
def _case_sni_4(profile: str) -> Iterator[Dialogue]:
    roles_reversed = (
        L(flags="S").passes_unreported,
        R(flags="S").passes,
        L(flags="SA").passes,
        R(flags="A").passes,
    )
    second_line = policy(
        profile,
        (match(tls_sni=X), action("rst-rewrite")),
        (match(tls_sni=X, roles_reversed=True), action("drop")),
    )
    after = Series("LR", 6, 100, "nothing passes")
    yield dialogue(
        second_line, *roles_reversed, L(hello()).is_dropped, after, label="X in the lists of SNI-I and SNI-IV"
    )
    straight = (*OPENED, L(hello()).passes, R(SERVER_HELLO).becomes_reset)
    yield dialogue(second_line, *straight, label="the same, roles not reversed")
    yield dialogue(
        _sni1(profile), *roles_reversed, L(hello()).passes, no_rule_acts(), label="X in SNI-I's list alone"
    )


@case(
    "C35",
    "t26",
    "NEVOD",
    "M",
    "SNI-IV by itself: ClientHello of X after an ordinary handshake, retransmitted repeatedly",
    "never arrives, nor do its retransmissions at 0.3, 0.6, 1.2, 2.4, 4.8 and 9.7 s; no answer",
)
def _case_sni_4_alone(profile: str) -> Dialogue:
    again = [
        step
        for gap in (0.3, 0.3, 0.6, 1.2, 2.4, 4.9)
        for step in (wait(gap), L(hello(), "ClientHello once more", at=-len(hello())).is_dropped)
    ]
    return dialogue(
        sni(profile, action("drop")), *OPENED, L(hello()).is_dropped, *again, *_neutral(), scale=10
    )


def _neutral() -> tuple[DialogueStep, ...]:
    return (tcp(what="a new flow"), *OPENED, L(hello("n.com"), "ClientHello of n.com").passes)


@case(
    "C36",
    "t21",
    "IMC21 §6.4",
    "H",
    "GET of X with a TTL that ends after hop 2, then one that ends after hop 4",
    "RST alone; then RST and the operator's page",
)
def _case_megafon(profile: str) -> Dialogue:
    box = policy(profile, (match(http_host=X), action("rst")))
    redirect = action("page", location="http://m.megafonpro.ru/rkn")
    isp = policy("leg-passive", (match(http_host=X), redirect))
    return Dialogue(
        (Box(box, hop=2), Box(isp, hop=4)),
        (
            tcp(80),
            *OPENED,
            L(get(), "GET with TTL 2", ttl=2).passes,
            L(get(), "GET with TTL 3", ttl=3, at=0).results_in("RST alone", _reset_only),
            tcp(80, "a new flow"),
            *OPENED,
            L(get(), "GET with TTL 5", ttl=5, at=0).results_in("RST and 302", _reset_and_page),
        ),
        routers=ABROAD,
    )


def _reset_only(it: Observation) -> bool:
    return not it.at_receiver and [heard.is_reset for heard in it.at_sender] == [True]


def _reset_and_page(it: Observation) -> bool:
    return (
        not it.at_receiver
        and [heard.is_reset for heard in it.at_sender] == [True, False]
        and it.at_sender[1].payload.startswith(b"HTTP/1.1 302 ")
        and b"http://m.megafonpro.ru/rkn" in it.at_sender[1].payload
    )


@case(
    "C37",
    "t22",
    "IMC22q p.6",
    "H",
    "20,000 attempts under SNI-I at Rostelecom (0.084 %) and OBIT (0.14 %)",
    "the measured shares succeed, within four standard deviations, and at least one does",
    core_only=_MANY,
)
def _case_missed_1(profile: str) -> Iterator[Dialogue]:
    for who, share in (("Rostelecom", 0.00084), ("OBIT", 0.0014)):
        low, high = bounds(share, _TRIALS)
        trial = Trials(hello(), _TRIALS, max(low, 1 / _TRIALS), high)
        yield dialogue(_sni1(profile, miss={"rst-rewrite": share}), trial, label=who)


@case(
    "C38",
    "t22",
    "IMC22q p.6",
    "H",
    "20,000 attempts under SNI-II at ER-Telecom",
    "1.76 % succeed, within four standard deviations",
    core_only=_MANY,
)
def _case_missed_2(profile: str) -> Dialogue:
    trial = Trials(hello(), _TRIALS, *bounds(0.0176, _TRIALS), answers=9)
    return dialogue(_sni2(profile, miss={"grace-drop": 0.0176}), trial)


@case(
    "C127",
    "t22",
    "IMC22q p.6",
    "H",
    "5,000 attempts under SNI-IV and under a QUIC rule, each at ER-Telecom (2.19 %, 0.93 %) and Rostelecom "
    "(0.27 %, 0.02 %); 20,000 SYNs to a blocked address at ER-Telecom (0.045 %)",
    "of one action each rule has its own share, within four standard deviations",
    core_only=_MANY,
)
def _case_missed_by_trigger(profile: str) -> Iterator[Dialogue]:
    for who, tls, quic in (("ER-Telecom", 0.0219, 0.0093), ("Rostelecom", 0.0027, 0.0002)):
        box = policy(
            profile,
            (match(tls_sni=X), action("drop")),
            (match(quic=True), action("drop")),
            miss={"drop tls": tls, "drop quic": quic},
        )
        few = _TRIALS // 4
        yield dialogue(box, Trials(hello(), few, *bounds(tls, few)), label=f"SNI-IV, {who}")
        trial = Trials(quic_form(1200), few, *bounds(quic, few), protocol=UDP)
        yield dialogue(box, trial, label=f"QUIC, {who}")
    box = policy(profile, (match(ip=f"{R_ADDRESS}/32"), action("block-host")), miss={"block-host": 0.00045})
    low, high = bounds(0.00045, _TRIALS)
    trial = Trials(b"", _TRIALS, max(low, 1 / _TRIALS), high, flags="S")
    yield dialogue(box, trial, label="IP, ER-Telecom")


@case(
    "C39",
    "t21 t22 t23 t24",
    "IMC21 §6.7; NTC1823 #19",
    "M",
    "ClientHello of X to many addresses, load shared between paths of which 30 % lack the box",
    "about 30 % of the addresses are never filtered, the others always",
    core_only=_MANY,
)
def _case_load_sharing(profile: str) -> Dialogue:
    servers = tuple(f"104.244.{number // 250}.{number % 250 + 1}" for number in range(1000))
    share = Pairs(hello(), servers, *bounds(0.3, len(servers)))
    return dialogue(sni(profile, action("rst-rewrite"), bypass=0.3), share)


@case(
    "C142",
    "t22",
    "ASBI",
    "M",
    "TCP and UDP to many blocked addresses, load shared between paths of which half lack the box",
    "each protocol to a pair of hosts keeps its path, and the paths of TCP and UDP differ",
    core_only=_MANY,
)
def _case_protocols_shared(profile: str) -> Dialogue:
    servers = tuple(f"104.244.{number // 250}.{number % 250 + 1}" for number in range(400))
    rule = policy(profile, (match(ip="104.244.0.0/16"), action("drop", scope="packet")), bypass=0.5)
    return dialogue(rule, Protocols(servers, *bounds(0.5, len(servers))))
