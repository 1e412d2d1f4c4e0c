"""The table of a conformance run: on a terminal, and in docs/conformance.md."""

import sys
from collections.abc import Iterable, Sequence
from typing import IO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.conformance.case import CASES
from testbed.conformance.suite import CaseResult

_PLAIN_WIDTH = 140  # columns where the output is no terminal
_HELD = {True: ("held", "green"), False: ("NOT held", "bold red"), None: ("not implemented", "yellow")}


def failed(outcomes: Iterable[CaseResult]) -> bool:
    """Whether a case of confidence H was run and did not hold."""
    return any(one.held is False and one.confidence == "H" for one in outcomes)


def show(outcomes: Sequence[CaseResult], *, file: IO[str] | None = None) -> None:
    """Print the table. A row of models with the same result takes one line."""
    out = file or sys.stdout
    console = Console(file=out, highlight=False, width=None if out.isatty() else _PLAIN_WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("case", "profile", "run on", "source", "confidence", "", "stimulus", "observed instead"):
        table.add_column(column, overflow="fold")
    for row in _rows(outcomes):
        table.add_row(*row)
    console.print(table)
    console.print()
    for line in counts(outcomes):
        console.print(Text(line))


def counts(outcomes: Sequence[CaseResult]) -> list[str]:
    """How many held, and how many are missing, by backend and confidence."""
    lines = []
    for live in (False, True):
        here = [one for one in outcomes if one.live is live]
        if not here:
            continue
        parts = []
        for level in "HML":
            these = [one for one in here if one.confidence == level]
            ran = [one for one in these if one.held is not None]
            if these:
                parts.append(f"{level} {sum(one.held is True for one in ran)} of {len(ran)}")
        missing = sum(one.held is None for one in here)
        backend = "through the kernel" if live else "on the core"
        text = f"{backend}: held {', '.join(parts)}"
        lines.append(f"{text}; not implemented {missing}" if missing else text)
    return lines


def _rows(outcomes: Sequence[CaseResult]) -> Iterable[tuple[Text, ...]]:
    groups: dict[tuple[object, ...], list[CaseResult]] = {}
    for one in outcomes:
        row, _, model = one.id.partition("/")
        key = (row, one.profile, one.live, one.held) if model else (one.id, one.profile, one.live)
        groups.setdefault(key, []).append(one)
    for several in groups.values():
        first = several[0]
        names = [one.id.partition("/")[2] for one in several]
        name = f"{first.id.partition('/')[0]}/{','.join(names)}" if names[0] else first.id
        word, style = _HELD[first.held]
        title = CASES[first.id].title.partition("; model")[0]
        seen = "" if first.held else " | ".join(one.seen for one in several)
        plain = (name, first.profile, "kernel" if first.live else "core", first.source, first.confidence)
        yield (*map(Text, plain), Text(word, style), Text(title), Text(seen))


def markdown(outcomes: Sequence[CaseResult]) -> str:
    """The two tables of the documentation: the cases, and the models against the tools' traces."""
    by_id: dict[str, list[CaseResult]] = {}
    for one in outcomes:
        by_id.setdefault(one.id, []).append(one)
    lines = [
        "| Case | Stimulus | Expected | Profiles | Source | Confidence | Core | Kernel |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for id_, several in by_id.items():
        if "/" not in id_:
            case = CASES[id_]
            profiles = ", ".join(f"`{profile}`" for profile in case.profiles)
            cells = (id_, case.title, case.expected, profiles, case.source, case.confidence)
            core, kernel = (_verdict(several, live=live) for live in (False, True))
            lines.append(_line(*cells, core, kernel if case.live else f"no: {case.core_only}"))
    lines += ["", *_matrix(by_id)]
    return "\n".join(lines)


def _verdict(outcomes: Sequence[CaseResult], *, live: bool) -> str:
    here = [one for one in outcomes if one.live is live]
    if all(one.held for one in here):
        return "held" if here else "not run"
    wrong = [one for one in here if not one.held]
    return "; ".join(
        f"`{one.profile}` {one.seen if one.held is None else f'**not held**: {one.seen}'}" for one in wrong
    )


def _matrix(by_id: dict[str, list[CaseResult]]) -> Iterable[str]:
    """Rows of traces, columns of models: whether the name is seen, and in bold what did not hold."""
    cells = {id_.partition("/")[::2]: several for id_, several in by_id.items() if "/" in id_}
    models = list(dict.fromkeys(model for _, model in cells))
    yield _line("Trace", "Client", *models)
    yield "|" + "---|" * (len(models) + 2)
    for row in dict.fromkeys(row for row, _ in cells):
        shown = []
        for model in models:
            several = cells.get((row, model))
            sees = several is not None and several[0].expected == "the name is seen"
            word = "" if several is None else "hit" if sees else "-"
            held = several is None or all(one.held for one in several)
            shown.append(word if held else f"**{word}: not held**")
        first = next(several[0].id for (name, _), several in cells.items() if name == row)
        yield _line(f"`{row}`", CASES[first].title.partition("; model")[0], *shown)


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
