"""A story's steps as rows of a table: in which columns each arrow and each note is."""

from collections.abc import Iterator
from dataclasses import dataclass

from testbed.explain.flowstory import FlowStory
from testbed.report.explained import LADDER_LEGEND, STEP_SIGNS

MOST_LANES = 10  # for which the page's style has a width; our choice


@dataclass(frozen=True, slots=True)
class LadderRow:
    """One step. Before it `before` lanes are empty, it takes `span` of them, and `after` follow."""

    moment: str
    before: int
    span: int
    after: int
    kind: str  # "right", "left", or a note's
    sign: str
    words: str
    heard: str = ""  # whence and whither, for who does not see the arrow
    stopped: bool = False


def ladder_rows(story: FlowStory) -> Iterator[LadderRow]:
    """The rows in the order of cause and effect."""
    index = {lane.key: place for place, lane in enumerate(story.lanes)}
    titles = [lane.title for lane in story.lanes]
    begin = next((step.t for step in story.steps if step.t is not None), 0.0)
    last = ""
    for step in story.steps:
        moment = "" if step.t is None else _moment(step.t - begin)
        shown, last = ("" if moment == last else moment), moment or last
        here = index.get(step.lane, 0)
        if step.to in index and step.to:
            there = index.get(step.stops or step.to, index[step.to])
            left, right = sorted((here, there))
            yield LadderRow(
                shown,
                left,
                right - left + 1,
                len(titles) - right - 1,
                "right" if there >= here else "left",
                "✕" if step.stops else "▶" if there >= here else "◀",
                step.words,
                f"{titles[here]} to {titles[index[step.to]]}"
                + (f", goes no further than {titles[there]}" if step.stops else ""),
                stopped=bool(step.stops),
            )
        else:
            sign = STEP_SIGNS.get(step.kind, "·")
            yield LadderRow(shown, here, len(titles) - here, 0, step.kind, sign, step.words, titles[here])


def legend_of(story: FlowStory) -> str:
    """What the signs mean that the story has."""
    used = {STEP_SIGNS[step.kind] for step in story.steps if step.kind in STEP_SIGNS and not step.to}
    return ", ".join(f"{sign} {meaning}" for sign, meaning in LADDER_LEGEND if sign in used)


def _moment(t: float) -> str:
    return f"{t * 1000:.1f} ms" if abs(t) < 1 else f"{t:.3f} s"
