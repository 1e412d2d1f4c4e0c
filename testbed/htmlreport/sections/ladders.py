"""The stories of single flows: one for each mechanism, and for what is not as expected."""

from testbed.htmlreport.blocks import Folded, PageBlock, PageSection, Statement, StoryLadder
from testbed.htmlreport.facts import ReportFacts

FEW = 2  # that are open from the beginning; our choice


def section(facts: ReportFacts) -> PageSection | None:
    """A ladder for each story."""
    stories = [story for run in facts.runs for story in run.stories]
    if not stories:
        return None
    blocks: list[PageBlock] = [
        Statement(
            "One flow for each mechanism, and each that is not as expected. "
            "Any other flow: testbed explain RUN TARGET."
        )
    ]
    for number, story in enumerate(stories):
        what = story.target or story.name or story.flow
        title = f"{what} from {story.vantage} in {story.scenario}, phase {story.phase}"
        said = f": {story.outcome}" if story.outcome else ""
        blocks.append(Folded(f"{title}{said}", (StoryLadder(story),), open=number < FEW))
    return PageSection("ladders", "What happened to single flows", tuple(blocks))
