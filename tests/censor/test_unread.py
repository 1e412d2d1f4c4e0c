"""Listed names that pass a box which reads segments singly: nothing is done to them, and it is reported."""

from dataclasses import replace

import pytest

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.cited import our_choice
from testbed.censor.decision import Event
from testbed.censor.handover import PASS_ON
from testbed.censor.match import Match
from testbed.censor.policy import Policy, Rule
from testbed.censor.profiles import PROFILES
from tests.censor.line import Line, Result, hello, names

LISTED, OTHER = hello("blocked.example.com", pad=250), hello("free.example.com", pad=250)


def line(model: str, *rules: Rule) -> Line:
    profile = replace(PROFILES["t22"], models=our_choice(((model, 1.0),)))
    mine = rules or (Rule("rule", Match(tls_sni=names("blocked.example.com")), SilentDrop()),)
    opened = Line(Policy("box", profile, mine))
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
