"""What rules may look for beyond names, and what they may learn: ports, pages, sizes, openers, lists."""

from collections.abc import Iterator

from testbed.censor.match.beginning import EarlySizes, SizeRange
from testbed.conformance.backend import R_ADDRESS
from testbed.conformance.builders import action, match, policy, sni
from testbed.conformance.case import Dialogue, case
from testbed.conformance.cases.common import data, dialogue
from testbed.conformance.exchange import Observation
from testbed.conformance.payloads import (
    DISCORD_QUERY,
    PAGE,
    SERVER_HELLO,
    STUN_REQUEST,
    WIREGUARD_INITIATION,
    WIREGUARD_RESPONSE,
    N,
    X,
    addresses,
    answer,
    get,
    hello,
    query,
    random_bytes,
    short_header,
)
from testbed.conformance.rates import Later
from testbed.conformance.series import Series
from testbed.conformance.steps import OPENED, OPENED_BY_R, DialogueStep, L, R, SendPacket, tcp, udp, wait

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
    "ZAP issue 1314",
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


def _syn(options: int) -> SendPacket:
    """L's SYN with this many bytes of options (no operations)."""
    return L(flags="S", options=b"\1" * options)


@case(
    "C167",
    "t22 leg-active",
    "GDPI wiki (Rostelecom: less than 62 bytes of frame pass); which side 62 is on is our choice",
    "M",
    "SYN to a listed address: without options (54 bytes of frame), with 8 bytes (62), with 12 (66)",
    "passes, and the connection works; passes; dropped",
)
def _case_small_syn(profile: str) -> Iterator[Dialogue]:
    rule = policy(profile, (match(ip=R_ADDRESS, opening=True, size=SizeRange(min=49)), action("drop")))
    after = (R(flags="SA").passes, L(flags="A").passes, L(hello()).passes, R(SERVER_HELLO).passes)
    yield dialogue(rule, _syn(0).passes, *after, label="no options")
    yield dialogue(rule, _syn(8).passes, label="8 bytes")
    yield dialogue(rule, _syn(12).is_dropped, label="12 bytes")


_HOSTING = "45.76.0.0/16"  # Vultr's


@case(
    "C168",
    "t24 t25",
    "N4P#363 (Beeline: the first packet's size, to one hosting network); the size is our choice",
    "M",
    "First packet of 500, of 400 bytes to a listed hosting network; of 500 elsewhere",
    "dropped; pass",
)
def _case_first_packet(profile: str) -> Iterator[Dialogue]:
    rule = policy(profile, (match(ip=_HOSTING, early_packets=EarlySizes(min=411)), action("drop")))
    inside = (tcp(8388, right="45.76.1.1"), *OPENED)
    yield dialogue(rule, *inside, L(random_bytes(500), "500 bytes").is_dropped, label="500 bytes")
    small = (L(random_bytes(400), "400 bytes").passes, L(random_bytes(500), "500 bytes").passes)
    yield dialogue(rule, *inside, *small, label="400 bytes first")
    yield dialogue(rule, tcp(8388), *OPENED, L(random_bytes(500), "500 bytes").passes, label="elsewhere")


@case(
    "C169",
    "t24 t25",
    "N4P#363 (three packets of the client of 411 bytes or more); among how many is our choice",
    "M",
    "A random-looking session: L's packets of 500, 500, 100 and 500 bytes, answered; 410 instead of 500",
    "the third large one and all after it are dropped; passes",
)
def _case_early_packets(profile: str) -> Iterator[Dialogue]:
    wanted = match(protocol=("encrypted",), early_packets=EarlySizes(count=3, among=5, min=411))
    rule = policy(profile, (wanted, action("drop")))
    for size in (500, 410):
        steps: list[DialogueStep] = [tcp(8388), *OPENED]
        for each in (size, size, 100):
            steps += [L(random_bytes(each), f"{each} bytes").passes, R(random_bytes(1000), "answer").passes]
        last = L(random_bytes(size), f"{size} bytes")
        after = data("R")
        steps += [last.is_dropped, after.is_dropped] if size > 410 else [last.passes, after.passes]
        yield dialogue(rule, *steps, label=f"{size} bytes")


@case(
    "C170",
    "t22",
    "NTC1823 #17, #40, #51-55",
    "M",
    "A short-header datagram of 600, of 601 bytes first; then 20 datagrams of R",
    "about 15 pass, then none; all pass",
)
def _case_first_datagram(profile: str) -> Iterator[Dialogue]:
    wanted = match(transport="udp", ports=(443,), early_packets=EarlySizes(max=600))
    rule = policy(profile, (wanted, action("freeze", packets=15, count="down", udp_lock=None)))
    for size, outcome in ((600, "some pass, then none"), (601, "all pass")):
        series = Series("R", 20, 1200, outcome, 15, 15)  # type: ignore[arg-type]
        yield dialogue(
            rule, udp(), L(short_header(size), f"{size} bytes").passes, series, label=f"{size} bytes"
        )


@case(
    "C171",
    "t22 leg-active",
    "IMC21 §6.5 (TSPU leaves such flows alone); our choice for rules that name the outside",
    "L",
    "R connects to L's ports 25 and 26, and L to R's port 25, under a rule for what the outside opens to 25",
    "the SYN is dropped; pass",
)
def _case_inside_server(profile: str) -> Iterator[Dialogue]:
    rule = policy(profile, (match(opened_by="outside", ports=(25,)), action("drop")))
    yield dialogue(rule, tcp(25, inward=True), R(flags="S").is_dropped, label="to L's 25")
    yield dialogue(rule, tcp(26, inward=True), *OPENED_BY_R, data("R").passes, label="to L's 26")
    yield dialogue(rule, tcp(25), *OPENED, data().passes, label="to R's 25")


@case(
    "C172",
    "t22 leg-active",
    "IMC21 §6.5 (TSPU leaves such flows alone); our choice for rules that name the outside",
    "L",
    "R connects to L's port 80 and asks for X, for N, under a rule for Host X of what the outside opens",
    "the request is dropped; passes",
)
def _case_inside_site(profile: str) -> Iterator[Dialogue]:
    rule = policy(profile, (match(opened_by="outside", http_host=X), action("drop")))
    opened = (tcp(80, inward=True), *OPENED_BY_R)
    yield dialogue(rule, *opened, R(get()).is_dropped, L(PAGE, "answer").is_dropped, label=X)
    yield dialogue(rule, *opened, R(get(N)).passes, L(PAGE, "answer").passes, label=N)


@case(
    "C173",
    "t23 t24",
    "ASBI (recognise, log, IP:port list, block: 5 to 15 minutes; live sessions until the list comes)",
    "M",
    "A WireGuard handshake; new flows to that server and port 4 and 16 minutes later, to another port",
    "passes; dropped; passes",
)
def _case_two_stages(profile: str) -> Dialogue:
    rule = policy(
        profile,
        (match(learned="vpn"), action("drop")),
        (match(protocol=("wireguard",)), action("learn", into="vpn", lasts=3600.0)),
    )
    return dialogue(
        rule,
        udp(51820),
        L(WIREGUARD_INITIATION, "initiation").passes,
        R(WIREGUARD_RESPONSE, "response").passes,
        wait(240),
        udp(51820, "a new flow"),
        data().passes,
        wait(720),
        udp(51820, "a new flow"),
        data().is_dropped,
        data("R").is_dropped,
        udp(51821, "another port"),
        data().passes,
        scale=500,
    )


@case(
    "C174",
    "t22",
    "N4P#111 (Outline: all ports dead after 5 to 15 minutes, back after about 15)",
    "L",
    "A random-looking connection; another port of that server 6 and 30 minutes later",
    "dropped; passes",
)
def _case_forgotten(profile: str) -> Dialogue:
    learn = action("learn", into="hosts", entry="address", after=(300.0, 300.0), lasts=900.0)
    rule = policy(profile, (match(learned="hosts"), action("drop")), (match(protocol=("encrypted",)), learn))
    return dialogue(
        rule,
        tcp(8388),
        *OPENED,
        L(random_bytes(300), "random bytes").passes,
        wait(360),
        tcp(443, "another port"),
        L(flags="S").is_dropped,
        wait(1440),
        tcp(443, "a new flow"),
        *OPENED,
        data().passes,
        scale=500,
    )


@case(
    "C175",
    "t22",
    "our choice",
    "L",
    "ClientHello of X, and the answer, under a rule that delays by 600 ms; a flow of another name",
    "both arrive untouched after 600 ms; not delayed",
)
def _case_delayed(profile: str) -> Dialogue:
    rule = sni(profile, action("delay", by=0.6))
    late = (Later("L", hello(), 0.6), Later("R", SERVER_HELLO, 0.6))
    other = (tcp(what="a new flow"), *OPENED, L(hello(N)).passes, R(SERVER_HELLO).passes)
    return dialogue(rule, *OPENED, *late, *other)
