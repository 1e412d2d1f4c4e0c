"""What changed since a matrix was kept: `--expect FILE`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.errors import InputError
from testbed.matrix.cell import MatrixCell, MatrixTable

Kept = Mapping[tuple[str, str], Mapping[str, Any]]
_REMEDY = "make it with: testbed matrix … --json > FILE"


def kept_cells(path: Path) -> Kept:
    """The cells of a file that `--json` printed, by tool and box. InputError for any other file."""
    try:
        found = json.loads(path.read_text("utf-8"))
        return {
            (cell["tool"], cell["box"]): {**cell, "ending": str(cell["ending"])} for cell in found["cells"]
        }
    except OSError as error:
        raise InputError.at("--expect", f"cannot read {path}: {error.strerror}", _REMEDY) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError.at("--expect", f"{path} is no matrix", _REMEDY) from error


def changes(table: MatrixTable, kept: Kept) -> Sequence[str]:
    """One line for each cell that differs, that is new, or that is missing; with what decided it now."""
    found = []
    for cell in table.cells:
        before = kept.get((cell.tool, cell.box))
        if before is None:
            found.append(f"{cell.tool} × {cell.box}: new, {cell.ending}")
        elif before["ending"] != cell.ending:
            found.append(
                f"{cell.tool} × {cell.box}: was {before['ending']}, is {cell.ending}{_why(cell, before)}"
            )
    here = {(cell.tool, cell.box) for cell in table.cells}
    found += [
        f"{tool} × {box}: was {kept[tool, box]['ending']}, is missing"
        for tool, box in kept
        if (tool, box) not in here
    ]
    return found


def _why(cell: MatrixCell, before: Mapping[str, Any]) -> str:
    now = cell.decided
    if now.packet:
        return f", by packet {now.packet} (rule {now.rule})"
    if now.reason:
        return f": {now.reason}"
    return (
        f"; it was decided by packet {before['packet']} (rule {before['rule']})"
        if before.get("packet")
        else ""
    )
