"""The picture of a monitor: a heat map of operators and targets over time, and their connectivity below it.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart; outage, portal, refusal and a
dead site are hatched besides. Cells that follow each other in one state are one rectangle: files stay small.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from io import StringIO
from itertools import groupby
from typing import TYPE_CHECKING, Final

from testbed.errors import UnsupportedError
from testbed.model import OUTSIDE
from testbed.monitor.against import moment_of
from testbed.monitor.levels import ConnectivityPoint, HeatMap, connectivity, heat_map
from testbed.monitor.observatory import Watched
from testbed.monitor.sample import MEANINGS, STATES, State

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Final[dict[State, str]] = {
    "ok": "#e6eef5",
    "slow": "#e69f00",
    "blocked": "#d55e00",
    "outage": "#555555",
    "portal": "#009e73",
    "down": "#0072b2",
    "refused": "#cc79a7",
    "hung": "#f0e442",
}
HATCHES: Final[dict[State, str]] = {
    "outage": "////",
    "portal": "||||",
    "down": "----",
    "refused": "xxxx",
    "hung": "++++",
}
_LINES: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
_STYLES: Final = ("-", "--", "-.", ":")
_ROW: Final = 0.17  # inches of one row
_NO_PLOTTING: Final = (
    "no picture, because matplotlib is not installed; the data are written. "
    "Install it: pip install 'runet-testbed[plots]'"
)


def picture(watched: Watched, title: str) -> str:
    """The picture as SVG, which loads nothing. The same samples give the same picture.

    Errors: UnsupportedError without matplotlib.
    """
    figure, out = figure_of(watched, title), StringIO()
    with _settings():
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def figure_of(watched: Watched, title: str) -> "Figure":
    """The picture as matplotlib has it. UnsupportedError without matplotlib."""
    with _settings():
        return _drawn(watched, title)


def _settings() -> "AbstractContextManager[None]":
    """Matplotlib's for the picture; afterwards the caller's hold again."""
    try:
        from matplotlib import rc_context
    except ImportError as error:
        raise UnsupportedError(_NO_PLOTTING) from error
    return rc_context(
        {"svg.hashsalt": "testbed", "svg.fonttype": "none", "font.size": 8, "hatch.linewidth": 0.5}
    )


def _drawn(watched: Watched, title: str) -> "Figure":
    from matplotlib.figure import Figure

    grid, levels = heat_map(watched.samples), connectivity(watched.samples)
    rows = max(1, len(grid.rows))
    heights = [max(1.2, rows * _ROW), 2.2]
    figure = Figure(figsize=(11, sum(heights) + 2.0), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=heights)
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    _draw_map(upper, grid, watched.every)
    _draw_levels(lower, levels, watched.every)
    for axes, named in ((upper, True), (lower, False)):
        _draw_phases(axes, watched, named=named)
    _dates(lower, watched)
    return figure


def _draw_map(axes: "Axes", grid: HeatMap, every: timedelta) -> None:
    from matplotlib.patches import Patch, Rectangle

    times = [moment_of(time) for time in grid.times]
    edges = [_numeric(time) for time in (*times, times[-1] + every)] if times else []
    seen = {cell for row in grid.cells for cell in row if cell >= 0} | {0}
    if grid.rows:
        for number, row in enumerate(grid.cells):
            for cell, begins, ends in _runs_of(row):
                state, place = STATES[cell], (edges[begins], number)
                axes.add_patch(
                    Rectangle(
                        place,
                        edges[ends] - edges[begins],
                        1,
                        facecolor=COLOURS[state],
                        hatch=HATCHES.get(state),
                        edgecolor="white",
                        linewidth=0.3,
                    )
                )
        axes.set_yticks(
            [number + 0.5 for number in range(len(grid.rows))], [target for _, target in grid.rows]
        )
        axes.tick_params(axis="y", length=0, labelsize=6)
        axes.set_ylim(len(grid.rows), 0)
        _name_vantages(axes, grid)
    else:
        axes.text(
            0.5,
            0.5,
            "every target was reachable everywhere, at all times",
            ha="center",
            transform=axes.transAxes,
        )
        axes.set_yticks([])
    patches = [
        Patch(facecolor=COLOURS[state], hatch=HATCHES.get(state), edgecolor="white", label=MEANINGS[state])
        for number, state in enumerate(STATES)
        if number in seen
    ]
    axes.legend(
        handles=patches, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=7, frameon=False, handleheight=1.2
    )
    if grid.rows and grid.always:
        said = f"and {len(grid.always)} targets that were reachable everywhere, at all times"
        axes.annotate(
            said, (1, 1), (0, 20), "axes fraction", "offset points", ha="right", va="bottom", fontsize=7
        )


def _runs_of(row: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """The state, first column and end of each run of measured cells in one state."""
    for cell, group in groupby(enumerate(row), key=lambda one: one[1]):
        columns = [number for number, _ in group]
        if cell >= 0:
            yield cell, columns[0], columns[-1] + 1


def _name_vantages(axes: "Axes", grid: HeatMap) -> None:
    vantages = list(dict.fromkeys(vantage for vantage, _ in grid.rows))
    each = len(grid.rows) // len(vantages)
    for number, vantage in enumerate(vantages):
        if number:
            axes.axhline(number * each, color="black", lw=0.8)
        name = axes.text(1.004, (number + 0.5) * each, vantage, va="center", fontweight="bold", fontsize=7)
        name.set_transform(axes.get_yaxis_transform())


def _draw_levels(axes: "Axes", levels: Sequence[ConnectivityPoint], every: timedelta) -> None:
    vantages = [one for one in dict.fromkeys(point.vantage for point in levels) if one != OUTSIDE]
    for number, vantage in enumerate(vantages):
        mine = [point for point in levels if point.vantage == vantage]
        times = [_numeric(moment_of(point.time)) for point in mine]
        axes.step(
            [*times, times[-1] + every / timedelta(days=1)],
            [100 * share for share in (*(point.share for point in mine), mine[-1].share)],
            where="post",
            label=vantage,
            color=_LINES[number % len(_LINES)],
            linestyle=_STYLES[number // len(_LINES) % len(_STYLES)]
            if number >= len(_LINES)
            else _STYLES[number % 4],
            lw=1.3,
        )
    axes.set_ylim(-3, 105)
    axes.set_ylabel("reachable, % of the\noperator's best")
    axes.grid(axis="y", lw=0.3)
    if vantages:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=7)


def _draw_phases(axes: "Axes", watched: Watched, *, named: bool) -> None:
    """A line where each phase begins, with its name above the map."""
    for span in watched.story.spans[1:]:
        axes.axvline(_numeric(span.start), color="black", lw=0.6, ls=(0, (1, 2)))
    if not named:
        return
    whole = (watched.story.end - watched.story.start).total_seconds()
    last = -1.0
    for span in watched.story.spans:
        at = (span.start - watched.story.start).total_seconds() / whole
        if at - last < 0.045:  # no room for its name
            continue
        last = at
        name = span.phase.rpartition(":")[2]
        axes.annotate(
            name, (_numeric(span.start), 0), (2, -2), ("data", "axes fraction"), "offset points",
            rotation=25, fontsize=6, va="top", ha="right", annotation_clip=False,
        )  # fmt: skip


def _dates(axes: "Axes", watched: Watched) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(tz="UTC")  # type: ignore[no-untyped-call,unused-ignore]
    axes.xaxis_date(tz="UTC")
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, tz="UTC")  # type: ignore[no-untyped-call,unused-ignore]
    axes.xaxis.set_major_formatter(formatter)
    axes.set_xlim(_numeric(watched.story.start), _numeric(watched.story.end))
    axes.set_xlabel("the scenario's time, UTC")


def _numeric(time: datetime) -> float:
    """Days since 1970, as matplotlib counts them."""
    return time.timestamp() / 86_400
