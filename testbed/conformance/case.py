"""What a case is, and the registry of all cases."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from testbed.conformance.backend import ABROAD, Box
from testbed.conformance.steps import DialogueStep

TSPU: Final = ("t21", "t22w", "t22", "t23", "t24", "t25", "t26")


class MissingMechanismError(Exception):
    """A mechanism that a case needs does not exist yet; the message names it. The case is then not run."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """These steps, past these boxes. `label` distinguishes several dialogues of one case."""

    boxes: tuple[Box, ...]
    steps: tuple[DialogueStep, ...]
    label: str = ""
    scale: float = 1.0  # live, the censor's clock runs this many times faster
    routers: int = ABROAD
    without_box: bool = False  # the twin has no box: the effect is the profile's, not a rule's
    seed: int = 1

    def twin(self) -> "Dialogue":
        """The same without rules: every packet must pass untouched."""
        if self.without_box:
            return replace(self, boxes=())
        bare = (replace(box, policy=replace(box.policy, rules=())) for box in self.boxes)
        return replace(self, boxes=tuple(bare))


@dataclass(frozen=True, slots=True)
class Case:
    """One row. Under each of these profiles `build` returns the dialogues, all of which must hold."""

    id: str
    title: str
    profiles: tuple[str, ...]
    source: str
    confidence: str  # H, M or L; see docs/sources.md
    expected: str
    build: Callable[[str], Iterable[Dialogue]]
    live: bool  # whether it can run through the kernel
    core_only: str = ""  # why not


CASES: Final[dict[str, Case]] = {}


def case(
    id_: str,
    profiles: str | tuple[str, ...],
    source: str,
    confidence: str,
    title: str,
    expected: str,
    *,
    core_only: str = "",
) -> Callable[
    [Callable[[str], Dialogue | Iterable[Dialogue]]], Callable[[str], Dialogue | Iterable[Dialogue]]
]:
    """Register the function below as the case `id_`: it builds the dialogue, or several, for one profile.

    `core_only` says why the case is not run through the kernel; "" means that it is.
    """

    def register(
        build: Callable[[str], Dialogue | Iterable[Dialogue]],
    ) -> Callable[[str], Dialogue | Iterable[Dialogue]]:
        def several(profile: str) -> Iterable[Dialogue]:
            made = build(profile)
            return (made,) if isinstance(made, Dialogue) else tuple(made)

        if id_ in CASES:
            raise ValueError(f"two cases are called {id_}")
        names = tuple(profiles.split()) if isinstance(profiles, str) else profiles
        CASES[id_] = Case(id_, title, names, source, confidence, expected, several, not core_only, core_only)
        return build

    return register
