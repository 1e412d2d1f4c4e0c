"""What a match event says beside the rule's name: what the box had seen by then, what it did, its timers."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from testbed.censor.decision import Decision, Verdict
from testbed.censor.handover import Handover, Pass
from testbed.censor.models import Model
from testbed.censor.packet import TCP, Packet

if TYPE_CHECKING:
    from testbed.censor.flow import Flow

_DID = {Verdict.PASS: "pass", Verdict.DROP: "drop", Verdict.REPLACE: "replace"}


def seen(flow: "Flow", packet: Packet, model: Model) -> dict[str, object]:
    """How the box reads this flow and how much it has of it.

    `model`: key of the inspector model; `buffered`: bytes put together, of a model that does so; `budget`:
    payload packets that it still reads after this one, where they are counted.
    """
    found: dict[str, object] = {"model": model.key} if packet.protocol == TCP else {}
    if flow.inspection.stream is not None and model.view == "stream":
        found["buffered"] = len(flow.inspection.stream.prefix)
    if flow.inspection.budget is not None:
        found["budget"] = flow.inspection.budget
    return found


def done(decision: Decision, now: float) -> dict[str, object]:
    """What became of the packet that triggered the rule, and what the kernel was given.

    `verdict`: pass, drop or replace; `forged`: packets made; `late`: seconds for which the packet is held;
    `handover`: the limit, as {"police": {"rate": 140000, ...}}.
    """
    found: dict[str, object] = {"verdict": _DID[decision.verdict]}
    if forged := sum(not one.released for one in decision.inject):
        found["forged"] = forged
    if decision.release_at is not None:
        found["late"] = round(decision.release_at - now, 6)
    if decision.handover is not None and not isinstance(decision.handover, Pass):
        found["handover"] = described(decision.handover)
    return found


def described(handover: Handover) -> dict[str, Any]:
    """A handover as plain JSON: its name, and its parameters."""
    values = {one.name: getattr(handover, one.name) for one in fields(handover)}
    return {type(handover).__name__.lower(): values}
