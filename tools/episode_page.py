"""The text of docs/episodes: what follows from a scenario's file, and the blocks that describe its runs."""

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from testbed.model import OUTSIDE, Phase, Recipe, Scenario
from testbed.report.table import bitrate, kilobytes
from testbed.scenario.labels import CAUSELESS, LABELS, explain_label
from testbed.scenario.summary import rule_lines
from testbed.truth.expected import Truth, truth
from testbed.truth.judge import Row
from tools.history import ON_PAGES
from tools.references import entries, reference

FOLDER = Path(__file__).resolve().parents[1] / "docs/episodes"
PICTURES = FOLDER / "pictures"
END: Final = "<!-- end -->"
MEASURED: Final = "Measured: "  # the line of a block with what differs from run to run, besides packets
_WIDTH = 120
_FEBRUARY_TO_APRIL = ("twitter-facebook-2022-02", "twitter-facebook-block-2022-03")  # of docs/monitoring
_SENTENCES = 3  # of a paragraph, at least
_POINTS_BACK = re.compile(r"(That|This|These|They|It|Its|Here|There|Others?|Then)\b")
_RUN = re.compile(r"<!-- run: ([\w-]+) -->\n.*?" + re.escape(END), re.DOTALL)
_GRADES = (
    "H: a primary source with a precise statement. M: one measurement, or a statement at second hand. L: "
    "an anecdote or an inference. An empty cell: the source is used in the text or for how packets look, not "
    "for a phase ([all keys](../sources.md))."
)
_RULES = (
    "The filters, their rules, what these look for, and what they do (rates in bit/s, sizes in bytes, times "
    "in seconds):"
)
_CHOICES = (
    '- Where the text says "our choice", no source gives the value. Addresses and prefixes that are our '
    "choice are marked in [the world's file](../../scenarios/worlds/runet.yaml)."
)
_TOOLS = (
    "In this scenario. `testbed run {} --circumvention` tries these, as far as they are installed, beside "
    "the direct way and where nothing filters ([how](../circumvention.md))."
)
_INDEX = (
    "Each page is about one episode: what happened, who reported it, what the packets did in a real run, "
    "what is uncertain, and how to replay it. `make episodes` makes the pages from the scenarios in "
    "[`scenarios/`](../../scenarios)."
)

Seen = Mapping[tuple[str, str], Row]
"""A run's rows by vantage and target."""


@dataclass(frozen=True, slots=True)
class DrawnFlow:
    """The flow of an episode that is drawn: `testbed ladder NAME --vantage VANTAGE TARGET`."""

    vantage: str
    censor: str
    target: str


def drawn_flow(scenario: Scenario) -> DrawnFlow | None:
    """The first thing that a rule does in the default phase, if possible on the path and to TLS; or None."""
    places = scenario.phases[scenario.default_phase].placements
    found = [
        (place.at != "hop", not each.target.url.startswith("https:"), each, place)
        for each in scenario.expect
        if each.phase == scenario.default_phase and each.outcome not in CAUSELESS and each.tries == 1
        for place in places
        if place.operator == each.vantage
        and each.by.rpartition("/")[2] in {rule.name for rule in place.policy.rules}
    ]
    if not found:
        return None
    *_, first, place = min(found, key=lambda one: one[:2])
    return DrawnFlow(first.vantage, place.policy.name, first.target.url)


def page(scenario: Scenario, runs: Mapping[str, str]) -> str:
    """The page of an episode; `runs` has the block of each phase that was run."""
    made = (
        "This page is made by `python tools/episodes.py` from "
        f"[the scenario](../../scenarios/{scenario.name}.yaml) and from runs of it."
    )
    parts = [
        f"# {scenario.title}",
        f"{_when(scenario)}. [All episodes](README.md)",
        "## What happened",
        *_paragraphs(scenario.notes),
        _timeline(scenario),
        "## Who reported it",
        _sources(scenario),
        _wrapped(_GRADES),
        "## What the packets did",
        "Each phase was run: every target measured from every operator, over IPv4, with the built-in probe.",
        *(runs.get(phase, f"<!-- run: {phase} -->\nNot run yet.\n{END}") for phase in scenario.phases),
        _labels(scenario),
        *_rules(scenario),
        *_pictures(scenario),
        *_circumvention(scenario),
        "## What is uncertain",
        _uncertain(scenario),
        "## Replay it",
        _replay(scenario),
        _wrapped(made),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def index(scenarios: Iterable[Scenario]) -> str:
    """The page that lists the episodes by time."""
    lines = [
        "# Episodes",
        "",
        _wrapped(_INDEX),
        "",
        "| when | episode | operators | what a subscriber meets |",
        "|---|---|---|---|",
    ]
    for scenario in sorted(scenarios, key=lambda one: (one.period == "any", one.period)):
        operators = ", ".join(operator.name for operator in scenario.world.operators)
        labels = {each.outcome for each in scenario.expect} - {"ok"}
        met = ", ".join(label for label in LABELS if label in labels) or "nothing"
        lines.append(f"| {_when(scenario)} | [{scenario.title}]({scenario.name}.md) | {operators} | {met} |")
    return "\n".join([*lines, "", "Each page says what its labels mean.", ""])


def runs_of(text: str) -> dict[str, str]:
    """The blocks of a page that come from runs, by phase."""
    return {found[1]: found[0] for found in _RUN.finditer(text)}


def run_block(scenario: Scenario, phase: str, seen: Seen | None = None) -> str:
    """What was observed in a phase; without a run, what has to be, with nothing counted."""
    expected = truth(scenario, phase)
    lines = [f"<!-- run: {phase} -->", f"### {scenario.phases[phase].title or phase}", ""]
    lines += [*_matrix(scenario, expected), ""]
    caused = [one for one in expected if one.by]
    if caused:
        lines += ["| rule | acted in | packets that the kernel counted |", "|---|---|---|"]
    for rule in dict.fromkeys(one.by for one in caused):
        own = [(one.vantage, one.target.url) for one in caused if one.by == rule]
        counts = [seen[each].kernel if seen else 0 for each in own]
        acted = sum(map(bool, counts)) if seen else len(own)
        measurements = f"{len(own)} measurement{'' if len(own) == 1 else 's'}"
        lines.append(f"| `{rule}` | {acted} of {measurements} | {sum(counts)} |")
    if caused:
        lines.append("")
    if measured := _measured(scenario, seen or {}):
        lines += [measured, ""]
    return "\n".join([*lines, END])


def _matrix(scenario: Scenario, expected: Sequence[Truth]) -> list[str]:
    """Targets by operators; operators that see the same share a column."""
    targets = list(dict.fromkeys(one.target.url for one in expected))
    cells = {(one.vantage, one.target.url): _cell(one) for one in expected}
    columns: dict[tuple[str, ...], list[str]] = {}
    for vantage in dict.fromkeys(one.vantage for one in expected):
        columns.setdefault(tuple(cells.get((vantage, url), "—") for url in targets), []).append(vantage)
    heads = [", ".join(_operator(scenario, one) for one in group) for group in columns.values()]
    rows = [
        f"| `{url}` | {' | '.join(row)} |"
        for url, row in zip(targets, zip(*columns, strict=True), strict=True)
    ]
    return [f"| target | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|", *rows]


def _cell(one: Truth) -> str:
    label = one.outcome if one.outcome == "ok" else f"**{one.outcome}**"
    return f"{label} in a share of {one.tries} tries" if one.share else label


def _measured(scenario: Scenario, seen: Seen) -> str:
    """Speeds, sizes and shares of this run; they differ a little from run to run."""
    said: dict[str, list[str]] = {}
    for row in seen.values():
        what = ""
        if row.observed == "throttle" and row.rate is not None:
            what = f"about {bitrate(float(f'{row.rate:.1e}'))}"
        elif row.observed == "freeze" and row.received is not None:
            what = f"a stop after {kilobytes(row.received)}"
        elif row.tries is not None:
            what = f"{row.hits} of {row.tries} tries"
        if what:
            said.setdefault(what, []).append(_operator(scenario, row.vantage))
    parts = [f"{what} ({', '.join(dict.fromkeys(where))})" for what, where in said.items()]
    return f"{MEASURED}{'; '.join(parts)}." if parts else ""


def _timeline(scenario: Scenario) -> str:
    lines = ["| from (UTC) | phase | who filters | sources |", "|---|---|---|---|"]
    for name, phase in scenario.phases.items():
        begun = _time(phase.start) if phase.start else f"until {_time(phase.end)}" if phase.end else ""
        sources = ", ".join(f"{key} ({confidence})" for key, confidence in phase.sources.items())
        lines.append(f"| {begun} | {phase.title or name} (`{name}`) | {_who(scenario, phase)} | {sources} |")
    return "\n".join(lines)


def _who(scenario: Scenario, phase: Phase) -> str:
    """Who filters with which censor, and what else differs in the phase."""
    at: dict[str, list[str]] = {}
    for place in phase.placements:
        at.setdefault(place.policy.name, []).append(place.operator)
    boxes: dict[tuple[str, ...], list[str]] = {}
    for box, operators in at.items():
        boxes.setdefault(tuple(operators), []).append(f"`{box}`")
    found = [f"{', '.join(names)} at {_operators(scenario, where)}" for where, names in boxes.items()]
    found = found or ["nobody"]
    if phase.sites:
        found.append(f"the servers of {', '.join(phase.sites)} do otherwise")
    if phase.links:
        found.append(f"links of {', '.join(_operator(scenario, one) for one in phase.links)} are worse")
    return "; ".join(found)


def _sources(scenario: Scenario) -> str:
    known = entries()
    graded: dict[str, list[str]] = {}
    for name, phase in scenario.phases.items():
        for key, confidence in phase.sources.items():
            graded.setdefault(key, []).append(f"{confidence} for `{name}`")
    shared: dict[str, list[str]] = {}
    for key in dict.fromkeys([*scenario.sources, *graded]):
        found = reference(key, known)
        what = found.markdown() if found else "No source: chosen by this project"
        shared.setdefault(what, []).append(key)
    lines = ["| key | reference | how sure |", "|---|---|---|"]
    for what, keys in shared.items():
        sure = ", ".join(grade for key in keys for grade in graded.get(key, []))
        lines.append(f"| {', '.join(keys)} | {what} | {sure} |")
    return "\n".join(lines)


def _labels(scenario: Scenario) -> str:
    used = {one.outcome for phase in scenario.phases for one in truth(scenario, phase)}
    lines = [f"| {one} | {LABELS[one]} | {explain_label(one)} |" for one in LABELS if one in used]
    return "\n".join(["| label | what it means | how it comes about |", "|---|---|---|", *lines])


def _rules(scenario: Scenario) -> list[str]:
    lines = rule_lines(scenario)
    if not lines:
        return ["No filter is part of this scenario."]
    return [_wrapped(_RULES), "\n".join(f"- `{line}`" for line in lines)]


def _pictures(scenario: Scenario) -> list[str]:
    shown = []
    flow = drawn_flow(scenario)
    if flow and (PICTURES / f"{scenario.name}.svg").exists():
        where = _operator(scenario, flow.vantage)
        shown.append(f"One flow, `{flow.target}` from {where}, packet by packet:")
        shown.append(
            f"![The packets of one flow, before and behind the filter](pictures/{scenario.name}.svg)"
        )
    if scenario.name in _FEBRUARY_TO_APRIL:
        shown.append("What a monitor draws of February to April 2022 ([how](../monitor.md)):")
        shown.append("![Operators and targets over time](../monitoring/history.svg)")
    if (PICTURES / f"{scenario.name}-monitor.svg").exists():
        shown.append("What a monitor draws of it ([how](../monitor.md)):")
        shown.append(f"![Operators and targets over time](pictures/{scenario.name}-monitor.svg)")
    return shown


def _circumvention(scenario: Scenario) -> list[str]:
    """What must get through, and what must not, by the scenario."""
    rows: dict[tuple[str, str, str], dict[str, dict[str, None]]] = {}
    for way in scenario.circumvention:
        must = f"fails by `{way.fails_by}`" if way.fails_by else "gets through"
        phases = rows.setdefault((_tool(way.recipe), way.target.url, must), {})
        phases.setdefault(way.phase, {})[_operator(scenario, way.vantage)] = None
    if not rows:
        return []
    lines = ["| tool | target | from | expected |", "|---|---|---|---|"]
    for (tool, url, must), phases in rows.items():
        where = "; ".join(f"{', '.join(operators)} in `{phase}`" for phase, operators in phases.items())
        lines.append(f"| {tool} | `{url}` | {where} | {must} |")
    return ["## What gets through", _wrapped(_TOOLS.format(scenario.name)), "\n".join(lines)]


def _tool(recipe: Recipe) -> str:
    """What a method is, in words."""
    passage = recipe.passage
    if recipe.title:
        return recipe.title
    if passage.resolver:
        return f"The resolver `{passage.resolver}`"
    if passage.server_name:
        return f"The name `{passage.server_name}` in the ClientHello"
    return f"`{recipe.name}`"


def _uncertain(scenario: Scenario) -> str:
    found = [f"- **{one.title or name}**: {one.notes}" for name, one in scenario.phases.items() if one.notes]
    unsure = [
        f"`{name}` ({key})"
        for name, phase in scenario.phases.items()
        for key, confidence in phase.sources.items()
        if confidence != "H"
    ]
    if unsure:
        found.append(f"- Graded M or L, so not sure: {', '.join(unsure)}.")
    return "\n".join(_wrapped(one, "  ") for one in [*found, _CHOICES])


def _replay(scenario: Scenario) -> str:
    others = [phase for phase in scenario.phases if phase != scenario.default_phase]
    lines = [f"testbed run {scenario.name}"]
    if scenario.name in ON_PAGES:
        lines.insert(0, ON_PAGES[scenario.name].command(scenario.name))
    lines += [f"testbed run {scenario.name} --phase {phase}" for phase in others]
    if sum(phase.start is not None for phase in scenario.phases.values()) > 1:
        lines.append(f"testbed run {scenario.name} --timeline")
    if any(way.phase == scenario.default_phase for way in scenario.circumvention):
        lines.append(f"testbed run {scenario.name} --circumvention")
    flow = drawn_flow(scenario)
    if flow:
        where = f"--vantage {flow.vantage} --censor {flow.censor}"
        lines.append(f"testbed ladder {scenario.name} {where} '{flow.target}'")
    return "\n".join(["```sh", *lines, "```"])


def _paragraphs(text: str) -> list[str]:
    """Three sentences each, and those after them that point back."""
    found: list[list[str]] = []
    for sentence in re.split(r"(?<=[a-z0-9)\"'][.:]) (?=[A-Z\"])", text):
        if not found or (len(found[-1]) >= _SENTENCES and not _POINTS_BACK.match(sentence)):
            found.append([])
        found[-1].append(sentence)
    return [_wrapped(" ".join(sentences)) for sentences in found]


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _operator(scenario: Scenario, vantage: str) -> str:
    return OUTSIDE if vantage == OUTSIDE else scenario.world.operator(vantage).name


def _operators(scenario: Scenario, chosen: Sequence[str]) -> str:
    every = len(chosen) == len(scenario.world.operators) > 1
    return "every operator" if every else ", ".join(_operator(scenario, one) for one in chosen)


def _time(at: datetime) -> str:
    day = f"{at.day} {at:%B %Y}"
    return day if (at.hour, at.minute) == (0, 0) else f"{day}, {at:%H:%M}"


def _when(scenario: Scenario) -> str:
    begin, dash, end = scenario.period.partition("/")
    if scenario.period == "any":
        return "No date"
    if not dash:
        return _day(begin)
    return f"{_day(begin)} to {_day(end)}" if end else f"From {_day(begin)}"


def _day(text: str) -> str:
    """A day, month or year of a period: "26 February 2022"."""
    form = {4: "%Y", 7: "%Y-%m", 10: "%Y-%m-%d"}[len(text)]
    at = datetime.strptime(text, form)  # noqa: DTZ007 - a day, not a moment
    return {4: f"{at:%Y}", 7: f"{at:%B %Y}", 10: f"{at.day} {at:%B %Y}"}[len(text)]
