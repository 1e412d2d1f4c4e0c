"""Make docs/matrix-recipes.md again, from real runs: python tools/matrix_page.py [--jobs N] [--out FOLDER].

With `--out FOLDER` every try is kept there, and an interrupted measurement goes on. `--from FILE` draws what
`testbed matrix --json` printed, and runs nothing.
"""

import argparse
import json
import sys
from pathlib import Path

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


def main() -> None:
    """Measure, or read; write page, picture and cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="worlds side by side")
    parser.add_argument("--repeats", type=int, default=1, help="tries of each cell")
    parser.add_argument("--from", dest="kept", type=Path, help="cells that were measured before")
    parser.add_argument("--out", type=Path, help="keep every try there; what is there is not tried again")
    given = parser.parse_args()
    if given.kept:
        found = json.loads(given.kept.read_text("utf-8"))
    else:
        found = bench(shipped(), ["profiles"], given.repeats, given.jobs, given.out).to_json()
    CELLS.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")
    (PAGE.parent / PICTURE).write_text(matrix_picture(found), "utf-8")
    PAGE.write_text(matrix_page(found, PICTURE, COMMAND), "utf-8")


if __name__ == "__main__":
    main()
