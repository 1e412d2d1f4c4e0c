"""Write the table of match keys into docs/scenarios.md: python tools/match_keys.py."""

import re
from pathlib import Path

from testbed.censor.match import KEYS

PAGE = Path(__file__).resolve().parents[1] / "docs/scenarios.md"
BEGIN, END = "<!-- python tools/match_keys.py -->", "<!-- end -->"


def table() -> str:
    """The table in Markdown, a row for each key."""
    rows = ["| key | matches | written |", "|---|---|---|"]
    rows += [f"| `{key.name}` | {key.description} | {key.written} |" for key in KEYS.values()]
    return "\n".join(rows)


def renewed(page: str) -> str:
    """The page with the current table. ValueError if the page has no place for it."""
    place = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not place.search(page):
        raise ValueError(f"the page has no {BEGIN} … {END}")
    return place.sub(lambda _: f"{BEGIN}\n{table()}\n{END}", page)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
