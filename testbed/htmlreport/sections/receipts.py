"""What each censor claims to have done, and what the kernel counted."""

from collections.abc import Mapping

from testbed.htmlreport.blocks import DataGrid, GridCell, GridRow, PageBlock, PageSection, Statement, counted
from testbed.htmlreport.facts import ActedRule, ReportFacts, RunFacts

_EFFECTS = {
    "drop": "dropped", "replace": "rewritten", "inject": "forged", "police": "handed over",
    "delay": "delayed", "policed_drop": "dropped by the limit", "flow_drop": "dropped with the flow",
}  # fmt: skip
_KERNEL_ONLY = ("policed_drop", "flow_drop")  # of flows that were handed over: the core never sees them


def section(facts: ReportFacts) -> PageSection | None:
    """A row for each rule that acted; how many did not."""
    acted = [(run, rule) for run in facts.runs for rule in run.rules if rule.acted]
    idle = sum(not rule.acted for run in facts.runs for rule in run.rules)
    events = any(run.events for run in facts.runs)
    if not acted and not idle and not events:
        return None
    blocks: list[PageBlock] = [
        Statement(
            "A censor claims what it did for a rule, and the kernel counts the packets by itself. Both must "
            "agree: an effect without a receipt is nobody's."
        )
    ]
    if acted:
        head = ("rule", "censor", "run", "does", "claimed", "counted by the kernel", "flows", "agree")
        grid = DataGrid(
            f"{counted(len(acted), 'rule')} that acted",
            head,
            tuple(_row(*one) for one in acted),
            frozenset({6}),
        )
        blocks.append(grid)
    if idle:
        blocks.append(Statement(f"{counted(idle, 'rule')} did nothing."))
    if events:
        blocks.append(_events(facts.runs))
    return PageSection("receipts", "Receipts", tuple(blocks))


def _row(run: RunFacts, rule: ActedRule) -> GridRow:
    agree = all(rule.claimed.get(effect, 0) == rule.kernel.get(effect, 0) for effect in rule.claimed)
    where = f"{run.name}{f' ({rule.part})' if rule.part else ''}"
    return (
        rule.rule,
        rule.censor,
        where,
        rule.action,
        _said(rule.claimed),
        _said(rule.kernel),
        str(rule.flows),
        GridCell("yes", "good") if agree else GridCell("no", "bad"),
    )


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{number:,} {_EFFECTS.get(effect, effect)}" for effect, number in counts.items() if number
    )


def _events(runs: tuple[RunFacts, ...]) -> DataGrid:
    rows = tuple(
        (rule or censor, censor, run.name, kind, f"{number:,}")
        for run in runs
        for (censor, rule, kind), number in run.events.items()
    )
    total = sum(number for run in runs for number in run.events.values())
    return DataGrid(
        f"{counted(total, 'event')}, by rule and kind", ("rule", "censor", "run", "kind", "events"), rows,
        frozenset({4}),
    )  # fmt: skip
