"""An outage of the operator's own network, distinguished from a block by what should work in any case.

A block chooses: the scenario's controls work while it lasts. An outage takes whatever comes, so that controls
get no answer either, while they work from outside (a site that is down for everybody fails there as well).
"""

from collections.abc import Iterable

from testbed.scenario.labels import OTHERS_ANSWER, SILENT_LABELS


def silent_share(labels: Iterable[str]) -> float:
    """The share of a vantage's controls that got no answer, by their labels; 0 without controls."""
    given = list(labels)
    return sum(label in SILENT_LABELS for label in given) / len(given) if given else 0.0


def for_everybody(label: str, controls: Iterable[str]) -> str:
    """What a measurement's label says beside those of the vantage's controls, which work from outside.

    Somebody else's answer in place of every control is a portal's; silence where a control is silent as well
    is an outage, at least in part; and what is slow where a control is slow, too, is a slow network or host.
    """
    given = set(controls)
    if given and given <= OTHERS_ANSWER and label in OTHERS_ANSWER:
        return "portal"
    if label == "throttle" and "throttle" in given:
        return "ok"
    return "outage" if given & SILENT_LABELS and label in SILENT_LABELS else label
