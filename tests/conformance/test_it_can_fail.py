"""The suite can fail: wrong boxes, wrong profiles, broken endpoints, missing mechanisms."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.cited import our_choice
from testbed.censor.parsers.quic import DEFAULT
from testbed.censor.policy import Policy
from testbed.censor.profiles import PROFILES
from testbed.conformance import builders
from testbed.conformance.backend import Backend, CoreBackend, Wire
from testbed.conformance.case import CASES, Dialogue, MissingMechanismError
from testbed.conformance.cases import SUBJECTS, actions, common
from testbed.conformance.payloads import RECORD
from testbed.conformance.results import failed
from testbed.conformance.steps import R
from testbed.conformance.suite import run


def under(monkeypatch, profile: str, **changes: object) -> None:
    """Make a profile wrong."""
    wrong = replace(PROFILES[profile], **changes)
    monkeypatch.setattr(builders, "PROFILES", {**PROFILES, profile: wrong})


def residual(profile: str, action: str, seconds: float) -> dict[str, object]:
    return {"residual": {**PROFILES[profile].residual, action: our_choice(seconds)}}


@pytest.mark.parametrize(
    ("id_", "profile", "changes"),
    [
        ("C40", "t22", residual("t22", "rst-rewrite", 60.0)),
        ("C40", "t22", residual("t22", "rst-rewrite", 90.0)),
        ("C42", "t22", residual("t22", "drop", 30.0)),
        ("C49", "t21", residual("t21", "police", 900.0)),
        ("C49", "t21", {"picks_up_midway": our_choice(value=True)}),
        ("C124", "t22", {"picks_up_midway": our_choice(value=False)}),
        ("C51", "t21", residual("t21", "police", 100.0)),
        ("C04", "t22", {"inside_opens": our_choice(value=False)}),
        ("C05", "t21", {"both_directions": our_choice(value=False)}),
        ("C12", "t21", {"give_up_over": our_choice(300)}),
        ("C13", "t21", {"give_up_over": our_choice(50)}),
        ("C07", "t22", {"models": our_choice((("R", 1.0),))}),
        ("C99", "t26", {"in_path": False}),
        ("C52", "t22", {"fragments": our_choice(None)}),
        ("C55", "t22", {"fragments": our_choice(None)}),
        ("C64", "t22", {"quic_ports": our_choice(())}),
        ("C30", "t24", {"in_path": False}),
        ("C140", "t22", {"quic_residual": {}}),
        ("C141", "t22", {"quic_layouts": our_choice(DEFAULT)}),
        ("C52", "t22w", {"fragments": our_choice(None)}),
        ("C147", "mob-wl", {"allows_by_stream": our_choice(value=False)}),
        ("C147", "t25", {"allows_by_stream": our_choice(value=False)}),
        ("C148", "t24", {"models": our_choice((("T", 1.0),))}),
        ("C149", "leg-active", {"inside_opens": our_choice(value=True)}),
        ("C149", "leg-passive", {"inside_opens": our_choice(value=True)}),
    ],
)
def test_a_wrong_profile_is_noticed(monkeypatch, id_: str, profile: str, changes: dict[str, object]) -> None:
    assert run(CASES[id_], profile).held, "as it is, it holds"
    under(monkeypatch, profile, **changes)
    outcome = run(CASES[id_], profile)
    assert outcome.held is False
    assert "expected" in outcome.seen or "fragments" in outcome.seen
    assert failed([outcome]) is (outcome.confidence == "H")


FIRES = ("C02", "C03", "C27", "C28", "C30", "C34", "C40", "C44", "C58", "C59", "C62")
PASS = ("C01", "C04", "C43", "C45", "C63", "C64")


@pytest.mark.parametrize("id_", FIRES)
def test_a_box_that_does_nothing_is_noticed(monkeypatch, id_: str) -> None:
    for subject in SUBJECTS:
        if hasattr(subject, "action"):
            monkeypatch.setattr(subject, "action", lambda *_, **__: Allow())
    monkeypatch.setattr(common, "action", lambda *_, **__: Allow())
    assert run(CASES[id_], "t22").held is False


@pytest.mark.parametrize("id_", PASS)
def test_a_box_that_drops_everything_is_noticed(monkeypatch, id_: str) -> None:
    policy = builders.policy("t22", (builders.match(ip="0.0.0.0/0"), SilentDrop()))

    @contextmanager
    def harsh(dialogue: Dialogue) -> Iterator[Backend]:
        ruled = [replace(b, policy=policy if b.policy.rules else b.policy) for b in dialogue.boxes]
        yield CoreBackend(ruled, dialogue.routers, dialogue.seed)

    outcome = run(CASES[id_], "t22", harsh)
    assert outcome.held is False
    assert "invalid" not in outcome.seen


class Lossy(CoreBackend):
    """Endpoints that lose what they should hear."""

    def send(self, who, packets) -> Wire:
        super().send(who, packets)
        return Wire()


@contextmanager
def deaf(dialogue: Dialogue) -> Iterator[Backend]:
    yield Lossy(dialogue.boxes, dialogue.routers, dialogue.seed)


@pytest.mark.parametrize("id_", ["C34", "C58", "C62", "C01"])
def test_deaf_endpoints_make_a_case_invalid_not_held(id_: str) -> None:
    outcome = run(CASES[id_], "t22", deaf)
    assert outcome.held is False
    assert outcome.seen.startswith("invalid: ")


def test_a_missing_mechanism_is_neither_held_nor_failed(monkeypatch) -> None:
    monkeypatch.setattr(
        builders, "ACTIONS", {k: v for k, v in builders.ACTIONS.items() if k != "rst-rewrite"}
    )
    outcome = run(CASES["C27"], "t22")
    assert outcome.held is None
    assert outcome.seen == "not implemented: action 'rst-rewrite'"
    assert not failed([outcome])


@pytest.mark.parametrize(
    "build",
    [
        lambda: builders.action("teleport"),
        lambda: builders.action("freeze", parsecs=3),
        lambda: builders.match(smell="x"),
        lambda: builders.profile("t99"),
        lambda: builders.policy("t22", mood=1),
    ],
)
def test_what_does_not_exist_is_named(build) -> None:
    with pytest.raises(MissingMechanismError, match=r"teleport|parsecs|smell|t99|mood"):
        build()


def test_steps_after_a_failed_one_are_not_run() -> None:
    nothing = R(RECORD).becomes_reset
    outcome = run(replace(CASES["C01"], build=lambda _: [Dialogue((), (nothing, nothing))]), "t22")
    assert outcome.held is False
    assert outcome.seen.count("expected: arrives as RST/ACK") == 1


@pytest.mark.parametrize("factor", [0.0, 3.0])
def test_a_box_that_misses_never_or_too_often_is_noticed(monkeypatch, factor: float) -> None:
    right = actions._sni1

    def wrong(profile: str, miss: dict[str, float]) -> Policy:
        return right(profile, miss={key: share * factor for key, share in miss.items()})

    monkeypatch.setattr(actions, "_sni1", wrong)
    rarest = replace(CASES["C37"], build=lambda profile: CASES["C37"].build(profile)[:1])
    assert run(rarest, "t22").held is False
