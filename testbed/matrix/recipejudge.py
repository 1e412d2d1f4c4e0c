"""What a recipe's row in a world comes to as a try of the matrix. Pure."""

from typing import Final

from testbed.matrix.cell import Ending, MatrixTry
from testbed.truth.toolrun import FLOOD, ToolRun
from testbed.truth.wayjudge import NOT_READY, WayRow

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
    if row.verdict == "broken by itself":
        return MatrixTry(Ending.BROKEN, reason=why[0] if why else f"from outside it comes to {row.free}")
    if row.verdict == "not needed":
        return MatrixTry(Ending.INVALID, reason=f"the direct way is {row.direct}")
    if row.observed == "ok":
        return _through(row, rule)
    if not row.acted:
        return MatrixTry(Ending.UNEXPLAINED, reason=f"{row.observed}, and no rule acted on its flows")
    ending = Ending.DEGRADED if row.observed == "throttle" else Ending.BLOCKED
    return MatrixTry(ending, rule, row.packet, why[0] if row.observed == NOT_READY and why else row.observed)


def _through(row: WayRow, rule: str) -> MatrixTry:
    """A box that noted nothing of the flows had nothing that one of its rules could match."""
    if row.acted or row.passed:
        return MatrixTry(Ending.THROUGH, rule, row.packet, row.passed)
    return MatrixTry(Ending.UNSEEN, reason="its packets showed nothing that a rule of the box is about")


def _misdeed(tool: ToolRun) -> Ending | None:
    if tool.packets > FLOOD:
        return Ending.FLOOD
    if tool.rules or tool.processes or tool.routes:
        return Ending.LEFT
    return Ending.RESOLVER if tool.resolvers else None
