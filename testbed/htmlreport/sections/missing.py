"""What is not there: problems, notes, and all that could not be read."""

from testbed.htmlreport.blocks import Bullets, PageBlock, PageSection, Statement, Subheading
from testbed.htmlreport.facts import ReportFacts


def section(facts: ReportFacts) -> PageSection:
    """A list of each; a sentence where there is nothing."""
    blocks: list[PageBlock] = []
    problems = [f"{run.name}: {one}" for run in facts.runs for one in run.problems]
    notes = [f"{run.name}: {one}" for run in facts.runs for one in run.notes]
    for title, sentences, tone in (
        ("Missing", list(facts.missing), "warn"),
        ("Problems that make a run invalid", problems, "bad"),
        ("Notes", notes, ""),
    ):
        if sentences:
            blocks += [Subheading(title), Bullets(tuple(sentences), tone)]  # type: ignore[arg-type]
    return PageSection(
        "missing",
        "What is missing",
        tuple(blocks or [Statement("Nothing: every file was there and whole.", "good")]),
    )
