"""Transfers over time beside the limit that a rule set: a policer's saw-tooth, a shaper's flat line."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from testbed.htmlreport.blocks import DataGrid, Folded, PageBlock, PageSection, PlotFigure, Statement, counted
from testbed.htmlreport.drawing import LINES, MARKERS, PAPER, STYLES, drawn, label
from testbed.htmlreport.facts import RateCurve, ReportFacts, RunFacts
from testbed.model import OUTSIDE
from testbed.report.table import bitrate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 12  # pictures; our choice: the rest is in the table
FEW = 4  # that are open from the beginning
_Limited = tuple[RunFacts, str, list[RateCurve]]  # run, target, its transfers


def section(facts: ReportFacts) -> PageSection | None:
    """A picture for each target that a rule limited, with every vantage's curve; all transfers in a table."""
    groups: list[_Limited] = []
    for run in facts.runs:
        targets = dict.fromkeys(one.target for one in run.curves if one.limit is not None)
        groups += [(run, it, [one for one in run.curves if one.target == it]) for it in targets]
    all_of = [(run, one) for run in facts.runs for one in run.curves]
    if not all_of:
        return None
    blocks: list[PageBlock] = []
    if groups:
        blocks.append(
            Statement(
                "A policer drops what is too much, so a sender's rate jumps around the limit. A shaper "
                "holds it back, so the rate is flat. The dashed line is the limit that the rule has set."
            )
        )
    groups = _mixed(groups)
    for number, (run, target, curves) in enumerate(groups[:MOST]):
        limited = [one for one in curves if one.vantage != OUTSIDE]
        actions = ", ".join(dict.fromkeys(one.action for one in limited if one.action))
        title = f"{target} in {run.name}: {actions}"
        picture = PlotFigure(
            "Rate at the receiver", rate_svg(f"rate{number}", limited), _in_words(limited), _steps(limited)
        )
        blocks.append(Folded(title, (picture,), open=number < FEW))
    if len(groups) > MOST:
        blocks.append(
            Statement(f"{len(groups) - MOST} more limited targets have no picture, only their rows below.")
        )
    blocks.append(_table(all_of))
    return PageSection("throughput", "Throughput over time", tuple(blocks))


def _mixed(groups: list[_Limited]) -> list[_Limited]:
    """Those of different actions and limits first, so that each is among those with a picture."""
    seen: Counter[tuple[str, float]] = Counter()
    placed = []
    for one in groups:
        limits = {(curve.action, curve.limit) for curve in one[2] if curve.limit is not None}
        placed.append((max(seen[limit] for limit in limits), one))
        seen.update(limits)
    return [one for _, one in sorted(placed, key=lambda each: each[0])]


def rate_svg(key: str, curves: Sequence[RateCurve]) -> str:
    """A line for each vantage, with dashes and marks of its own, too, and the limits."""

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        for number, one in enumerate(curves):
            times = [step * one.step for step in range(len(one.rates) + 1)]
            axes.step(
                times,
                [rate / 1000 for rate in (*one.rates, one.rates[-1])],
                where="post",
                color=PAPER[LINES[number % len(LINES)]],
                linestyle=STYLES[number % len(STYLES)],
                marker=MARKERS[number % len(MARKERS)],
                markersize=3,
                markevery=max(1, len(times) // 12),
                linewidth=1.2,
                label=label(one.vantage),
            )
        limits = sorted({one.limit for one in curves if one.limit is not None})
        for limit in limits:
            axes.axhline(limit / 1000, color=PAPER["ink"], linestyle=(0, (6, 3)), linewidth=1)
            axes.annotate(
                f"limit {bitrate(limit)}", (1, limit / 1000), (-2, 3), ("axes fraction", "data"),
                "offset points", ha="right", va="bottom",
            )  # fmt: skip
        highest = max((max(one.rates) for one in curves if one.rates), default=0)
        top = min(highest, 4 * max(limits)) if limits else highest  # the burst at the beginning goes beyond
        axes.set(
            xlabel="seconds since the first packet", ylabel="kbit/s", ylim=(0, max(1, 1.15 * top / 1000)),
            xlim=(0, None),
        )  # fmt: skip
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))

    return drawn(key, 7.6, 3.0, draw)


def _in_words(curves: Sequence[RateCurve]) -> str:
    return " ".join(
        f"{one.vantage}: {bitrate(steady(one))} on average after the first second, "
        f"{bitrate(max(one.rates))} at most{_limit(one)}."
        for one in curves
        if one.rates
    )


def _limit(one: RateCurve) -> str:
    return f", limit {bitrate(one.limit)} by {one.rule} ({one.action})" if one.limit is not None else ""


def steady(one: RateCurve) -> float:
    """The mean rate after the first second, in which a policer's burst passes, and without the last step."""
    after = one.rates[round(1 / one.step) : -1]
    return fmean(after or one.rates)


def _steps(curves: Sequence[RateCurve]) -> DataGrid:
    longest = max((len(one.rates) for one in curves), default=0)
    step = curves[0].step
    rows = tuple(
        (
            f"{number * step:g}",
            *(f"{one.rates[number] / 1000:,.0f}" if number < len(one.rates) else "" for one in curves),
        )
        for number in range(longest)
    )
    head = ("seconds", *(f"{one.vantage}, kbit/s" for one in curves))
    return DataGrid(f"Rate in steps of {step:g} s", head, rows, frozenset(range(len(head))), sortable=False)


def _table(curves: Sequence[tuple[RunFacts, RateCurve]]) -> DataGrid:
    rows = tuple(
        (
            one.target,
            one.vantage,
            run.name,
            "upload" if one.direction == "up" else "download",
            f"{sum(one.rates) * one.step / 8000:,.0f}",
            f"{steady(one) / 1000:,.0f}",
            f"{one.limit / 1000:,.0f}" if one.limit is not None else "",
            f"{one.rule} ({one.action})" if one.rule else "",
            one.source,
        )
        for run, one in curves
    )
    return DataGrid(
        f"{counted(len(rows), 'transfer')}",
        ("target", "vantage", "run", "direction", "kB", "kbit/s", "limit, kbit/s", "rule", "measured by"),
        rows,
        frozenset({4, 5, 6}),
    )
