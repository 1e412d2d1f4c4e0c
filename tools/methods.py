"""Renew the table of docs/circumvention.md by real runs: python tools/methods.py [SCENARIO…].

Each scenario has lines of its own; those of scenarios that are not named stay. Without names all are renewed.
The line of a tool that is not installed here says so.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from testbed.model import Scenario
from testbed.run.execute import execute
from testbed.run.job import Job
from testbed.scenario import library
from testbed.scenario.loader import load
from testbed.truth.wayjudge import WayRow

PAGE = Path(__file__).resolve().parents[1] / "docs/circumvention.md"
HEAD = "| Scenario, phases | From | Tool | Target | Directly | By the tool |\n|---|---|---|---|---|---|\n"
_PLACE = re.compile(r"(<!-- python tools/methods\.py -->\n).*?(<!-- end -->)", re.DOTALL)
TRIES = 3  # of a phase whose run is invalid, as on a busy machine


def listed(page: str) -> dict[str, list[str]]:
    """Scenario -> its lines in the table."""
    found = _PLACE.search(page)
    assert found, "the page has no place for the table"
    lines: dict[str, list[str]] = {}
    for line in found[0].splitlines():
        if named := re.match(r"\| `([\w-]+)`", line):
            lines.setdefault(named[1], []).append(line)
    return lines


def renewed(page: str, lines: dict[str, list[str]]) -> str:
    """The page with these lines as its table."""
    text = HEAD + "".join(f"{line}\n" for name in sorted(lines) for line in lines[name])
    return _PLACE.sub(lambda found: f"{found[1]}{text}{found[2]}", page)


def tried(scenario: Scenario) -> dict[str, tuple[WayRow, ...]]:
    """Phase -> what its methods came to, in worlds of their own. The targets themselves are left out."""
    found = {}
    for phase in dict.fromkeys(way.phase for way in scenario.circumvention):
        vantages = tuple(dict.fromkeys(way.vantage for way in scenario.circumvention if way.phase == phase))
        job = Job(replace(scenario, expect=()), phase=phase, vantages=vantages, circumvention=True)
        for _ in range(TRIES):
            result = execute(job)
            if result.ways and all(row.verdict in ("ok", "skipped") for row in result.ways):
                break
        print(f"{scenario.name}/{phase}: {result.verdict}", flush=True)
        found[phase] = result.ways
    return found


def table_lines(scenario: Scenario, found: dict[str, tuple[WayRow, ...]]) -> Iterable[str]:
    """One line for each method and target: phases and vantages with the same result together."""
    together: dict[tuple[str, ...], tuple[dict[str, None], dict[str, None]]] = {}
    for phase, rows in found.items():
        for row in rows:
            phases, vantages = together.setdefault(_said(row), ({}, {}))
            phases[phase] = vantages[row.vantage] = None
    for (tool, target, direct, by_it), (phases, vantages) in together.items():
        where = f"`{scenario.name}`, {', '.join(phases)}"
        yield f"| {where} | {', '.join(vantages)} | {tool} | {target} | {direct} | {by_it} |"


def _said(row: WayRow) -> tuple[str, ...]:
    tool = row.name if row.recipe == row.name else f"{row.name} ({row.recipe})"
    if row.verdict == "skipped":
        return tool, row.target, "", f"not tried: {row.why}"
    good = "" if row.verdict == "ok" else f", **{row.verdict}**"
    by = f"{row.observed}, by `{row.fails_by}`" if row.fails_by else row.observed
    return tool, row.target, row.direct, by + good


def main(names: Sequence[str]) -> None:
    """Renew the lines of these scenarios, or of all."""
    known = library.names()
    lines = {name: found for name, found in listed(PAGE.read_text("utf-8")).items() if name in known}
    for name in names or known:
        scenario = load(name)
        lines[name] = list(table_lines(scenario, tried(scenario)))
        PAGE.write_text(renewed(PAGE.read_text("utf-8"), lines), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
