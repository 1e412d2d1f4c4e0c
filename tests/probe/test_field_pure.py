"""What the field instrument makes of packets and of its findings, without a network."""

import itertools
from dataclasses import replace

import pytest

from testbed.errors import InputError
from testbed.probe.field import INSTRUMENTS, chosen_instruments
from testbed.probe.fieldsite import QUICK, FieldFinding, FieldPlan, plan_of, site_of
from testbed.probe.fieldverdict import verdict_of
from testbed.probe.headers import alike, suspects
from testbed.probe.lingering import Look, ResidualFinding, lock_time, look_times, residual_from
from testbed.probe.wiretap import ACK, ICMP, PSH, RST, SYN, SeenPacket, TcpFlow, read_packet
from testbed.vantage.inworld import in_world, require_world

SYNACK = SeenPacket(
    0.0, False, "198.51.100.2", "192.0.2.1", 6, ttl=51, ip_id=0, size=60, sport=443, dport=40000,
    flags=SYN | ACK, window=65160, options=b"\2\4\5\xb4",
)  # fmt: skip
DATA = replace(SYNACK, flags=ACK | PSH, options=b"", payload=b"hello", ip_id=77)


def test_a_packet_is_read_field_by_field() -> None:
    raw = (
        bytes.fromhex("4500002c000140003d06000cc6336402c0000201")
        + bytes.fromhex("01bb9c40000000070000000950140000abcd0000")
        + b"page"
    )
    seen = read_packet(raw, 1.0, outgoing=False)
    assert seen == SeenPacket(
        1.0, False, "198.51.100.2", "192.0.2.1", 6, ttl=61, ip_id=1, size=44, sport=443, dport=40000,
        seq=7, ack=9, flags=RST | ACK, window=0, payload=b"page",
    )  # fmt: skip
    assert seen is not None
    assert seen.flag_names == "RST+ACK"


def test_a_routers_answer_quotes_the_packet_that_died() -> None:
    quoted = bytes.fromhex("4500003c0000400001060000c0000201c6336402") + bytes.fromhex("9c4001bb00000005")
    error = (
        bytes.fromhex("450000380000000040010000c0000263c0000201") + bytes([11, 0, 0, 0]) + bytes(4) + quoted
    )
    seen = read_packet(error, 0.0, outgoing=False)
    assert seen is not None
    assert (seen.protocol, seen.time_exceeded) == (ICMP, True)
    assert seen.quoted is not None
    assert (seen.quoted.source, seen.quoted.sport, seen.quoted.seq) == ("192.0.2.1", 40000, 5)
    flow = TcpFlow(("192.0.2.1", 40000), ("198.51.100.2", 443), 5, 1, SYNACK)
    assert flow.about(seen)
    assert not flow.owns(seen)


@pytest.mark.parametrize("raw", [b"", b"\x45", bytes(20), bytes.fromhex("45") + bytes(19)])
def test_what_is_no_whole_packet_is_none_or_bare(raw: bytes) -> None:
    seen = read_packet(raw, 0.0, outgoing=False)
    assert seen is None or seen.payload == b""


@pytest.mark.parametrize(
    ("packet", "odd"),
    [
        (DATA, None),
        (replace(DATA, ttl=53), None),  # routes change
        (replace(DATA, ttl=61), ("hop limit 61, the server's 51",)),
        (replace(DATA, flags=RST | ACK, payload=b""), ("RST+ACK on a connection that worked",)),
        (replace(DATA, outgoing=True, flags=RST, ttl=64), None),
    ],
    ids=["the server's", "near", "another machine's", "a reset", "our own"],
)
def test_which_packets_are_suspect(packet: SeenPacket, odd: tuple[str, ...] | None) -> None:
    found = suspects([SYNACK, packet])
    assert [one.odd for one in found] == ([] if odd is None else [odd])


def test_suspects_that_are_alike_are_one_with_a_number() -> None:
    reset = replace(DATA, flags=RST | ACK, payload=b"")
    found = alike(suspects([SYNACK, reset, replace(reset, ip_id=78, window=3), replace(reset, ttl=61)]))
    assert [(one.packet.ttl, times) for one, times in found] == [(51, 2), (61, 1)]


def test_looks_are_spread_over_the_time_that_is_given() -> None:
    times = look_times(100.0)
    assert (times[0], round(times[-1], 6), len(times)) == (0.5, 100.0, 24)
    factors = {round(after / before, 6) for before, after in itertools.pairwise(times)}
    assert len(factors) == 1


def test_an_interval_without_an_end_has_no_middle() -> None:
    assert ResidualFinding(10.0, None).middle is None
    assert ResidualFinding(10.0, 14.0).middle == 12.0
    assert ResidualFinding(0.0, 1.5).middle == 0.0


@pytest.mark.parametrize(
    ("looks", "interval"),
    [
        ([(1.0, True), (2.0, True), (3.5, False), (5.0, False)], (2.0, 3.5)),
        ([(1.0, True), (2.0, True)], (2.0, None)),
        ([(1.0, False), (2.0, False)], (0.0, 1.0)),
        ([(3.5, False), (2.9, False), (1.0, True), (3.0, True)], (3.0, 3.5)),  # 2.9: it was put off
        ([], (0.0, None)),
    ],
)
def test_the_interval_is_from_the_last_interference_to_the_next_look_without(
    looks: list[tuple[float, bool]], interval: tuple[float, float | None]
) -> None:
    found = residual_from([Look(*one) for one in looks])
    assert (found.shortest, found.longest) == interval


def said(url: str, *found: FieldFinding) -> tuple[str, str | None]:
    made = verdict_of(site_of(url, FieldPlan()), found)
    return made["verdict"], made.get("mechanism")


RESET = FieldFinding("web", "HTTP/1.1 over TLS", "", "connection_reset", odd=True, values={"step": "tls"})
SILENT = FieldFinding("web", "HTTP/3", "", "generic_timeout_error", odd=True, values={"step": "quic"})
FORGED = FieldFinding("dns", "UDP A", "", odd=True)


@pytest.mark.parametrize(
    ("url", "found", "expected"),
    [
        ("site.example", (RESET, SILENT), ("blocked", "tls.sni.rst")),
        ("h3://site.example/", (RESET, SILENT), ("blocked", "quic.drop")),
        ("http://site.example/", (RESET, SILENT), ("inconclusive", None)),
        ("site.example", (replace(RESET, odd=False, failure=None),), ("free", None)),
        ("site.example", (FORGED, RESET), ("blocked", "dns.poison|tls.sni.rst")),
        ("site.example", (RESET, FieldFinding("again", "", "", odd=True)), ("blocked", "tls.sni.rst")),
        ("site.example", (RESET, FieldFinding("again", "", "")), ("inconclusive", None)),
        (
            "site.example",
            (FORGED, RESET, FieldFinding("again", "", "")),
            ("blocked", "dns.poison|tls.sni.rst"),
        ),
        (
            "site.example",
            (FieldFinding("freeze", "", "", odd=True, values={"received": 9}),),
            ("blocked", "freeze"),
        ),
        ("site.example", (FieldFinding("clients", "chrome", "", odd=True),), ("inconclusive", None)),
    ],
)
def test_the_verdict_is_about_the_target_and_not_another_way_to_it(
    url: str, found: tuple[FieldFinding, ...], expected: tuple[str, str | None]
) -> None:
    assert said(url, *found) == expected


def test_numbers_are_those_that_testbed_score_reads() -> None:
    found = (
        FieldFinding("hop", "SYN", "", odd=True, values={"hop": 2}),
        FieldFinding("residual", "4-tuple", "", odd=True, values={"residual": 7.5}),
        FieldFinding("speed", "down", "", odd=True, values={"rate": 140_000}),
        FieldFinding("connections", "", "", odd=True, values={"connections": 12}),
    )
    made = verdict_of(site_of("site.example", FieldPlan()), found)
    assert {name: made[name] for name in ("hop", "residual", "rate", "connections")} == {
        "hop": 2.0, "residual": 7.5, "rate": 140_000.0, "connections": 12.0,
    }  # fmt: skip


def test_instruments_are_chosen_by_name() -> None:
    assert chosen_instruments("") == QUICK
    assert chosen_instruments("residual, hop") == ("hop", "residual")
    assert chosen_instruments("all") == tuple(INSTRUMENTS)
    with pytest.raises(InputError, match="there is no instrument 'hopp'; did you mean 'hop'"):
        chosen_instruments("hopp")


def test_a_shape_without_tls_over_tcp_provokes_nothing() -> None:
    with pytest.raises(InputError, match="quiche does not speak TLS over TCP"):
        plan_of(client="quiche")


def test_outside_a_world_nothing_is_sent() -> None:
    assert not in_world()
    with pytest.raises(InputError, match="measures from a vantage, and this is none; testbed run NAME"):
        require_world()


@pytest.mark.parametrize(
    ("lock", "tried", "words"),
    [
        (0.0, [1], (0.0, 1)),
        (5.0, [1, 2, 4, 8, 6, 5], (4, 5)),
        (60.0, [1, 2, 4, 8, 16, 32, 40], (40, None)),
    ],
)
def test_how_long_no_new_connection_works(
    lock: float, tried: list[float], words: tuple[float, float | None]
) -> None:
    """Each look follows a trigger of its own: what is free again would count the looks as connections."""
    now, until, slept = [0.0], [0.0], list[float]()

    def exceed() -> float:
        until[0] = now[0] + lock
        return now[0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    found = lock_time(exceed, lambda: now[0] < until[0], 40.0, clock=lambda: now[0], sleep=sleep)
    assert slept == tried
    assert (found.shortest, found.longest) == words


@pytest.mark.parametrize(("elsewhere", "said"), [("dns_nxdomain_error", "free"), ("1.2.3.4", "blocked")])
def test_a_name_that_nobody_has_is_not_blocked(elsewhere: str, said: str) -> None:
    gone, page = "dns_nxdomain_error", {"step": "dns"}
    findings = [
        FieldFinding("dns", "UDP A", gone, gone, odd=elsewhere != gone),
        FieldFinding("dns", "DoT A", elsewhere, gone if elsewhere == gone else None),
        FieldFinding("web", "HTTP/1.1", f"dns: {gone}", gone, odd=True, values=page),
    ]
    verdict = verdict_of(site_of("http://itsat.info/", FieldPlan()), findings)
    assert (verdict["verdict"], verdict.get("mechanism")) == (
        said,
        None if said == "free" else "dns.nxdomain",
    )
