"""The sections of a page in their order, and the page as a whole."""

from testbed.htmlreport.blocks import PageSection, ReportPage
from testbed.htmlreport.facts import ReportFacts
from testbed.htmlreport.sections import (
    detectors,
    ladders,
    missing,
    reachability,
    receipts,
    reproduce,
    strategies,
    summary,
    throughput,
    topology,
    truth,
    verdicts,
)

_ORDER = (
    summary, verdicts, topology, throughput, reachability, ladders, receipts, truth, detectors, strategies,
    missing, reproduce,
)  # fmt: skip


def page_of(facts: ReportFacts) -> ReportPage:
    """The page: each section that has something to show. UnsupportedError without matplotlib."""
    made: list[PageSection | None] = [module.section(facts) for module in _ORDER]
    return ReportPage(_title(facts), tuple(one for one in made if one is not None), facts.missing)


def _title(facts: ReportFacts) -> str:
    scenarios = list(dict.fromkeys(run.scenario for run in facts.runs))
    if len(scenarios) == 1:
        run = facts.runs[0]
        return f"{run.title or run.scenario}: a report"
    if len(scenarios) > 1:
        return f"{len(scenarios)} scenarios: a report"
    names = [one.detector for one in facts.evaluations]
    names += [str(name) for one in facts.monitors for name in one.settings.get("scenarios") or ()]
    return f"{', '.join(dict.fromkeys(names)) or 'Tools against boxes'}: a report"
