"""Operators' own boxes, DNS, TLS interception, allow-lists, outages."""

from collections.abc import Iterator
from dataclasses import replace

from testbed.censor.policy import Policy
from testbed.conformance.builders import action, match, policy, sni, with_model
from testbed.conformance.builders import profile as given_profile
from testbed.conformance.case import Dialogue, case
from testbed.conformance.cases.common import dialogue
from testbed.conformance.exchange import Observation
from testbed.conformance.packets import read
from testbed.conformance.payloads import (
    PAGE,
    RECORD,
    SERVER_HELLO,
    N,
    X,
    addresses,
    answer,
    chrome,
    get,
    hello,
    inside_name,
    over_tcp,
    query,
)
from testbed.conformance.quic import initials
from testbed.conformance.series import Pairs, Series, bounds
from testbed.conformance.steps import (
    OPENED,
    OPENED_BY_R,
    DialogueStep,
    L,
    R,
    SendPacket,
    ping,
    seen_from,
    tcp,
    udp,
)
from testbed.conformance.tls import Certificate, answer_of_tls12

_STUB = "http://blackhole.beeline.ru/"
_SINKHOLE = "95.167.13.50"  # Rostelecom's (OONI-FP)
_GOOGLE, _RESOLVER, _HIJACKER = "8.8.8.8", "212.188.4.10", "193.232.230.48"


def _page(profile: str, **more: object) -> Policy:
    return policy(profile, (match(http_host=X, **more), action("page", location=_STUB)))


def _forged(it: Observation) -> bool:
    """L got a redirect to the stub, and the request went on."""
    return it.delivered and not it.others_at_receiver and _redirects(it)


def _redirects(it: Observation) -> bool:
    body = b"".join(heard.payload for heard in it.at_sender)
    return body.startswith(b"HTTP/1.1 302 ") and _STUB.encode() in body


def _by_ip_id(it: Observation) -> bool:
    return _forged(it) and all(heard.ip_id in (0, 1) for heard in it.at_sender)


@case(
    "C101",
    "leg-passive",
    "GDPI; ZAP",
    "H",
    "HTTP GET of X",
    "a forged 302 to the operator's page before the real answer, which also arrives",
)
def _case_redirect(profile: str) -> Dialogue:
    asked = L(get()).results_in("302 to L, request delivered", _forged)
    return dialogue(_page(profile), tcp(80), *OPENED, asked, R(PAGE, "real answer").passes)


@case(
    "C102",
    "leg-passive",
    "GDPI",
    "H",
    "The same, L ignoring packets with IP-ID 0 and 1",
    "the real page loads",
)
def _case_ignored(profile: str) -> Dialogue:
    asked = L(get()).results_in("forged packets with IP-ID 0 or 1 only", _by_ip_id)
    return dialogue(_page(profile), tcp(80), *OPENED, asked, R(PAGE, "real answer").passes)


def _reset_with(error: int) -> SendPacket:
    """L gets one RST/ACK, for the next byte, whose acknowledgement is off by so much."""

    def holds(it: Observation) -> bool:
        sent = read(it.sent)
        if sent is None or not it.delivered or [heard.is_reset for heard in it.at_sender] != [True]:
            return False
        reset = it.at_sender[0]
        return (reset.seq, reset.ack) == (sent.ack, sent.seq + len(sent.payload) + error)

    return L(hello()).results_in(f"RST/ACK to L, its acknowledgement off by {error}", holds)


@case(
    "C145",
    "leg-passive leg-active",
    "ZAP",
    "M",
    "ClientHello of X at a box whose RST/ACK acknowledges what was not sent",
    "the reset's sequence number is right, its acknowledgement number is not",
)
def _case_wrong_acknowledgement(profile: str) -> Iterator[Dialogue]:
    for error in (0, 1_000_000):
        rule = sni(profile, action("rst", ack_error=error))
        yield dialogue(rule, *OPENED, _reset_with(error), label=f"off by {error}")


@case(
    "C104",
    "leg-passive leg-active",
    "GDPI; ZAP",
    "H",
    "`host: X`, `Host: X.`, and a GET in two segments",
    "no forgery",
)
def _case_unusual(profile: str) -> Iterator[Dialogue]:
    cut = len(b"GET ")  # where GoodbyeDPI cuts
    for label, asked in (
        ("host:", (L(get(header="host")).passes,)),
        ("X.", (L(get(X + ".")).passes,)),
        ("two segments", (L(get()[:cut], "GET's method").passes, L(get()[cut:], "the rest").passes)),
    ):
        proof = (tcp(80, "a new flow"), *OPENED, L(get()).results_in("302 to L", _redirects))
        steps = (tcp(80), *OPENED, *asked, R(PAGE, "real answer").passes, *proof)
        yield dialogue(_page(profile), *steps, label=label)


@case(
    "C123",
    "leg-active",
    "GDPI; ZAP",
    "H",
    "A fake GET of a neutral name with a TTL that ends behind the box; on its sequence numbers a GET of X",
    "no forgery; the next request of the connection is forged",
)
def _case_fake_request(profile: str) -> Iterator[Dialogue]:
    short, long = get(), get()[:-2] + b"Cookie: " + b"c" * 300 + b"\r\n\r\n"
    for name, fake in (("a fake of the same length", get(N)), ("a shorter fake", get("n.c"))):
        for real in (short, long):
            steps = (
                L(fake, "fake GET", ttl=3, advance=False).passes,
                L(real, "GET of X").passes,
                L(real, "GET of X once more", at=-len(real)).passes,
                R(PAGE, "real answer").passes,
            )
            later = L(get(), "second GET of X").results_in("302 to L", _redirects)
            label = f"{name}, {len(real)} bytes"
            yield dialogue(_page(profile), tcp(80), *OPENED, *steps, later, label=label)


@case(
    "C129",
    "transit",
    "NTC1823 #63",
    "M",
    "A transit operator's stateless box: GETs of X and others on one connection",
    "each GET of X is answered by a redirect and dropped; everything else passes, in both directions",
)
def _case_stateless_page(profile: str) -> Dialogue:
    asked = L(get()).results_in(
        "302 to L, request not delivered", lambda it: _redirects(it) and not it.delivered
    )
    others = (L(get(N), "GET of n.com").passes, R(PAGE, "its answer").passes)
    return dialogue(_page(profile), tcp(80), asked, *others, asked, *others, L(flags="FA").passes)


@case(
    "C106",
    "leg-active",
    "BC",
    "M",
    'HTTP GET of X at an address that is not in the registry: "ordinary" and "full" DPI',
    "passes; blocked",
)
def _case_registry(profile: str) -> Iterator[Dialogue]:
    asked = (tcp(80), *OPENED, L(get()).passes, R(PAGE, "real answer").passes)
    listed = (tcp(80, "at a listed address", right="104.244.42.9"), *OPENED, _stopped())
    yield dialogue(_page(profile, ip="104.244.42.9/32"), *asked, *listed, label="ordinary")
    yield dialogue(_page(profile), tcp(80), *OPENED, _stopped(), label="full")


def _stopped() -> SendPacket:
    return L(get()).results_in(
        "302 to L, request not delivered", lambda it: _redirects(it) and not it.delivered
    )


def _lies(it: Observation) -> bool:
    if [heard.protocol for heard in it.at_sender] != [17]:
        return False
    reply = it.at_sender[0].payload
    return reply[:2] == it.sent[28:30] and addresses(reply) == (0, [_SINKHOLE])


@case(
    "C107",
    "leg-dns",
    "OONI22; NDSS20",
    "H",
    "A query for X to the operator's resolver",
    "one sinkhole address; another name gets the genuine answer",
)
def _case_sinkhole(profile: str) -> Dialogue:
    rule = policy(profile, (match(dns_qname=X), action("dns", a=(_SINKHOLE,))))
    asked = L(query()).results_in("the sinkhole's address to L", _lies)
    other = (L(query(N), "query for n.com").passes, R(answer(N), "its answer").passes)
    return dialogue(rule, udp(53, right=_RESOLVER), asked, *other)


def _led(it: Observation, destination: str) -> bool:
    """The packet reached another host than its own, unchanged above IP."""
    was = it.sent[20:]
    return (
        not it.at_sender
        and [heard.destination for heard in it.at_receiver] == [destination]
        and it.at_receiver[0].payload == was[8:]
    )


def _named(it: Observation, source: str) -> bool:
    """The reply came in another host's name."""
    return (
        not it.at_sender
        and [heard.source for heard in it.at_receiver] == [source]
        and it.at_receiver[0].payload == it.sent[28:]
    )


def _diverted(asked: bytes, reply: bytes, to: str) -> tuple[DialogueStep, ...]:
    return (
        udp(53, right=_GOOGLE),
        L(asked, f"query to {_GOOGLE}").results_in(f"it reaches {to}", lambda it: _led(it, to)),
        seen_from(to),
        R(reply, f"{to}'s answer").results_in(f"it comes from {_GOOGLE}", lambda it: _named(it, _GOOGLE)),
    )


@case(
    "C108",
    "leg-dns",
    "BC",
    "M",
    "A query for X to 8.8.8.8 where port 53 is redirected; a DoH connection to it",
    "the operator's resolver answers with its address, with the sinkhole; DoH passes",
)
def _case_redirected(profile: str) -> Dialogue:
    router = replace(given_profile(profile), in_path=True)  # a redirection needs an in-path box
    rule = policy(router, (match(ports=(53,)), action("divert", to4=_RESOLVER)))
    lie = answer(address=bytes(map(int, _SINKHOLE.split("."))))
    doh = (tcp(right=_GOOGLE, what="DoH"), *OPENED, L(hello("dns.google")).passes, R(SERVER_HELLO).passes)
    return dialogue(rule, *_diverted(query(), lie, _RESOLVER), *doh)


@case(
    "C109",
    "leg-mitm",
    "OONI22",
    "H",
    "HTTPS to bbc.com at an operator that intercepts",
    "a self-signed certificate, which the client does not trust; another site keeps its own",
)
def _case_intercepted(profile: str) -> Iterator[Dialogue]:
    bbc, box = "151.101.0.81", "213.87.9.9"
    rule = policy(profile, (match(ip=f"{bbc}/32", ports=(443,)), action("divert", to4=box)))
    yield dialogue(rule, tcp(right=bbc), Certificate("bbc.com", stranger=box, expected="self-signed"))
    other = Certificate("n.com", stranger=box, expected="valid")
    yield dialogue(rule, tcp(right="104.244.42.1"), other, label="n.com")


@case(
    "C110",
    "t26",
    "N4P#657",
    "M",
    "A query for youtube.com to 8.8.8.8 over UDP, August 2026; over TCP",
    "another resolver answers: NXDOMAIN; the genuine answer",
)
def _case_hijack(profile: str) -> Dialogue:
    rule = policy(
        profile, (match(ip=f"{_GOOGLE}/32", ports=(53,), transport="udp"), action("divert", to4=_HIJACKER))
    )
    asked, true = query("youtube.com"), answer("youtube.com")
    nothing = asked[:2] + b"\x81\x83" + asked[4:]
    by_tcp = (tcp(53, "over TCP", right=_GOOGLE), *OPENED)
    steps = (*by_tcp, L(over_tcp(asked), "query").passes, R(over_tcp(true), "true answer").passes)
    return dialogue(rule, *_diverted(asked, nothing, _HIJACKER), *steps)


@case(
    "C112",
    "t21",
    "N4P#81",
    "H",
    "ClientHello of dns.google to 8.8.8.8 in September 2021, by DoH and DoT; a query to it over UDP",
    "RST after the ClientHello; another name to the address passes; the query gets no answer",
)
def _case_doh(profile: str) -> Dialogue:
    rule = policy(
        profile,
        (match(tls_sni="dns.google", ports=(443, 853)), action("rst")),
        (match(ip=f"{_GOOGLE}/32", ports=(53,), transport="udp"), action("drop")),
    )
    reset = L(hello("dns.google")).results_in(
        "RST to L", lambda it: it.delivered and [heard.is_reset for heard in it.at_sender] == [True]
    )
    return dialogue(
        rule,
        tcp(right=_GOOGLE, what="DoH"),
        *OPENED,
        reset,
        tcp(853, what="DoT"),
        *OPENED,
        reset,
        tcp(what="another name"),
        *OPENED,
        L(hello(N)).passes,
        R(SERVER_HELLO).passes,
        udp(53),
        L(query(N)).is_dropped,
    )


@case(
    "C113",
    "mob-wl",
    "N4P#516",
    "H",
    "Allow-list (Beeline): TCP and ping to an unlisted address",
    "SYN delivered and answered, ClientHello and ping dropped; listed addresses and names pass",
)
def _case_allow_list(profile: str) -> Dialogue:
    listed = "87.240.132.72"
    rule = policy(
        profile,
        (match(ip=(f"{listed}/32", f"{_GOOGLE}/32")), action("allow")),
        (match(transport="tcp", data=True), action("drop")),
        (match(transport="udp"), action("drop")),
        (match(ports=(0,)), action("drop", scope="packet")),  # what has no ports
    )
    silent = (L(hello(N)).is_dropped, R(RECORD, "data").is_dropped)
    return dialogue(
        rule,
        L(flags="S").passes,
        R(flags="SA").passes,
        L(flags="A").passes,
        *silent,
        ping(),
        L().is_dropped,
        udp(53, right="1.1.1.1"),
        L(query(N), "query to 1.1.1.1").is_dropped,
        udp(53, right=_GOOGLE),
        L(query(N), "query to 8.8.8.8").passes,
        R(answer(N)).passes,
        tcp(right=listed, what="listed address"),
        *OPENED,
        L(hello(X), "ClientHello of any name").passes,
        R(SERVER_HELLO).passes,
    )


@case(
    "C149",
    "leg-passive leg-active",
    "CP-FP; NDSS20",
    "M",
    "R opens to servers at L and asks them for X: by HTTP, by TLS, at an echo server",
    "R gets the redirect or the reset, as a subscriber would; at the echo server, if the rule names its port",
)
def _case_from_outside(profile: str) -> Iterator[Dialogue]:
    passive = profile == "leg-passive"

    def redirected(it: Observation) -> bool:
        return _redirects(it) and it.delivered is passive

    asked = R(get()).results_in("302 to R", redirected)
    for port, rule in ((80, _page(profile)), (7, _page(profile, ports=(7,)))):
        yield dialogue(rule, tcp(port, inward=True), *OPENED_BY_R, asked, label=f"port {port}")
    closed = R(hello()).results_in(
        "RST to R", lambda it: it.delivered and [heard.is_reset for heard in it.at_sender] == [True]
    )
    to_443 = tcp(443, inward=True)
    yield dialogue(sni(profile, action("rst")), to_443, *OPENED_BY_R, closed, label="TLS")
    other = (R(hello(N)).passes, L(SERVER_HELLO).passes)
    yield dialogue(sni(profile, action("rst")), to_443, *OPENED_BY_R, *other, label="TLS, another name")


@case(
    "C150",
    "leg-active t24",
    "ZAP",
    "M",
    "A TLS 1.2 certificate for X after a ClientHello in which no name is read; the same in tiny segments",
    "the connection is reset; passes, as does an encrypted certificate (TLS 1.3)",
)
def _case_certificate(profile: str) -> Iterator[Dialogue]:
    rule = policy(profile, (match(tls_certificate=X), action("rst", to="client")))
    flight = answer_of_tls12(X)
    unseen = {
        "split": _cut(hello(X)),
        "another name": (L(hello(N)).passes,),
        "no name": (L(hello(None)).passes,),
    }
    reset = R(flight, "certificate").results_in(
        "RST to L behind it",
        lambda it: it.delivered and [one.is_reset for one in it.others_at_receiver] == [True],
    )
    for label, first in unseen.items():
        yield dialogue(rule, *OPENED, *first, reset, label=label)
    tiny = [R(flight[at : at + 40], "40 bytes").passes for at in range(0, len(flight), 40)]
    others = {
        "tiny window": tiny,
        "another certificate": [R(answer_of_tls12(N), "certificate").passes],
        "TLS 1.3": [R(SERVER_HELLO + RECORD * 20, "encrypted certificate").passes],
    }
    for label, answers in others.items():
        rest = (R(RECORD, "data").passes, L(RECORD, "data").passes)
        yield dialogue(rule, *OPENED, L(hello(N)).passes, *answers, *rest, label=label)


def _cut(whole: bytes) -> tuple[SendPacket, SendPacket]:
    at = inside_name(whole)
    return L(whole[:at], "first half of the ClientHello").passes, L(whole[at:], "second half").passes


@case(
    "C147",
    "mob-wl t25 t26",
    "N4P#490; N4P#516; that browsers reach listed names is our inference",
    "L",
    "An allow-list, or a freeze with one: a browser's ClientHello, in two segments or two datagrams",
    "of a listed name it passes, and data after it; of another name it does not arrive whole, or freezes",
)
def _case_listed_name_in_two(profile: str) -> Iterator[Dialogue]:
    names = (match(tls_sni="*.n.com", transport="tcp"), action("allow"))
    closed = policy(profile, names, (match(transport="tcp", data=True), action("drop")))
    frozen = policy(profile, names, (match(ip="104.244.42.0/24"), action("freeze", packets=25)))
    for model in ("T", "R"):
        for label, rule in (("closed", closed), ("frozen", frozen)):
            box = replace(rule, profile=with_model(profile, model))
            parts = [L(part, "part of the ClientHello").passes for part in _halves(chrome("a.n.com"))]
            steps: tuple[DialogueStep, ...] = (*OPENED, *parts, R(SERVER_HELLO).passes, Series("LR", 60, 200))
            yield dialogue(box, *steps, label=f"{label}, listed, model {model}")
            first, second = _halves(chrome(X))
            begun = (*OPENED, L(first, "first segment").passes)
            if label == "closed":
                end: tuple[DialogueStep, ...] = (L(second, "second segment").is_dropped, R(RECORD).is_dropped)
            else:
                end = (
                    L(second, "second segment").passes,
                    Series("LR", 60, 200, "some pass, then none", 18, 22),
                )
            yield dialogue(box, *begun, *end, label=f"{label}, not listed, model {model}")
    quic = policy(
        profile, (match(quic_sni=N), action("allow")), (match(transport="udp", data=True), action("drop"))
    )
    one, two = initials(N)
    listed = (L(one, "first Initial").passes, L(two, "second Initial").passes, R(RECORD, "answer").passes)
    yield dialogue(quic, udp(), *listed, label="QUIC, listed")
    one, two = initials(X)
    other = (L(one, "first Initial").passes, L(two, "second Initial").is_dropped)
    yield dialogue(quic, udp(), *other, R(RECORD, "answer").is_dropped, label="QUIC, not listed")
    yield dialogue(quic, udp(), L(RECORD, "a datagram that is no Initial").is_dropped, label="no QUIC")


def _halves(whole: bytes) -> tuple[bytes, bytes]:
    return whole[:1448], whole[1448:]


@case(
    "C116",
    "outage",
    "press",
    "M",
    "Connectivity is lost in steps until 80 % of the hosts are gone",
    "no packet in either direction for a growing share of hosts; no RST, no ICMP, no DNS",
)
def _case_outage(profile: str) -> Iterator[Dialogue]:
    every = match(ip=("95.24.0.0/16", "104.244.42.1/32", f"{_RESOLVER}/32"))
    servers = tuple(f"95.24.{number // 250}.{number % 250 + 1}" for number in range(40))
    for left in (0.6, 0.2):
        gone = policy(profile, (every, action("drop")), bypass=left)
        share = Pairs(hello(N), servers, *bounds(left, len(servers)))
        yield dialogue(gone, share, label=f"{1 - left:.0%} lost")
    gone = policy(profile, (every, action("drop")))
    ends = (R(flags="S").is_dropped, L(flags="S").is_dropped, ping(), L().is_dropped)
    yield dialogue(gone, *ends, udp(53, right=_RESOLVER), L(query(N)).is_dropped, label="a host that is gone")
