"""What the pictures show, as numbers: the state of each row over time, and each operator's connectivity."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from testbed.model import OUTSIDE
from testbed.monitor.sample import STATES, Sample


@dataclass(frozen=True, slots=True)
class ConnectivityPoint:
    """How much of what is usual an operator's subscribers reach at one time."""

    time: str
    vantage: str
    share: float  # of the operator's baseline, 0 to 1


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Rows of states. `cells[row][column]` is an index of STATES; -1 where nothing was measured."""

    times: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]  # vantage and target
    cells: tuple[tuple[int, ...], ...]
    always: tuple[str, ...]  # targets that worked everywhere and always, and have no row


def connectivity(samples: Iterable[Sample]) -> list[ConnectivityPoint]:
    """The sum of what is left of each target, as a share of the highest sum of the same operator.

    A slowed target counts with its share of the speed outside. One that is down for everybody says nothing of
    an operator and does not count.
    """
    sums: dict[tuple[str, str], list[float]] = {}
    for one in samples:
        if one.state not in ("down", "hung"):
            sums.setdefault((one.vantage, one.time), []).append(one.level)
        else:
            sums.setdefault((one.vantage, one.time), [])
    means = {where: sum(levels) / len(levels) if levels else 0.0 for where, levels in sums.items()}
    best: dict[str, float] = {}
    for (vantage, _), mean in means.items():
        best[vantage] = max(mean, best.get(vantage, 0.0))
    return [
        ConnectivityPoint(time, vantage, mean / best[vantage] if best[vantage] else 0.0)
        for (vantage, time), mean in sorted(means.items(), key=lambda item: (item[0][0], item[0][1]))
    ]


def heat_map(samples: Sequence[Sample]) -> HeatMap:
    """A row for each vantage and target, by vantage; targets that always worked everywhere have none."""
    times = tuple(sorted({one.time for one in samples}))
    column = {time: number for number, time in enumerate(times)}
    touched = {one.target for one in samples if one.state != "ok"}
    vantages = list(dict.fromkeys(one.vantage for one in samples if one.vantage != OUTSIDE))
    vantages += [OUTSIDE] * any(one.vantage == OUTSIDE for one in samples)
    targets = list(dict.fromkeys(one.target for one in samples if one.target in touched))
    rows = [(vantage, target) for vantage in vantages for target in targets]
    place = {row: number for number, row in enumerate(rows)}
    cells = [[-1] * len(times) for _ in rows]
    for one in samples:
        if (one.vantage, one.target) in place:
            cells[place[one.vantage, one.target]][column[one.time]] = STATES.index(one.state)
    always = tuple(dict.fromkeys(one.target for one in samples if one.target not in touched))
    return HeatMap(times, tuple(rows), tuple(map(tuple, cells)), always)
