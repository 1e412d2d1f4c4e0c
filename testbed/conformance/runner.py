"""Running cases on a ground and saying whether they held."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass

from testbed.conformance.case import Case, Dialogue, NotThere
from testbed.conformance.core import CoreGround
from testbed.conformance.ground import Ground
from testbed.conformance.steps import Finding
from testbed.conformance.talk import Talk
from testbed.conformance.words import told

Open = Callable[[Dialogue], AbstractContextManager[Ground]]
"""Lays a dialogue's ground: its boxes at work while the context lasts."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the table. `held` is None where a mechanism is missing: `seen` says which."""

    id: str
    profile: str
    source: str
    confidence: str
    live: bool
    held: bool | None
    expected: str
    seen: str

    def as_dict(self) -> dict[str, object]:
        """As JSON has it."""
        return asdict(self)


@contextmanager
def on_core(dialogue: Dialogue) -> Iterator[Ground]:
    """The core alone."""
    yield CoreGround(dialogue.boxes, dialogue.routers, dialogue.seed)


def run(case: Case, profile: str, ground: Open = on_core, *, live: bool = False) -> Outcome:
    """One case under one profile: all its dialogues, each after its twin without the rule."""

    def outcome(seen: str, *, held: bool | None) -> Outcome:
        return Outcome(case.id, profile, case.source, case.confidence, live, held, case.expected, seen)

    try:
        dialogues = tuple(case.build(profile))
    except NotThere as missing:
        return outcome(f"not implemented: {missing}", held=None)
    sentences, held = [], True
    for dialogue in dialogues:
        label = f"{dialogue.label}: " if dialogue.label else ""
        wrong = [one for one in _held(dialogue.twin(), ground, free=True) if not one.held]
        if wrong:
            return outcome(f"invalid: {label}without the rule, {wrong[0].seen}", held=False)
        findings = list(_held(dialogue, ground, free=False))
        held &= all(one.held for one in findings)
        sentences.append(label + told([one.seen for one in findings if not (one.dull and one.held)]))
    return outcome("; ".join(sentences), held=held)


def _held(dialogue: Dialogue, ground: Open, *, free: bool) -> Iterable[Finding]:
    """Hold a dialogue; the finding of each step until one has gone wrong."""
    with ground(dialogue) as laid:
        talk = Talk(laid)
        for step in dialogue.steps:
            finding = step.free(talk) if free else step.run(talk)
            yield finding
            if not finding.held:
                return
        late = laid.late()
        if number := len(late.at["L"]) + len(late.at["R"]):
            yield Finding(held=False, seen=f"{number} packets came late (expected: none)")
