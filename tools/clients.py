"""Write the table of docs/clients.md from runs of every client, as root: python tools/clients.py."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.clients.table import lines

PAGE = Path(__file__).resolve().parents[1] / "docs/clients.md"
BEGIN, END = "<!-- python tools/clients.py -->", "<!-- end -->"


def main() -> None:
    """Run them all; takes some minutes."""
    with TemporaryDirectory() as folder:
        table = "\n".join(lines(Path(folder)))
    page = PAGE.read_text("utf-8")
    place = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not place.search(page):
        print(table)
        raise SystemExit(f"{PAGE}: no place for the table: {BEGIN} … {END}")
    PAGE.write_text(place.sub(lambda _: f"{BEGIN}\n{table}\n{END}", page), "utf-8")


if __name__ == "__main__":
    main()
