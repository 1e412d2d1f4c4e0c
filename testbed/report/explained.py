"""The story of a flow in the terminal: a ladder with a lane for each place, and what it means."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from testbed.errors import printable
from testbed.explain.flowstory import FlowStory, Lane, StoryStep

WIDTH: Final = 110  # columns; our choice
_TIME: Final = 11
STEP_SIGNS: Final = {"saw": "◇", "matched": "◆", "did": "●", "timer": "◷", "counted": "#", "passed": "○",
                "received": "◀", "ended": "■"}  # fmt: skip
LADDER_LEGEND: Final = (
    ("──▶", "sent on"), ("─┼─", "passes a censor"), ("─✕", "goes no further"), ("◇", "the box saw"),
    ("◆", "a rule matched"), ("●", "it did"), ("◷", "timer"), ("#", "counted by the kernel"),
    ("○", "left alone"), ("◀", "the client received"), ("■", "how it ended"),
)  # fmt: skip


def explained(story: FlowStory, width: int = WIDTH) -> str:
    """The story as text."""
    return "\n".join(printable(line).rstrip() for line in _lines(story, width)) + "\n"


def _lines(story: FlowStory, width: int) -> Iterator[str]:
    what = story.target or story.name
    yield f"{what}   {story.flow}" if what else story.flow or "no flow was opened"
    yield f"{story.vantage} in {story.scenario}, phase {story.phase}"
    if story.outcome:
        yield f"observed: {story.outcome}"
    yield ""
    yield from _ladder(story, width)
    yield ""
    for sentence in story.why:
        yield from _wrapped(sentence, "why: ", width)
    for sentence in story.missing:
        yield from _wrapped(sentence, "missing: ", width)
    for flow in story.others:
        yield f"same measurement: {flow}"
    used = _used(story)
    yield from _wrapped(
        ", ".join(f"{sign} {meaning}" for sign, meaning in LADDER_LEGEND if sign in used), "legend: ", width
    )


def _used(story: FlowStory) -> set[str]:
    signs = {STEP_SIGNS[step.kind] for step in story.steps if step.kind in STEP_SIGNS and not step.to}
    if any(step.to for step in story.steps):
        signs |= {"──▶", "─┼─"} if len(story.lanes) > 2 else {"──▶"}
    return signs | ({"─✕"} if any(step.stops for step in story.steps) else set())


def _wrapped(sentence: str, label: str, width: int) -> list[str]:
    return textwrap.wrap(label + sentence, width, subsequent_indent=" " * len(label), break_on_hyphens=False)


def _ladder(story: FlowStory, width: int) -> Iterator[str]:
    columns = _columns(story.lanes, width)
    yield " " * _TIME + _row([(columns[i], lane.title) for i, lane in enumerate(story.lanes)], width)
    yield " " * _TIME + _row([(columns[i], lane.detail) for i, lane in enumerate(story.lanes)], width)
    index = {lane.key: place for place, lane in enumerate(story.lanes)}
    begin = next((step.t for step in story.steps if step.t is not None), 0.0)
    shown = ""
    for step in story.steps:
        moment = _moment(step.t - begin) if step.t is not None else ""
        head = f"{'' if moment == shown else moment:>{_TIME - 2}}  "
        shown = moment or shown
        if step.to and step.lane in index and step.to in index:
            yield head + _arrow(step, index, columns)
            continue
        lane = columns[index.get(step.lane, 0)]
        for number, line in enumerate(_note(step, lane, width)):
            yield (head if not number else " " * _TIME) + _beside(line, lane, columns)


def _columns(lanes: Sequence[Lane], width: int) -> list[int]:
    """Where the lanes are: evenly, the last with room for its title."""
    room = width - _TIME - max(12, *(len(lane.title) for lane in lanes[-1:]))
    step = max(16, room // max(1, len(lanes) - 1))
    return [number * step for number in range(len(lanes))]


def _row(cells: Sequence[tuple[int, str]], width: int) -> str:
    line = ""
    for number, (at, text) in enumerate(cells):
        room = (cells[number + 1][0] if number + 1 < len(cells) else width) - at - 1
        line = line.ljust(at) + (text if len(text) <= room else text[: max(1, room - 1)] + "…")
    return line


def _moment(t: float) -> str:
    return f"{t * 1000:.1f} ms" if abs(t) < 1 else f"{t:.3f} s"


def _arrow(step: StoryStep, index: dict[str, int], columns: list[int]) -> str:
    """An arrow over the lanes, its words on the first part."""
    first, last = index[step.lane], index[step.stops or step.to]
    left, right = sorted((columns[first], columns[last]))
    canvas = [" "] * (columns[-1] + 1)
    for place in columns:
        canvas[place] = "│"
    for place in range(left + 1, right):
        canvas[place] = "─"
    for place in columns:
        if left < place < right:
            canvas[place] = "┼"
    rightwards = columns[first] < columns[last]
    head = right - 1 if rightwards else left + 1
    canvas[head] = ("▶" if rightwards else "◀") if not step.stops else "✕"
    words = f" {step.words} "
    room = right - left - 4
    words = words if len(words) <= room else words[: room - 2] + "… "
    start = left + 2
    canvas[start : start + len(words)] = list(words)
    return "".join(canvas)


def _note(step: StoryStep, lane: int, width: int) -> list[str]:
    room = max(30, width - _TIME - lane - 2)
    sign = STEP_SIGNS.get(step.kind, "·")
    return textwrap.wrap(f"{sign} {step.words}", room, subsequent_indent="  ", break_on_hyphens=False)


def _beside(words: str, lane: int, columns: list[int]) -> str:
    """The words at a lane, with the bars of the lanes that they leave free."""
    line = "".join("│" if place in columns else " " for place in range(lane)) + words
    for place in columns:
        if place > len(line) + 1:
            line = line.ljust(place) + "│"
    return line
