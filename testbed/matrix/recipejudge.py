"""What a recipe's row in a world comes to as a try of the matrix. Pure."""

from typing import Final

from testbed.matrix.cell import Ending, MatrixTry
from testbed.truth.toolrun import FAILED, NO_END, ToolRun
from testbed.truth.wayjudge import NOT_READY, WayRow

_DIRECT: Final = "its connection to the server itself had the name, and the box noted nothing of it"
_UNSEEN: Final = "none of its packets had the name where the box looks for one, or went to the server itself"
_OWN_WORDS: Final = (NOT_READY, FAILED, NO_END)  # outcomes whose reason only the tool or its client knows
_TOOL: Final = {"crash": Ending.CRASH, "hang": Ending.HANG, "other port": Ending.PORT}


def recipe_try(row: WayRow) -> MatrixTry:
    """One try. What a tool did that it must not comes before whether it got through."""
    why = row.why.strip().splitlines()
    rule = row.acted[0].rpartition("/")[2] if row.acted else ""
    if row.verdict == "skipped":
        return MatrixTry(Ending.SKIPPED, reason=why[0])
    if bad := _misdeed(row.tool):
        return MatrixTry(bad, rule, row.packet, "; ".join(row.tool.misdeeds))
    if (failed := _TOOL.get(row.tool.ending)) and (row.verdict == "broken by itself" or not row.acted):
        return MatrixTry(failed, rule, row.packet, why[-1] if why else row.tool.why)
    if row.verdict == "broken by itself" and row.free == NO_END:
        return MatrixTry(Ending.HANG, reason=why[0])
    if row.verdict == "broken by itself":
        return MatrixTry(Ending.BROKEN, reason=why[0] if why else f"from outside it comes to {row.free}")
    if row.verdict == "not needed":
        return MatrixTry(Ending.INVALID, reason=f"the direct way is {row.direct}")
    if row.observed == "ok":
        return _through(row, rule)
    if not row.acted:
        return MatrixTry(Ending.UNEXPLAINED, reason=f"{row.observed}, and no rule acted on its flows")
    ending = Ending.DEGRADED if row.observed == "throttle" else Ending.BLOCKED
    reason = why[-1] if row.observed in _OWN_WORDS and why else row.observed
    return MatrixTry(ending, rule, row.packet, reason, row.speed, row.free_speed)


def _through(row: WayRow, rule: str) -> MatrixTry:
    """A rule could have matched if the box noted a listed name, or the server answered the subscriber itself.

    Without either, all that left the subscriber went to somebody else, and showed no rule's name.
    """
    if row.acted or row.passed:
        return MatrixTry(Ending.THROUGH, rule, row.packet, row.passed, row.speed, row.free_speed)
    if row.answered:
        return MatrixTry(Ending.THROUGH, "", "", _DIRECT, row.speed, row.free_speed)
    return MatrixTry(Ending.UNSEEN, "", "", _UNSEEN, row.speed, row.free_speed)


def _misdeed(tool: ToolRun) -> Ending | None:
    if tool.flooded:
        return Ending.FLOOD
    if tool.rules or tool.processes or tool.routes:
        return Ending.LEFT
    return Ending.RESOLVER if tool.resolvers else None
