"""Make docs/matrix-recipes.md again, from real runs: python tools/matrix_page.py [--jobs N] [--out FOLDER].

With `--out FOLDER` every try is kept there, and an interrupted measurement goes on. `--from FILE` draws what
`testbed matrix --json` printed, and runs nothing. `--only RECIPE…` measures these, and keeps the other rows.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from testbed.matrix.livetable import bench  # noqa: E402
from testbed.report.matrixpage import matrix_page, matrix_picture  # noqa: E402

PAGE, CELLS = ROOT / "docs/matrix-recipes.md", ROOT / "docs/matrix-recipes.json"
PICTURE = "matrix-recipes.svg"
COMMAND = "make matrix-page"
GRIDS = ("evade",)  # it is for searches


def shipped() -> list[str]:
    """The recipes of the repository."""
    return sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml") if path.stem not in GRIDS)


def merged(kept: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The rows of `found`, and those of `kept` that it does not have, in the order of the recipes."""
    new = {cell["tool"] for cell in found["cells"]}
    cells = [cell for cell in kept["cells"] if cell["tool"] not in new] + found["cells"]
    order = shipped()
    return found | {"cells": sorted(cells, key=lambda cell: order.index(cell["tool"]))}


def main() -> None:
    """Measure, or read; write page, picture and cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="worlds side by side")
    parser.add_argument("--repeats", type=int, default=1, help="tries of each cell")
    parser.add_argument("--from", dest="kept", type=Path, help="cells that were measured before")
    parser.add_argument("--out", type=Path, help="keep every try there; what is there is not tried again")
    parser.add_argument("--only", nargs="+", metavar="RECIPE", help="the rows that are measured")
    given = parser.parse_args()
    if given.kept:
        found = json.loads(given.kept.read_text("utf-8"))
    else:
        wanted = given.only or shipped()
        found = bench(wanted, ["profiles"], given.repeats, given.jobs, given.out).to_json()
    if given.only:
        found = merged(json.loads(CELLS.read_text("utf-8")), found)
    CELLS.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")
    (PAGE.parent / PICTURE).write_text(matrix_picture(found), "utf-8")
    PAGE.write_text(matrix_page(found, PICTURE, COMMAND), "utf-8")


if __name__ == "__main__":
    main()
