"""What a finished run has that is most worth explaining. Loads nothing: every run ends with it."""

from testbed.model import OUTSIDE


def near_end(flow: str) -> str:
    """The inside host's address and port, by which `testbed explain` finds the flow."""
    return flow.partition(" ")[2].partition(" > ")[0]


def interesting_target(summary: object) -> tuple[str, str] | None:
    """Vantage and target of the row that is most worth explaining; None if each was left alone."""
    rows = summary.get("rows") if isinstance(summary, dict) else None
    candidates = [row for row in rows or () if isinstance(row, dict) and row.get("vantage") != OUTSIDE]
    differing = [row for row in candidates if row.get("verdict") not in ("ok", "not measured")]
    acted_on = [row for row in candidates if row.get("by") or row.get("others")]
    for row in (*differing, *acted_on):
        return str(row.get("vantage")), str(row.get("target"))
    return None
