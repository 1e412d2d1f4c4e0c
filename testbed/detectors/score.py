"""How often a detector was right: of trials, a score.

The levels: V1 blocked or not, V2 which layer, V3 which mechanism, V4 the numbers, V5 whether repeats agree.
Only hits, misses, right answers and false alarms are counted in V1; everything else stands beside them.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Final

from testbed.detectors.adapter import Adapter
from testbed.detectors.trials import SILENT, Standing, Trial
from testbed.detectors.verdicts import LAYERS, Complaint, layer_of
from testbed.detectors.wilson import CountedShare

RECALL, FALSE_POSITIVES = 0.95, 0.02
MOST_LOST: Final = 0.1  # share of trials that the laboratory may spoil; our choice
STEADY: Final = 0.95  # share of repeats that must agree; below it a place is flaky
NONE, UNCLEAR = "none", "inconclusive"  # in the matrix of layers


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a detector has to reach."""

    recall: float = RECALL  # at least, of observable positives that were met
    false_positives: float = FALSE_POSITIVES  # at most, of negatives
    inconclusive: float | None = None  # at most, of the trials that could be answered


@dataclass(frozen=True, slots=True)
class PartScore:
    """The score of some of the trials: one technique, profile or client shape."""

    counts: Mapping[str, int]  # standing -> trials

    @property
    def recall(self) -> CountedShare:
        """Hits of the observable positives that were met and answered."""
        return CountedShare(self._count("hit"), self._count("hit", "miss"))

    @property
    def false_positives(self) -> CountedShare:
        """False alarms of the negatives that were answered."""
        return CountedShare(self._count("false alarm"), self._count("false alarm", "right"))

    @property
    def inconclusive(self) -> CountedShare:
        """Trials without an answer, of those that have one or could have had one."""
        answered = self._count("hit", "miss", "right", "false alarm")
        silent = self._count(*SILENT)
        return CountedShare(silent, silent + answered)

    @property
    def lost(self) -> CountedShare:
        """Trials that the laboratory spoiled, of all."""
        return CountedShare(self._count("lab-error"), sum(self.counts.values()))

    def _count(self, *standings: Standing) -> int:
        return sum(self.counts.get(one, 0) for one in standings)

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        return {
            "recall": self.recall.to_json(),
            "false_positives": self.false_positives.to_json(),
            "inconclusive": self.inconclusive.to_json(),
            "counts": dict(self.counts),
        }


@dataclass(frozen=True, slots=True)
class Score:
    """What a detector reached."""

    detector: str
    whole: PartScore
    by_technique: Mapping[str, PartScore]
    by_profile: Mapping[str, PartScore]
    by_client: Mapping[str, PartScore]
    layers: Mapping[tuple[str, str], int]  # (true, said) -> trials; NONE and UNCLEAR are layers here
    mechanisms: CountedShare  # hits that name a right mechanism, of the hits that name one
    unnamed: int  # hits without a mechanism
    errors: Mapping[str, tuple[int, float]]  # parameter -> how many, mean absolute error
    steady: CountedShare  # places whose repeats agree, of those with repeats
    flaky: tuple[str, ...]
    seconds: float
    complaints: tuple[Complaint, ...] = ()  # of outputs that no trial has
    worst: tuple[tuple[str, Trial], ...] = field(default=())  # misses and false alarms, with what they are
    uncounted: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Of "blocked" and "free" targets that the tool can tell: trials by standing, if none is counted."""

    @property
    def macro_f1(self) -> float | None:
        """The mean of the layers' F1, over layers that occur in the truth. None without any."""
        found = [self._f1(layer) for layer in LAYERS if any(true == layer for true, _ in self.layers)]
        return fmean(found) if found else None

    def _f1(self, layer: str) -> float:
        both = self.layers.get((layer, layer), 0)
        true = sum(n for (one, _), n in self.layers.items() if one == layer)
        said = sum(n for (_, one), n in self.layers.items() if one == layer)
        return 2 * both / (true + said) if true + said else 0.0

    def failures(self, limits: Thresholds) -> list[str]:
        """Which thresholds it does not reach, one sentence each; empty if it reaches all."""
        recall, false = self.whole.recall, self.whole.false_positives
        found = []
        if recall.value is None and false.value is None and not self.uncounted:
            found.append("nothing could be counted")
        if recall.value is not None and recall.value < limits.recall:
            found.append(f"recall {recall} is below {limits.recall:g}")
        if false.value is not None and false.value > limits.false_positives:
            found.append(f"false positives {false} are above {limits.false_positives:g}")
        silent = self.whole.inconclusive
        if limits.inconclusive is not None and (silent.value or 0.0) > limits.inconclusive:
            found.append(f"inconclusive {silent} is above {limits.inconclusive:g}")
        for kind, standings in self.uncounted.items():
            what = ", ".join(f"{number} {standing}" for standing, number in standings.items())
            found.append(f"of {kind} targets nothing could be counted: {what}")
        if self.unsound:
            found.append(f"the laboratory spoiled {self.whole.lost} of the trials")
        return found

    @property
    def unsound(self) -> bool:
        """Whether too many trials are the laboratory's fault for the score to mean something."""
        return (self.whole.lost.value or 0.0) > MOST_LOST

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        parts = {
            "by_technique": self.by_technique,
            "by_profile": self.by_profile,
            "by_client": self.by_client,
        }
        return {
            "detector": self.detector,
            **self.whole.to_json(),
            **{name: {key: part.to_json() for key, part in each.items()} for name, each in parts.items()},
            "layers": [[true, said, number] for (true, said), number in sorted(self.layers.items())],
            "macro_f1": None if self.macro_f1 is None else round(self.macro_f1, 4),
            "mechanisms": self.mechanisms.to_json(),
            "mechanism_not_named": self.unnamed,
            "parameters": {
                name: {"n": number, "mean_absolute_error": round(error, 3)}
                for name, (number, error) in self.errors.items()
            },
            "steady": self.steady.to_json(),
            "flaky": list(self.flaky),
            "uncounted": {kind: dict(each) for kind, each in self.uncounted.items()},
            "seconds": round(self.seconds, 3),
            "complaints": [one.to_json() for one in self.complaints],
            "wrong": [{"standing": standing, **trial.to_json()} for standing, trial in self.worst],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Score":
        """The score that `to_json` wrote. TypeError, KeyError or ValueError for anything else."""
        errors = {
            name: (int(one["n"]), float(one["mean_absolute_error"]))
            for name, one in values["parameters"].items()
        }
        wrong = [{**one} for one in values["wrong"]]
        return cls(
            detector=str(values["detector"]),
            whole=PartScore(_read_counts(values["counts"])),
            by_technique=_read_parts(values["by_technique"]),
            by_profile=_read_parts(values["by_profile"]),
            by_client=_read_parts(values["by_client"]),
            layers={(str(true), str(said)): int(number) for true, said, number in values["layers"]},
            mechanisms=_read_share(values["mechanisms"]),
            unnamed=int(values["mechanism_not_named"]),
            errors=errors,
            steady=_read_share(values["steady"]),
            flaky=tuple(map(str, values["flaky"])),
            seconds=float(values["seconds"]),
            complaints=tuple(Complaint(**one) for one in values["complaints"]),
            worst=tuple((str(one.pop("standing")), Trial.from_json(one)) for one in wrong),
            uncounted={kind: _read_counts(each) for kind, each in values.get("uncounted", {}).items()},
        )


def _read_share(values: Mapping[str, Any]) -> CountedShare:
    return CountedShare(int(values["hits"]), int(values["of"]))


def _read_counts(values: Mapping[str, Any]) -> dict[str, int]:
    return {str(standing): int(number) for standing, number in values.items()}


def _read_parts(values: Mapping[str, Any]) -> dict[str, PartScore]:
    return {str(name): PartScore(_read_counts(one["counts"])) for name, one in values.items()}


def score(
    detector: str, trials: Sequence[Trial], adapter: Adapter, complaints: Iterable[Complaint] = ()
) -> Score:
    """The score of all these trials, whose outputs `adapter` has read."""
    stood = [(trial.standing(adapter), trial) for trial in trials]
    hits = [trial for standing, trial in stood if standing == "hit"]
    named = [trial for trial in hits if trial.verdict and trial.verdict.mechanisms]
    right = [t for t in named if t.verdict and t.mechanisms.intersection(t.verdict.mechanisms)]
    steady, flaky = _stability(stood)
    return Score(
        detector=detector,
        whole=_part(stood),
        by_technique=_parts(stood, lambda trial: trial.technique),
        by_profile=_parts(stood, lambda trial: trial.profile),
        by_client=_parts(stood, lambda trial: trial.client),
        layers=_layers(stood),
        mechanisms=CountedShare(len(right), len(named)),
        unnamed=len(hits) - len(named),
        errors=_errors(hits),
        steady=steady,
        flaky=flaky,
        seconds=sum(trial.seconds for trial in trials),
        complaints=tuple(complaints),
        worst=tuple(
            (standing, trial)
            for standing, trial in stood
            if standing not in ("hit", "right", "not observable")
        ),
        uncounted=_uncounted(stood),
    )


def _uncounted(stood: Iterable[tuple[Standing, Trial]]) -> dict[str, dict[str, int]]:
    """A detector that never answers at one kind of target, or sends nothing, has no share there to judge."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for standing, trial in stood:
        if standing != "not observable":
            found["blocked" if trial.blocked else "free"][standing] += 1
    counted = ("hit", "miss", "right", "false alarm")
    return {kind: dict(found[kind]) for kind in sorted(found) if not found[kind].keys() & {*counted}}


def _part(stood: Iterable[tuple[Standing, Trial]]) -> PartScore:
    return PartScore(dict(Counter(standing for standing, _ in stood)))


def _parts(stood: Sequence[tuple[Standing, Trial]], of: Callable[[Trial], str]) -> dict[str, PartScore]:
    """By technique and so on; trials without one (nothing interferes) are left out."""
    groups: dict[str, list[tuple[Standing, Trial]]] = defaultdict(list)
    for standing, trial in stood:
        if key := of(trial):
            groups[key].append((standing, trial))
    return {key: _part(groups[key]) for key in sorted(groups)}


def _layers(stood: Iterable[tuple[Standing, Trial]]) -> dict[tuple[str, str], int]:
    """True layer beside the one that was said, for every trial that could be answered."""
    found: Counter[tuple[str, str]] = Counter()
    for standing, trial in stood:
        if trial.verdict is None or standing not in ("hit", "miss", "right", "false alarm", "inconclusive"):
            continue
        true = (layer_of(trial.outcome) or NONE) if trial.blocked else NONE
        verdict = trial.verdict
        if trial.blocked and trial.mechanisms.intersection(verdict.mechanisms):
            found[true, true] += 1  # another layer's symptom of the same cause
            continue
        unnamed = NONE if verdict.mechanisms else "?"  # a portal is of no layer
        said = {"free": NONE, "inconclusive": UNCLEAR}.get(verdict.said) or verdict.layer or unnamed
        found[true, said] += 1
    return dict(found)


def _errors(hits: Iterable[Trial]) -> dict[str, tuple[int, float]]:
    """Mean distance of what was measured from what is true: from the nearest end of a range."""
    found: dict[str, list[float]] = defaultdict(list)
    for trial in hits:
        said = trial.verdict.parameters if trial.verdict else {}
        exact = {"hop": trial.hop, "residual": trial.residual, "connections": trial.connections}
        known = {name: None if value is None else (float(value),) * 2 for name, value in exact.items()}
        for name, limits in {"rate": trial.rate, "received": trial.received, **known}.items():
            if limits is not None and name in said:
                found[name].append(max(0.0, limits[0] - said[name], said[name] - limits[1]))
    return {name: (len(errors), fmean(errors)) for name, errors in found.items()}


def _stability(stood: Iterable[tuple[Standing, Trial]]) -> tuple[CountedShare, tuple[str, ...]]:
    """Places whose repeats agree. Chance is no instability, and a fault of the laboratory no repeat."""
    said: dict[str, list[str]] = defaultdict(list)
    for standing, trial in stood:
        if not trial.chance and standing not in ("lab-error", "not met", "another rule"):
            said[trial.place].append(trial.verdict.said if trial.verdict else standing)
    repeated = {place: each for place, each in said.items() if len(each) > 1}
    flaky = [place for place, each in repeated.items() if max(Counter(each).values()) / len(each) < STEADY]
    return CountedShare(len(repeated) - len(flaky), len(repeated)), tuple(sorted(flaky))
