"""The story of one flow of a world that goes on: as `testbed explain` has it, up to now."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from testbed.errors import printable
from testbed.explain.chosen import choose
from testbed.explain.compose import compose
from testbed.explain.evidence import read
from testbed.explain.flowstory import FlowStory
from testbed.report.explained import WIDTH, explained

_NOT_YET: Final = "summary.json"  # of a world that has not ended


def flow_story(folder: Path, flow: str, phase: str, *, goes_on: bool) -> dict[str, Any]:
    """The ladder as text and in steps. `phase`: that in which the flow was; `goes_on`: it has not ended.

    Errors: InputError for a flow that the run does not know.
    """
    evidence = read(folder)
    evidence.missing[:] = [one for one in evidence.missing if not one.startswith(_NOT_YET)]
    evidence.summary = {**evidence.summary, "phase": phase}
    story = compose(evidence, choose(evidence, flow))
    if goes_on:
        story = _before_receipts(story)
    steps = [{**asdict(step), "words": printable(step.words), "detail": {}} for step in story.steps]
    return {
        "flow": printable(story.flow),
        "name": printable(story.name),
        "phase": story.phase,
        "vantage": story.vantage,
        "lanes": [{key: printable(value) for key, value in asdict(lane).items()} for lane in story.lanes],
        "steps": steps,
        "why": [printable(one) for one in story.why],
        "missing": [printable(one) for one in story.missing],
        "text": explained(story, WIDTH),
    }


def _before_receipts(story: FlowStory) -> FlowStory:
    """The kernel's counters are read when a phase ends: until then nobody knows that nothing was changed."""
    later = "; the kernel's counts of it come when the phase ends"
    why = [one.replace(" and changed nothing", later) for one in story.why]
    missing = [one for one in story.missing if not one.startswith("no receipt of ")]
    return replace(story, why=tuple(why), missing=tuple(missing))
