"""Which flow is meant: by its name, by one of its ends, by a target; or the most interesting one."""

from collections.abc import Iterable
from dataclasses import dataclass

from testbed.errors import InputError, nearest
from testbed.explain.evidence import MeasuredFlows, RunEvidence
from testbed.explain.packetsteps import CAPTURE, flows_in
from testbed.explain.pointer import interesting_target
from testbed.model import OUTSIDE

_MOST_NEAR = 400  # names that the nearest is looked for among; our choice: the comparison is slow


@dataclass(frozen=True, slots=True)
class ChosenFlow:
    """A flow, and the measurement that opened it if the built-in probe did."""

    flow: str  # "" : the measurement sent nothing
    measured: MeasuredFlows | None = None


def choose(evidence: RunEvidence, wanted: str = "", vantage: str = "") -> ChosenFlow:
    """The flow that `wanted` names, or the most interesting one. InputError with the nearest for none."""
    if not wanted:
        return _most_interesting(evidence, vantage)
    of_target = [one for one in _at(evidence, vantage) if _is_target(one.measurement.target, wanted)]
    if of_target:
        return _of_target(evidence, of_target)
    known = _known(evidence)
    fits = [flow for flow in known if flow == wanted] or [flow for flow in known if _fits(flow, wanted)]
    fits = fits or list(evidence.flows_named(_host(wanted)))  # of a command, which has no targets
    if not fits:
        raise InputError.at(
            "FLOW", f"no flow or target {wanted!r} in this run", _near(evidence, wanted, known)
        )
    acted = evidence.acted()
    chosen = max(fits, key=lambda flow: acted.get(flow, -1))
    return ChosenFlow(chosen, known.get(chosen))


def _at(evidence: RunEvidence, vantage: str) -> list[MeasuredFlows]:
    known = list(dict.fromkeys(one.measurement.vantage for one in evidence.measured))
    if vantage and vantage not in known:
        raise InputError.at("--vantage", f"nothing was measured from {vantage!r}", nearest(vantage, known))
    return [one for one in evidence.measured if not vantage or one.measurement.vantage == vantage]


def _host(wanted: str) -> str:
    """The name in a URL, or the word itself."""
    bare = wanted.partition("://")[2] or wanted
    return bare.partition("/")[0].partition(":")[0].lower()


def _is_target(target: str, wanted: str) -> bool:
    bare = target.partition("://")[2].rstrip("/")
    return wanted in (target, target.rstrip("/"), bare)


def _of_target(evidence: RunEvidence, measured: list[MeasuredFlows]) -> ChosenFlow:
    """Of the measurements of one target the flow that decided what is said of it, else one behind a filter.

    That is one on which the rule of its row acted, else one on which any did.
    """
    acted = {*evidence.acted()}
    decided = [_decided(evidence, one) for one in measured]
    for flows in (decided, [acted] * len(measured)):
        for one, deciding in zip(measured, flows, strict=True):
            if found := [flow for flow in one.flows if flow in deciding]:
                return ChosenFlow(found[-1], one)
    behind = [one for one in measured if one.measurement.vantage != OUTSIDE] or measured
    return ChosenFlow(behind[0].flows[-1] if behind[0].flows else "", behind[0])


def _decided(evidence: RunEvidence, one: MeasuredFlows) -> set[str]:
    """The flows of the rule that a measurement's row names."""
    place = one.measurement.vantage, one.measurement.target
    rules = {
        str(row["by"])
        for row in evidence.summary.get("rows") or ()
        if row.get("by") and (row["vantage"], row["target"]) == place
    }
    return {flow for by in rules for flow in evidence.acted_by(place[0], by)}


def _known(evidence: RunEvidence) -> dict[str, MeasuredFlows | None]:
    found: dict[str, MeasuredFlows | None] = dict.fromkeys(evidence.triggered())
    found |= dict.fromkeys(evidence.acted())
    found |= dict.fromkeys(flows_in(evidence.folder / CAPTURE))
    for one in evidence.measured:
        found |= dict.fromkeys(one.flows, one)
    return found


def _fits(flow: str, wanted: str) -> bool:
    """Whether `wanted` is one of the flow's ends, its near end's port, or a part of its name in order."""
    near, _, far = flow.partition(" ")[2].partition(" > ")
    return wanted in (near, far, near.rpartition(":")[2], f":{near.rpartition(':')[2]}", f"{near} > {far}")


def _near(evidence: RunEvidence, wanted: str, known: Iterable[str]) -> str:
    targets = list(dict.fromkeys(one.measurement.target for one in evidence.measured))
    words = [*targets, *known][:_MOST_NEAR]
    return nearest(wanted, words)


def _most_interesting(evidence: RunEvidence, vantage: str) -> ChosenFlow:
    """A row that is not as expected, then one that a rule acted on, then a name that passed unread."""
    measured, acted = _at(evidence, vantage), evidence.acted()
    found = interesting_target(evidence.summary)
    if found and (not vantage or vantage == found[0]):
        of_row = [one for one in measured if (one.measurement.vantage, one.measurement.target) == found]
        if of_row:
            return _of_target(evidence, of_row)
    by_flow = {flow: one for one in measured for flow in one.flows}
    first = next((flow for flow in acted if not vantage or flow in by_flow), "")
    first = first or next((flow for flow in evidence.triggered() if not vantage or flow in by_flow), "")
    if first:
        return ChosenFlow(first, by_flow.get(first))
    if measured:
        return _of_target(evidence, measured)
    raise InputError.at(
        str(evidence.folder), "nothing in it names a flow", "the run ended before a connection was made"
    )
