"""What rules may look for beyond names: ports, pages and words, types of queries, address queries."""

from collections.abc import Iterator

from testbed.conformance.builders import action, match, policy, sni
from testbed.conformance.case import Dialogue, case
from testbed.conformance.cases.common import data, dialogue
from testbed.conformance.exchange import Observation
from testbed.conformance.payloads import (
    DISCORD_QUERY,
    PAGE,
    SERVER_HELLO,
    STUN_REQUEST,
    N,
    X,
    addresses,
    answer,
    get,
    hello,
    query,
)
from testbed.conformance.steps import OPENED, L, R, tcp, udp

_SINKHOLE = "95.167.13.50"  # Rostelecom's (OONI-FP)


@case(
    "C160",
    "t24",
    "ZAP issue 1314 (the ports of Discord's voice)",
    "M",
    "UDP to ports 50000, 50100 and 50101 under a rule for 50000-50100",
    "dropped, dropped, passes",
)
def _case_port_range(profile: str) -> Iterator[Dialogue]:
    rule = policy(profile, (match(transport="udp", ports=(range(50000, 50101),)), action("drop")))
    for port in (50000, 50100):
        steps = (udp(port), L(b"voice", "datagram").is_dropped, R(b"voice", "datagram").is_dropped)
        yield dialogue(rule, *steps, label=f"port {port}")
    free = (udp(50101), L(b"voice", "datagram").passes, R(b"voice", "datagram").passes)
    yield dialogue(rule, *free, label="port 50101")


@case(
    "C161",
    "t25 t26",
    "N4P#490 (any port)",
    "L",
    "ClientHello of X to ports 443, 2083 and 80 under a rule for any port; and under one without ports",
    "resets on all of them; on 443 only",
)
def _case_any_port(profile: str) -> Iterator[Dialogue]:
    everywhere = policy(profile, (match(tls_sni=X, ports=(range(1, 65536),)), action("rst-rewrite")))
    usual = sni(profile, action("rst-rewrite"))
    for port in (443, 2083, 80):
        opened = (tcp(port), *OPENED, L(hello()).passes)
        yield dialogue(everywhere, *opened, R(SERVER_HELLO).becomes_reset, label=f"any port, {port}")
        answered = R(SERVER_HELLO).becomes_reset if port == 443 else R(SERVER_HELLO).passes
        yield dialogue(usual, *opened, answered, label=f"no ports, {port}")


@case(
    "C162",
    "t22",
    "CP22 figures label 443; that a rule keeps to its own ports is our choice",
    "L",
    "A rule for X on the profile's ports beside one for another name on port 8443; ClientHello of X to 8443",
    "passes",
)
def _case_ports_of_its_own(profile: str) -> Dialogue:
    more = match(tls_sni="other.com", ports=(8443,))
    rule = policy(profile, (match(tls_sni=X), action("drop")), (more, action("drop")))
    passes = (tcp(8443), *OPENED, L(hello()).passes, R(SERVER_HELLO).passes)
    return dialogue(rule, *passes, tcp(443, "a new flow"), *OPENED, L(hello()).is_dropped)


@case(
    "C163",
    "leg-active",
    "ASBI (HTTP by URL)",
    "M",
    "GET of a listed page of X, of another page of X, of the same path of another host",
    "dropped; pass",
)
def _case_page(profile: str) -> Iterator[Dialogue]:
    rule = policy(profile, (match(http_url=f"{X}/bad"), action("drop")))
    yield dialogue(rule, tcp(80), *OPENED, L(get(target="/bad")).is_dropped, R(PAGE, "answer").is_dropped)
    for label, request in (("another page", get()), ("another host", get(N, target="/bad"))):
        steps = (tcp(80), *OPENED, L(request).passes, R(PAGE, "answer").passes)
        yield dialogue(rule, *steps, label=label)


@case(
    "C164",
    "leg-active",
    "our choice",
    "L",
    "GET with a listed word in its path, and without",
    "dropped; passes",
)
def _case_word(profile: str) -> Iterator[Dialogue]:
    rule = policy(profile, (match(http_keyword=("casino",)), action("drop")))
    yield dialogue(rule, tcp(80), *OPENED, L(get(N, target="/Casino/1")).is_dropped)
    yield dialogue(rule, tcp(80), *OPENED, L(get(N)).passes, R(PAGE, "answer").passes, label="without")


def _lies(it: Observation) -> bool:
    return not it.at_receiver and addresses(it.at_sender[-1].payload) == (0, [_SINKHOLE])


@case(
    "C165",
    "t22",
    "OONI-FP (sinkholes are A records only)",
    "M",
    "Queries for X of types A, AAAA and HTTPS under a rule for A only",
    "the sinkhole's address; the others pass",
)
def _case_one_type(profile: str) -> Iterator[Dialogue]:
    rule = policy(profile, (match(dns_qname=X, dns_qtype=("A",)), action("dns", a=(_SINKHOLE,))))
    lie = L(query()).results_in("the sinkhole's address to L", _lies)
    for kind, name in ((28, "AAAA"), (65, "HTTPS")):
        steps = (udp(53), L(query(kind=kind), f"{name} query").passes, R(answer(), "answer").passes, lie)
        yield dialogue(rule, *steps, label=name)


@case(
    "C166",
    "t24 t25 t26",
    "ZAP issue 1314; RFC 8489 §5",
    "M",
    "A STUN request, and a Discord client's query for its own address, to any port; other datagrams",
    "dropped; pass",
)
def _case_address_queries(profile: str) -> Iterator[Dialogue]:
    rule = policy(profile, (match(protocol=("stun", "discord")), action("drop")))
    for label, payload, port in (("STUN", STUN_REQUEST, 19302), ("Discord", DISCORD_QUERY, 50004)):
        steps = (udp(port), L(payload, f"{label} query").is_dropped, R(payload, "datagram").is_dropped)
        yield dialogue(rule, *steps, label=label)
        other = (udp(port), L(payload[:-1], "one byte less").passes, data("R").passes)
        yield dialogue(rule, *other, label=f"not quite {label}")
