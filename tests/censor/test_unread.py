"""Listed names that pass a box which reads segments singly: nothing is done to them, and it is reported."""

from dataclasses import replace

import pytest

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.cited import our_choice
from testbed.censor.decision import Event
from testbed.censor.handover import PASS_ON
from testbed.censor.match import Match
from testbed.censor.parsers.quic import DEFAULT, LAYOUTS_2022, LAYOUTS_2023
from testbed.censor.parsers.quic_packet import V2
from testbed.censor.policy import Policy, Rule
from testbed.censor.profiles import PROFILES
from testbed.conformance.quic import initial, initials
from tests.censor.line import Line, Result, hello, names
from tests.censor.parsers.test_quic import crypto
from tests.censor.parsers.test_quic import initial as around

LISTED, OTHER = hello("blocked.example.com", pad=250), hello("free.example.com", pad=250)


def line(model: str, *rules: Rule) -> Line:
    profile = replace(PROFILES["t22"], models=our_choice(((model, 1.0),)))
    mine = rules or (Rule("rule", Match(tls_sni=names("blocked.example.com")), SilentDrop()),)
    opened = Line(Policy("box", profile, mine), dport=80 if mine == (BY_HOST,) else 443)
    opened.handshake()
    return opened


def sent(to: Line, payload: bytes, *cuts: int) -> list[Result]:
    """The payload in pieces, each answered by the server."""
    results = []
    for begin, end in zip((0, *cuts), (*cuts, len(payload)), strict=True):
        results += [to.L(payload=payload[begin:end]), to.R("A")]
    return results


def events(results: list[Result]) -> list[Event]:
    return [event for result in results for event in result.decision.events]


MODELS = ("P", "C", "D", "T")


@pytest.mark.parametrize("model", MODELS)
def test_a_listed_name_in_two_segments_passes_and_is_reported(model: str) -> None:
    results = sent(line(model), LISTED, 120)
    assert all(result.untouched for result in results)
    [event] = events(results)
    assert (event.kind, event.rule, event.detail["name"]) == ("unread", "rule", "blocked.example.com")
    box = f"this box (model {model}) does not put segments together"
    assert event.detail["why"] == f"its ClientHello came in 2 segments, and {box}"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("payload", "cuts", "kinds"), [(LISTED, (), ["match"]), (OTHER, (120,), []), (OTHER, (), [])]
)
def test_what_is_read_or_not_listed_is_not_reported(
    model: str, payload: bytes, cuts: tuple[int, ...], kinds: list[str]
) -> None:
    assert [event.kind for event in events(sent(line(model), payload, *cuts))] == kinds


def test_a_box_that_reassembles_reads_it() -> None:
    assert [event.kind for event in events(sent(line("R"), LISTED, 120))] == ["match"]


def test_an_exempt_name_is_not_reported() -> None:
    exempt = Rule("exempt", Match(tls_sni=names("blocked.example.com")), Allow())
    every = Rule("every", Match(tls_sni=names("*")), SilentDrop())
    assert [event.kind for event in events(sent(line("D", exempt, every), LISTED, 120))] in ([], ["match"])


def test_segments_without_end_are_not_looked_at_for_ever() -> None:
    cuts = tuple(range(10, 120, 10))
    results = sent(line("D"), LISTED, *cuts)
    assert events(results) == []
    assert all(result.untouched for result in results)


def test_the_kernel_gets_the_flow_once_the_name_has_gone_by() -> None:
    to = line("C")
    first, _, second, _ = sent(to, LISTED, 120)
    assert first.decision.handover is None
    assert second.decision.handover == PASS_ON


def test_segments_with_the_later_one_first() -> None:
    to = line("D")
    begin = to.seq["L"]
    to.seq["L"] = begin + 120
    late = to.L(payload=LISTED[120:])
    to.seq["L"] = begin
    early = to.L(payload=LISTED[:120])
    assert late.untouched
    assert early.untouched
    assert late.decision.handover is None, "what came first is still to come"
    [event] = events([late, early])
    assert event.detail["why"] == (
        "its ClientHello came in 2 segments, the later ones first, "
        "and this box (model D) does not put segments together"
    )


def test_records_in_one_segment() -> None:
    body = LISTED[5:]
    pieces = (b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in (body[:40], body[40:]))
    [event] = events(sent(line("D"), b"".join(pieces)))
    assert event.detail == {
        "name": "blocked.example.com",
        "why": "its ClientHello came in 2 records, and this box (model D) does not put records together",
    }


REQUEST = b"GET / HTTP/1.1\r\nHost: blocked.example.com\r\n\r\n"
BY_HOST = Rule("rule", Match(http_host=names("blocked.example.com")), SilentDrop())


@pytest.mark.parametrize("cut", [1, 2, 20, 30])
def test_a_request_in_two_segments(cut: int) -> None:
    results = sent(line("D", BY_HOST), REQUEST, cut)
    [event] = events(results)
    assert (event.kind, event.detail["name"]) == ("unread", "blocked.example.com")
    assert event.detail["why"] == (
        "its request came in 2 segments, and this box (model D) does not put segments together"
    )


def test_a_request_in_one_segment_is_read() -> None:
    assert [event.kind for event in events(sent(line("D", BY_HOST), REQUEST))] == ["match"]


def test_a_request_for_another_host_is_not_reported() -> None:
    assert events(sent(line("D", BY_HOST), REQUEST.replace(b"blocked", b"allowed"), 20)) == []


def test_a_servers_answer_ends_it() -> None:
    to = line("C")
    to.L(payload=LISTED[:120])
    answer = to.R(payload=b"220 ready")
    assert answer.decision.handover == PASS_ON, "nothing of it goes by the process any more"


def quic(layouts: str, *datagrams: bytes) -> list[Event]:
    box = PROFILES["t22"]
    given = {"2022": LAYOUTS_2022, "2023": LAYOUTS_2023, "default": DEFAULT}[layouts]
    profile = replace(box, quic_layouts=our_choice(given), models=our_choice((("D", 1.0),)))
    rule = Rule("rule", Match(quic_sni=names("blocked.example.com")), SilentDrop())
    to = Line(Policy("box", profile, (rule,)), udp=True)
    return events([to.L(payload=one) for one in datagrams])


def version_2(name: str) -> bytes:
    return around(crypto(0, hello(name, pad=700)[5:]), version=V2)


WHOLE = initial("blocked.example.com")
PIECES = initials("blocked.example.com")


def test_a_quic_hello_in_two_datagrams_passes_a_box_that_reads_one() -> None:
    [event] = quic("2023", *PIECES)
    assert event.detail == {
        "name": "blocked.example.com",
        "why": "its ClientHello came in 2 datagrams, a form of QUIC that this box (model D) does not read",
    }
    assert [event.kind for event in quic("default", *PIECES)] == ["match"]


def test_a_quic_version_that_the_box_does_not_know() -> None:
    [event] = quic("default", version_2("blocked.example.com"))
    assert event.detail["why"] == (
        "its ClientHello came in a form of QUIC that this box (model D) does not read"
    )
    assert quic("default", version_2("free.example.com")) == []


def test_a_quic_hello_behind_a_decoy() -> None:
    [event] = quic("default", b"decoy" * 30, WHOLE)
    assert event.detail["name"] == "blocked.example.com"
    assert [event.kind for event in quic("default", WHOLE)] == ["match"]
