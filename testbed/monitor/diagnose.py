"""From what was seen at one time to states: from one place, a block, an outage and a dead site look alike.

A block chooses: what nobody blocks works beside it. In an outage the controls get no answer either, while
they work from outside; behind a portal somebody else answers in place of every control, too. A site that is
down fails outside as well, and one that refuses is there for some.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from testbed.model import OUTSIDE
from testbed.monitor.sample import State
from testbed.scenario.labels import OTHERS_ANSWER, SILENT_LABELS

SILENT: Final = SILENT_LABELS | {"dns.error", "outage"}
"""Labels of what an outage may have caused: nothing came, or nothing more; or its resolver gave up."""
FAILED: Final = "failed"  # label of a detector that only says no
_STATES: Final[Mapping[str, State]] = {"ok": "ok", "throttle": "slow", "broken": "down", "refused": "refused",
                                       "outage": "outage", "portal": "portal"}  # fmt: skip

Labels = Mapping[tuple[str, str], str]  # by vantage and target


def state_of(label: str) -> State:
    """The state that a label is by itself."""
    return _STATES.get(label, "blocked")


def diagnosed(labels: Labels, controls: Collection[str]) -> dict[tuple[str, str], State]:
    """The state of each vantage and target.

    `labels`: the probe's, or `ok` and `failed` of a detector; those of the vantage `outside` say whether the
    target works where nobody filters. `controls` are targets that nobody blocks.
    """
    out = {vantage for vantage in {vantage for vantage, _ in labels} if _is_out(vantage, labels, controls)}
    caught = {
        vantage for vantage in {vantage for vantage, _ in labels} if _is_caught(vantage, labels, controls)
    }
    found: dict[tuple[str, str], State] = {}
    for (vantage, target), label in labels.items():
        dead = labels.get((OUTSIDE, target), "ok") in (FAILED, "broken")
        others = [labels[where, what] for where, what in labels if what == target and where != vantage]
        if vantage == OUTSIDE:
            found[vantage, target] = _outside(label, others)
        elif label != "ok" and dead:
            found[vantage, target] = "down"
        elif vantage in out and label in (*SILENT, FAILED):
            found[vantage, target] = "outage"
        elif vantage in caught and label in OTHERS_ANSWER:
            found[vantage, target] = "portal"
        elif label == "http.page" and labels.get((vantage, _sealed(target))) == "refused":
            found[vantage, target] = "refused"  # over TLS the server shows that it does so itself
        else:
            found[vantage, target] = state_of(label)
    return found


def _sealed(target: str) -> str:
    """The same page over TLS."""
    return target.replace("http://", "https://", 1)


def _outside(label: str, inside: Iterable[str]) -> State:
    """Where nothing filters: a server that is down, or that refuses this side.

    The probe sees which; of a detector that only says no, others must reach it.
    """
    if label == "ok":
        return "ok"
    return "refused" if label == "refused" or (label == FAILED and "ok" in inside) else "down"


def _is_out(vantage: str, labels: Labels, controls: Collection[str]) -> bool:
    """Whether controls that work from outside get no answer at a vantage."""
    return any(label in (*SILENT, FAILED) for label in _of_controls(vantage, labels, controls))


def _is_caught(vantage: str, labels: Labels, controls: Collection[str]) -> bool:
    """Whether somebody else answers there in place of every control that works from outside."""
    mine = _of_controls(vantage, labels, controls)
    return bool(mine) and all(label in OTHERS_ANSWER or label == "portal" for label in mine)


def _of_controls(vantage: str, labels: Labels, controls: Collection[str]) -> list[str]:
    """The labels at a vantage of the controls that work from outside."""
    return [
        labels[vantage, control]
        for control in controls
        if vantage != OUTSIDE and (vantage, control) in labels and labels.get((OUTSIDE, control)) == "ok"
    ]
