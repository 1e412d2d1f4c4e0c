"""Write the tables of docs/conformance.md from a run of all cases: python tools/conformance.py."""

import re
from pathlib import Path

from testbed.conformance.results import counts, markdown
from testbed.conformance.suite import CaseResult, choose, run_live, run_on_core

PAGE = Path(__file__).resolve().parents[1] / "docs/conformance.md"
BEGIN, END = "<!-- python tools/conformance.py -->", "<!-- end -->"


def renewed(page: str, outcomes: list[CaseResult]) -> str:
    """The page with the tables of these results. ValueError if the page has no place for them."""
    place = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not place.search(page):
        raise ValueError(f"no place for the tables: {BEGIN} … {END}")
    held = "\n".join(f"- {line}" for line in counts(outcomes))
    return place.sub(lambda _: f"{BEGIN}\n{held}\n\n{markdown(outcomes)}\n{END}", page)


if __name__ == "__main__":
    chosen = choose()
    ran = run_on_core(chosen, lambda _: None) + run_live(chosen, lambda _: None)
    PAGE.write_text(renewed(PAGE.read_text("utf-8"), ran), "utf-8")
