"""QUIC, VPN handshakes, other UDP."""

from collections.abc import Iterator

from testbed.censor.match.quic import QuicForm
from testbed.censor.policy import Policy
from testbed.conformance.backend import R_ADDRESS
from testbed.conformance.builders import action, match, policy, sni
from testbed.conformance.case import Dialogue, case
from testbed.conformance.cases.common import data, dialogue
from testbed.conformance.payloads import (
    WIREGUARD_INITIATION,
    WIREGUARD_RESPONSE,
    N,
    X,
    dtls,
    dtls13_hello,
    dtls13_record,
    esp,
    flipped,
    hello,
    ike,
    l2tp_control,
    l2tp_data,
    openvpn_control,
    openvpn_data,
    openvpn_reset,
    quic_form,
    random_bytes,
    short_header,
    tunnel_query,
    wireguard_data,
)
from testbed.conformance.quic import initial, initials
from testbed.conformance.series import Series
from testbed.conformance.steps import OPENED, DialogueStep, L, R, udp, wait

_V1_DEAD = (
    L(quic_form(1001), "1,001 bytes of version 1").is_dropped,
    L(short_header(), "next datagram").is_dropped,
    R(short_header(), "datagram").is_dropped,
)
_ABROAD, _RUSSIAN = "45.76.0.0/16", "87.240.128.0/18"


def _blanket(profile: str) -> Policy:
    drop = action("drop")
    allowed = (match(ip=_RUSSIAN), action("allow"))
    return policy(profile, allowed, (match(quic=True), drop))


def _quic_sni(profile: str) -> Policy:
    return policy(profile, (match(quic_sni=X), action("drop")))


@case(
    "C62",
    "t22",
    "NTC1823 #10",
    "H",
    "UDP to port 443: 1,001 bytes, bytes 1 to 4 are 00000001",
    "dropped, as is everything after it in both directions",
)
def _case_blanket(profile: str) -> Dialogue:
    return dialogue(_blanket(profile), udp(), *_V1_DEAD)


@case("C63", "t22", "NTC1823 #10", "H", "The same with 1,000 bytes", "passes")
def _case_shorter(profile: str) -> Dialogue:
    return dialogue(_blanket(profile), udp(), L(quic_form(1000), "1,000 bytes").passes, *_proof())


@case("C64", "t22", "NTC1823 #10", "H", "The same to port 8443", "passes")
def _case_other_port(profile: str) -> Dialogue:
    return dialogue(_blanket(profile), udp(8443), L(quic_form(1001), "1,001 bytes").passes, *_proof())


@case("C67", "t22", "NTC1823 #12", "M", "An Initial of draft 29 before 19 March 2022", "passes")
def _case_draft(profile: str) -> Dialogue:
    first = L(quic_form(1200, 0xFF00001D), "Initial of version FF00001D").passes
    return dialogue(_blanket(profile), udp(), first, R(short_header(), "answer").passes, *_proof())


@case("C68", "t22", "NTC1823 #11", "H", "R sends an Initial to L's port 443", "passes")
def _case_inbound(profile: str) -> Dialogue:
    steps = (udp(inward=True), R(quic_form(1200)).passes, L(quic_form(1200), "answer").passes)
    return dialogue(_blanket(profile), *steps, *_proof())


@case("C69", "t22", "NTC1823 #3", "H", "An Initial to an exempt address (vk.com)", "passes")
def _case_white_list(profile: str) -> Dialogue:
    there = udp(right="87.240.132.72")
    steps = (there, L(quic_form(1200)).passes, R(short_header(), "answer").passes)
    return dialogue(_blanket(profile), *steps, *_proof())


def _proof() -> tuple[DialogueStep, ...]:
    return (udp(right=R_ADDRESS, what="a new flow", inward=False), *_V1_DEAD)


def _transit(profile: str) -> Policy:
    form = QuicForm(min_payload=1200, long_header=True, drafts=True)
    return policy(profile, (match(quic=form), action("drop")))


@case(
    "C128",
    "transit",
    "NTC1823 #63-68",
    "M",
    "A transit operator's stateless box: datagrams of UDP port 443 in any order, from either side",
    "long headers of version 1 and drafts of 1,200 bytes or more are dropped, whatever came before, and "
    "nothing else",
)
def _case_stateless(profile: str) -> Iterator[Dialogue]:
    large, draft = quic_form(1200), quic_form(1200, 0xFF00001D)
    steps = (
        udp(),
        L(short_header(), "short header").passes,
        R(short_header(), "short header").passes,
        L(large).is_dropped,
        L(short_header(), "short header").passes,
        L(quic_form(1199), "1,199 bytes").passes,
        L(flipped(large, 0), "short header of version 1").passes,
        L(draft, "draft 29").is_dropped,
        L(quic_form(1200, 0x51303530), "version Q050").passes,
        R(large).is_dropped,
        R(short_header(), "short header").passes,
        L(large, "the same once more").is_dropped,
        udp(8443, "port 8443"),
        L(large).passes,
    )
    yield dialogue(_transit(profile), *steps, label="out")
    inward = (udp(inward=True), R(large).is_dropped, R(short_header()).passes, L(large).is_dropped)
    yield dialogue(_transit(profile), *inward, label="in")


@case(
    "C70",
    "t23 t24 t25 t26",
    "NTC1823 #74",
    "H",
    "A valid v1 Initial with SNI X, laid out as by ngtcp2 and as by Chromium",
    "dropped, as is everything after it",
)
def _case_quic_name(profile: str) -> Iterator[Dialogue]:
    for layout in ("ngtcp2", "chromium"):
        steps = (udp(), L(initial(X, layout=layout)).is_dropped, *_V1_DEAD[1:])
        yield dialogue(_quic_sni(profile), *steps, label=layout)


@case(
    "C121",
    "t24 t25 t26",
    "FOCI26q; that an answer between the datagrams changes nothing is our choice",
    "M",
    "A ClientHello of X over two datagrams, with an answer of R between them",
    "the second and everything after it are dropped, as without the answer",
)
def _case_answer_between(profile: str) -> Iterator[Dialogue]:
    first, second = initials()
    hit = (L(second, "second Initial").is_dropped, L(short_header(), "datagram").is_dropped)
    yield dialogue(_quic_sni(profile), udp(), L(first, "first Initial").passes, *hit, label="at once")
    between = (L(first, "first Initial").passes, R(quic_form(1200), "Initial").passes)
    yield dialogue(_quic_sni(profile), udp(), *between, *hit, label="answered")


@case("C71", "t23 t24 t25 t26", "NTC1823 #74; FOCI26q", "H", "The same with SNI N", "passes")
def _case_quic_neutral(profile: str) -> Iterator[Dialogue]:
    for layout in ("ngtcp2", "chromium"):
        steps = (udp(), L(initial(N, layout=layout)).passes, R(short_header(), "answer").passes)
        proof = (udp(what="a new flow"), L(initial(X, layout=layout)).is_dropped)
        yield dialogue(_quic_sni(profile), *steps, *proof, label=layout)


@case(
    "C73",
    "t26",
    "FOCI26q",
    "H",
    "An Initial with SNI X, short-header packets for 400 s, then 430 s idle",
    "dropped all the time; then it passes again",
)
def _case_quic_residual(profile: str) -> Dialogue:
    kept = Series("LR", 4, 60, "nothing passes", prefix=b"\x43", every=100)
    steps = (udp(), L(initial()).is_dropped, kept, wait(410), L(short_header(), "datagram").is_dropped)
    alive = (wait(430), L(short_header(), "datagram").passes, R(short_header(), "datagram").passes)
    return dialogue(_quic_sni(profile), *steps, *alive, scale=400)


@case(
    "C140",
    "t22 t23 t24 t25 t26",
    "IMC22q p.7; FOCI26q",
    "H",
    "A plain `drop` on a rule about QUIC and on one by TLS name: a packet after 300 s, and after 300 s more",
    "QUIC is dropped for 420 s, restarted by each packet; TLS for 40 s",
)
def _case_quic_holds_longer(profile: str) -> Iterator[Dialogue]:
    by_form = policy(profile, (match(quic=True), action("drop")))
    for label, rule, first in (("form", by_form, quic_form(1200)), ("name", _quic_sni(profile), initial())):
        later = (wait(300), L(short_header(), "datagram").is_dropped)
        free = (wait(430), L(short_header(), "datagram").passes)
        yield dialogue(rule, udp(), L(first).is_dropped, *later, *later, *free, label=label, scale=400)
    tls = (*OPENED, L(hello()).is_dropped, wait(35), data().is_dropped, wait(8), data().passes)
    yield dialogue(sni(profile, action("drop")), *tls, label="TLS", scale=20)


@case(
    "C141",
    "t22",
    "NTC1823 #32, #38, #42, #69",
    "M",
    "May 2022: Initials padded outside the packet, without a name, and with a wrong tag; June 2022",
    "dropped in May; from June on they pass",
)
def _case_quic_unreadable(profile: str) -> Iterator[Dialogue]:
    padded = initial(N, padding=40)
    broken = flipped(initial(N), 1199)
    may = policy(profile, (match(quic_unreadable=True), action("drop")), (match(quic_sni=X), action("drop")))
    shapes = (("padded outside", padded), ("no name", initial(None)), ("wrong tag", broken))
    for label, first in shapes:
        dead = (L(first).is_dropped, R(short_header(), "datagram").is_dropped)
        good = (udp(what="a readable one"), L(initial(N)).passes, R(short_header(), "datagram").passes)
        yield dialogue(may, udp(), *dead, *good, label=label)
    for label, first in shapes:
        steps = (udp(), L(first).passes, udp(what="a new flow"), L(initial(X)).is_dropped)
        yield dialogue(_quic_sni(profile), *steps, label=f"June, {label}")


def _vpn(profile: str, protocol: str) -> Policy:
    return policy(
        profile,
        (match(ip=_RUSSIAN), action("allow")),
        (match(protocol=(protocol,)), action("data-drop", protocol=protocol)),
    )


def _wireguard() -> tuple[DialogueStep, ...]:
    return (
        udp(51820),
        L(WIREGUARD_INITIATION, "initiation").passes,
        R(WIREGUARD_RESPONSE, "response").passes,
    )


def _openvpn() -> tuple[DialogueStep, ...]:
    control = [
        step
        for number in range(1, 5)
        for step in (
            L(openvpn_control(number, bytes(300)), "control packet").passes_unreported,
            R(openvpn_control(number, bytes(900)), "control packet").passes_unreported,
        )
    ]
    return (
        udp(1194),
        L(openvpn_reset(7), "hard reset").passes,
        R(openvpn_reset(8), "hard reset").passes,
        *control,
    )


@case(
    "C75",
    "t23",
    "N4P#274",
    "M",
    "WireGuard: initiation and response, then data",
    "the handshake and 2 data packets pass, then none",
)
def _case_wireguard(profile: str) -> Dialogue:
    rest = Series("LR", 10, 128, "some pass, then none", 2, 2, prefix=wireguard_data(0))
    return dialogue(_vpn(profile, "wireguard"), *_wireguard(), rest)


@case(
    "C76",
    "t23",
    "N4P#274",
    "M",
    "OpenVPN: handshake, then data",
    "the handshake and 15 data packets pass, then none",
)
def _case_openvpn(profile: str) -> Dialogue:
    rest = Series("LR", 25, 128, "some pass, then none", 15, 15, prefix=openvpn_data(1))
    return dialogue(_vpn(profile, "openvpn"), *_openvpn(), rest)


@case("C77", "t23", "N4P#274", "M", "The same flows to a Russian server", "pass")
def _case_vpn_at_home(profile: str) -> Iterator[Dialogue]:
    for name, opening, lead in (
        ("wireguard", _wireguard(), wireguard_data(0)),
        ("openvpn", _openvpn(), openvpn_data(1)),
    ):
        there = udp(right="87.240.132.72")
        rest = Series("LR", 30, 128, "all pass", prefix=lead)
        yield dialogue(_vpn(profile, name), there, *opening, rest, label=name)


@case(
    "C144",
    "t23",
    "N4P#274; the forms are those of RFC 7296, 3948, 2661 and 9147, the number of packets is our choice",
    "L",
    "IKEv2 on port 500, then behind NAT on 4500; L2TP; DTLS 1.3: handshakes, then data",
    "the handshakes pass, no data; data of a flow that did not begin so pass",
)
def _case_other_vpns(profile: str) -> Iterator[Dialogue]:
    init = (L(ike(34, flags=0x08, number=0), "IKE_SA_INIT").passes, R(ike(34, flags=0x20, number=0)).passes)
    auth = tuple(
        who(ike(35, flags=flags, number=1, marker=True), "IKE_AUTH").passes
        for who, flags in ((L, 0x08), (R, 0x20))
    )
    begun: tuple[DialogueStep, ...] = (udp(500), *init, udp(4500, "on port 4500"), *auth)
    asked = (L(l2tp_control(1), "SCCRQ").passes, R(l2tp_control(2, 7), "SCCRP").passes)
    tunnel = (udp(1701), *asked, L(l2tp_control(3, 7), "SCCCN").passes)
    sealed = (R(dtls13_record(2), "encrypted handshake").passes, L(dtls13_record(2, 1), "Finished").passes)
    peer = (
        udp(3478),
        L(dtls13_hello(), "ClientHello").passes,
        R(dtls(2, bytes(70), 0), "ServerHello").passes,
    )
    vpns: tuple[tuple[str, tuple[DialogueStep, ...], bytes], ...] = (
        ("ikev2", begun, esp(1)),
        ("l2tp", tunnel, l2tp_data()),
        ("dtls", (*peer, *sealed), dtls13_record(3, 2)),
    )
    for protocol, opening, lead in vpns:
        dead = Series("LR", 6, 120, "nothing passes", prefix=lead)
        yield dialogue(_vpn(profile, protocol), *opening, dead, label=protocol)
        free = Series("LR", 6, 120, prefix=lead)
        yield dialogue(_vpn(profile, protocol), udp(4500), free, label=f"{protocol}, data alone")


@case(
    "C78",
    "t26",
    "NTC1823 #76-77",
    "L",
    "Random UDP payload to a listed hosting network, and after an Initial of an allowed name",
    "dropped; passes",
)
def _case_default_deny(profile: str) -> Dialogue:
    listed = policy(
        profile,
        (match(quic_sni=N), action("allow")),
        (match(ip=_ABROAD, transport="udp", data=True), action("drop")),
    )
    noise = random_bytes(300)
    return dialogue(
        listed,
        udp(right="45.76.1.1"),
        L(noise, "random datagram").is_dropped,
        R(noise, "random datagram").is_dropped,
        udp(what="a new flow"),
        L(initial(N)).passes,
        L(noise, "random datagram").passes,
        R(noise, "random datagram").passes,
        udp(right=R_ADDRESS, what="to another network"),
        L(noise, "random datagram").passes,
    )


@case(
    "C190",
    "t24",
    "WU23; our choice",
    "L",
    "A rule on encrypted traffic: a QUIC Initial, WireGuard's initiation, a DNS tunnel's query, random bytes",
    "pass; pass; pass; dropped",
)
def _case_encrypted_is_nothing_else(profile: str) -> Dialogue:
    return dialogue(
        policy(profile, (match(protocol=("encrypted",)), action("drop"))),
        udp(443),
        L(initial(N)).passes,
        udp(51820, what="WireGuard"),
        L(WIREGUARD_INITIATION, "initiation").passes,
        udp(53, what="DNS"),
        L(tunnel_query(), "query").passes,
        udp(443, what="noise"),
        L(random_bytes(300), "random datagram").is_dropped,
    )
