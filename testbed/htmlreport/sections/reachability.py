"""What was reachable over the scenario's time, from the samples of a monitor."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from testbed.htmlreport.blocks import (
    DataGrid,
    Folded,
    GridCell,
    GridRow,
    PageBlock,
    PageSection,
    PlotFigure,
    Statement,
    Subheading,
    Tone,
    counted,
)
from testbed.htmlreport.drawing import LINES, MARKERS, PAPER, STYLES, drawn, label
from testbed.htmlreport.facts import MonitorFacts, ReportFacts, Values
from testbed.model import OUTSIDE
from testbed.monitor.against import moment_of
from testbed.monitor.levels import ConnectivityPoint, HeatMap, connectivity, heat_map
from testbed.monitor.sample import MEANINGS, STATES, Sample, State
from testbed.report.historyplot import HATCHES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHADES: dict[State, str] = {
    "ok": "free", "slow": "orange", "blocked": "red", "outage": "grey", "portal": "green", "down": "blue",
    "refused": "pink", "hung": "yellow",
}  # fmt: skip
_LETTERS: dict[State, str] = {
    "ok": "", "slow": "s", "blocked": "b", "outage": "o", "portal": "p", "down": "d",
    "refused": "r", "hung": "h",
}  # fmt: skip
_LETTERED = 60  # instants, of which each cell has its letter; our choice: more have no room
_TONES: dict[State, Tone] = {"ok": "good", "slow": "warn", "blocked": "bad"}


def section(facts: ReportFacts) -> PageSection | None:
    """For each monitor a map of states, the connectivity of each operator, the phases and incidents."""
    blocks: list[PageBlock] = []
    for number, one in enumerate(facts.monitors):
        named = one.settings.get("scenarios")
        title = ", ".join(map(str, named)) if isinstance(named, list) else one.folder
        blocks += [Subheading(title), *_of(one, number)]
    return PageSection("reachability", "Reachability over time", tuple(blocks)) if blocks else None


def _of(one: MonitorFacts, number: int) -> list[PageBlock]:
    if not one.samples:
        return [Statement("There is no sample.", "warn")]
    found: list[PageBlock] = [Statement(f"{one.verdict or 'The monitor did not come to its end'}.")]
    grid = heat_map(one.samples)
    if grid.rows:
        found.append(
            PlotFigure(
                "States over time",
                map_svg(f"map{number}", grid, one),
                _map_in_words(grid),
                _spans_grid(one.samples),
            )
        )
    if grid.always:
        always = f"{counted(len(grid.always), 'target')}, {', '.join(grid.always)}"
        found.append(Statement(f"Reachable everywhere and at all times: {always}."))
    levels = connectivity(one.samples)
    found.append(
        PlotFigure(
            "Connectivity of each operator",
            level_svg(f"level{number}", levels, one),
            _levels_in_words(levels),
            _levels_grid(levels),
        )
    )
    if one.incidents:
        found.append(Folded(counted(len(one.incidents), "incident"), (_incidents(one.incidents),)))
    return found


def map_svg(key: str, grid: HeatMap, one: MonitorFacts) -> str:
    """A row for each operator and target; a state has its colour, its hatching and its letter."""

    def draw(figure: "Figure") -> None:
        from matplotlib.patches import Patch, Rectangle

        axes = figure.subplots()
        axes.grid(visible=False)
        times = [moment_of(time) for time in grid.times]
        edges = _edges(times, one.every)
        for row, cells in enumerate(grid.cells):
            for cell, group in groupby(range(len(cells)), key=lambda at: cells[at]):
                columns = list(group)
                if cell < 0:
                    continue
                state, begin, end = STATES[cell], edges[columns[0]], edges[columns[-1] + 1]
                axes.add_patch(
                    Rectangle(
                        (begin, row), end - begin, 1, facecolor=PAPER[_SHADES[state]],
                        hatch=HATCHES.get(state), edgecolor=PAPER["ground"], linewidth=0.4,
                    )
                )  # fmt: skip
                if _LETTERS[state] and len(times) <= _LETTERED:
                    axes.text(
                        (begin + end) / 2, row + 0.5, _LETTERS[state], ha="center", va="center", fontsize=7.5,
                        color=PAPER["ground"] if state in ("blocked", "outage", "down") else "#1b1f23",
                    )  # fmt: skip
        axes.set_yticks(
            [row + 0.5 for row in range(len(grid.rows))],
            [f"{label(target, 44)}  {label(vantage, 14)}" for vantage, target in grid.rows],
        )
        axes.tick_params(axis="y", length=0, labelsize=7.5)
        axes.set_ylim(len(grid.rows), 0)
        _dates(axes, edges)
        seen = {cell for cells in grid.cells for cell in cells if cell >= 0}
        handles = [
            Patch(
                facecolor=PAPER[_SHADES[state]], hatch=HATCHES.get(state), edgecolor=PAPER["ground"],
                label=f"{_LETTERS[state]}: {MEANINGS[state]}" if _LETTERS[state] else MEANINGS[state],
            )
            for number, state in enumerate(STATES)
            if number in seen
        ]  # fmt: skip
        figure.legend(handles=handles, loc="outside upper left", ncols=4, handleheight=1.2)

    return drawn(key, 9.6, 1.2 + 0.22 * len(grid.rows), draw)


def level_svg(key: str, levels: Sequence[ConnectivityPoint], one: MonitorFacts) -> str:
    """A stepped line for each operator, with dashes and marks of its own, too."""

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        vantages = [name for name in dict.fromkeys(point.vantage for point in levels) if name != OUTSIDE]
        all_times = [moment_of(time) for time in sorted({point.time for point in levels})]
        edges = _edges(all_times, one.every)
        for number, name in enumerate(vantages):
            mine = [point for point in levels if point.vantage == name]
            axes.step(
                [*(_days(moment_of(point.time)) for point in mine), edges[-1]],
                [100 * share for share in (*(point.share for point in mine), mine[-1].share)],
                where="post", color=PAPER[LINES[number % len(LINES)]], linestyle=STYLES[number % len(STYLES)],
                marker=MARKERS[number % len(MARKERS)], markersize=3.5, markevery=max(1, len(mine) // 10),
                linewidth=1.2, label=label(name),
            )  # fmt: skip
        axes.set(ylim=(-3, 105), ylabel="reachable, % of the operator's best")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        _dates(axes, edges)

    return drawn(key, 9.6, 2.8, draw)


def _edges(times: Sequence[datetime], every: float) -> list[float]:
    last = times[-1] + timedelta(seconds=every or 3600)
    return [_days(time) for time in (*times, last)]


def _days(time: datetime) -> float:
    """Days since 1970, as matplotlib counts them."""
    return time.timestamp() / 86_400


def _dates(axes: "Axes", edges: Sequence[float]) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(tz="UTC")  # type: ignore[no-untyped-call,unused-ignore]
    axes.xaxis_date(tz="UTC")
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz="UTC"))  # type: ignore[no-untyped-call,unused-ignore]
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel("the scenario's time, UTC")


def _map_in_words(grid: HeatMap) -> str:
    touched = {vantage: 0 for vantage, _ in grid.rows}
    for (vantage, _), cells in zip(grid.rows, grid.cells, strict=True):
        touched[vantage] += any(cell > 0 for cell in cells)
    said = ", ".join(f"{vantage} {number}" for vantage, number in touched.items())
    return (
        f"{counted(len(grid.times), 'instant')} from {grid.times[0]} to {grid.times[-1]}. Targets that were "
        f"not always reachable: {said}. The table below has every change."
    )


def _spans_grid(samples: Sequence[Sample]) -> DataGrid:
    """Each row's states as spans: the picture's numbers."""
    touched = {one.target for one in samples if one.state != "ok"}
    by_row: dict[tuple[str, str], list[Sample]] = {}
    for one in samples:
        if one.target in touched:
            by_row.setdefault((one.vantage, one.target), []).append(one)
    rows: list[GridRow] = []
    for (vantage, target), mine in by_row.items():
        for state, group in groupby(sorted(mine, key=lambda one: one.time), key=lambda one: one.state):
            span = list(group)
            rows.append(
                (
                    target, vantage, GridCell(MEANINGS[state], _TONES.get(state, "warn")), span[0].time,
                    span[-1].time, str(len(span)), ", ".join(dict.fromkeys(one.label for one in span)),
                )
            )  # fmt: skip
    return DataGrid(
        "State of each target, as spans",
        ("target", "operator", "state", "first seen", "last seen", "samples", "labels"),
        tuple(rows),
        frozenset({5}),
    )


def _levels_in_words(levels: Sequence[ConnectivityPoint]) -> str:
    lowest: dict[str, ConnectivityPoint] = {}
    for point in levels:
        if point.vantage != OUTSIDE and point.share < lowest.get(point.vantage, point).share + 1e-9:
            lowest.setdefault(point.vantage, point)
            if point.share < lowest[point.vantage].share:
                lowest[point.vantage] = point
    said = "; ".join(f"{one.vantage} {one.share:.0%} at {one.time}" for one in lowest.values())
    return f"The lowest share of what each operator's subscribers reach at their best: {said}."


def _levels_grid(levels: Sequence[ConnectivityPoint]) -> DataGrid:
    vantages = [name for name in dict.fromkeys(point.vantage for point in levels) if name != OUTSIDE]
    share = {(point.time, point.vantage): point.share for point in levels}
    rows = tuple(
        (time, *(f"{100 * share[time, name]:.0f} %" if (time, name) in share else "" for name in vantages))
        for time in sorted({point.time for point in levels})
    )
    return DataGrid(
        "Connectivity by operator", ("time", *vantages), rows, frozenset(range(1, len(vantages) + 1))
    )


def _incidents(incidents: Sequence[Values]) -> DataGrid:
    rows = []
    for one in incidents:
        before, after = one.get("last_before"), one.get("first_after")
        kind = str(one.get("kind", "?"))
        meaning = next((words for state, words in MEANINGS.items() if state == kind), kind)
        rows.append(
            (
                str(one.get("target") or "all"), str(one.get("vantage") or "all"), meaning,
                f"{before} – {one.get('first')}" if before else f"before {one.get('first')}",
                f"{one.get('last')} – {after}" if after else f"after {one.get('last')}",
                ", ".join(map(str, one.get("labels") or ())),
            )
        )  # fmt: skip
    head = ("target", "operator", "what", "began between", "ended between", "labels")
    return DataGrid("Incidents: a state that lasts", head, tuple(rows))
