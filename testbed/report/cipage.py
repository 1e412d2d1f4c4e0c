"""Runs as a CI service shows them on a page: a summary in Markdown, and a badge in JSON."""

import json
from collections.abc import Sequence
from typing import Final

from testbed.errors import printable
from testbed.run.result import RunResult
from testbed.truth.judge import Row

_MOST_ROWS: Final = 50  # listed one by one; a page that lists hundreds is not read


def markdown(results: Sequence[RunResult]) -> str:
    """A headline, a matrix of runs and vantages, and the rows that are not as expected.

    GitHub shows it where the file is $GITHUB_STEP_SUMMARY; other services show it as any Markdown.
    """
    vantages = list(dict.fromkeys(row.vantage for result in results for row in _rows(result)))
    lines = [f"### {headline(results)}", ""]
    if vantages:
        lines += [_line(["run", *vantages]), _line(["---", *(":---:" for _ in vantages)])]
        lines += [_line([_name(result), *(_cell(result, one) for one in vantages)]) for result in results]
        lines.append("")
    lines += [
        f"- **{_name(one)}**: invalid: {markdown_text(one.problems[0])}" for one in results if not one.valid
    ]
    bad = [(one, row) for one in results if one.valid for row in _rows(one) if row.verdict != "ok"]
    lines += [_fault(result, row) for result, row in bad[:_MOST_ROWS]]
    if len(bad) > _MOST_ROWS:
        lines.append(f"- and {len(bad) - _MOST_ROWS} more")
    return "\n".join(lines).rstrip() + "\n"


def badge(results: Sequence[RunResult]) -> str:
    """JSON of the endpoint form that badge services read."""
    good = all(result.exit_status == 0 for result in results)
    valid = all(result.valid for result in results)
    colour = "brightgreen" if good else "red" if valid else "lightgrey"
    said = {"schemaVersion": 1, "label": "testbed", "message": headline(results), "color": colour}
    return json.dumps(said, indent=2) + "\n"


def headline(results: Sequence[RunResult]) -> str:
    """Such as "73 of 73 rows as expected", "71 of 73 rows as expected, 1 invalid run"."""
    rows = [row for result in results if result.valid for row in _rows(result)]
    good = sum(row.verdict == "ok" for row in rows)
    commands = [result for result in results if result.valid and result.judgement is None]
    parts = [f"{good} of {len(rows)} rows as expected"] if rows else []
    if failed := sum(result.exit_status != 0 for result in commands):
        parts.append(f"{failed} of {len(commands)} commands failed")
    elif commands:
        parts.append(f"{len(commands)} command{'s' * (len(commands) > 1)} succeeded")
    if invalid := sum(not result.valid for result in results):
        parts.append(f"{invalid} invalid run{'s' * (invalid > 1)}")
    return ", ".join(parts) or "nothing was run"


def _rows(result: RunResult) -> Sequence[Row]:
    return result.judgement.rows if result.judgement else ()


def _name(result: RunResult) -> str:
    return f"{result.scenario}/{result.job.phase}"


def _cell(result: RunResult, vantage: str) -> str:
    rows = [row for row in _rows(result) if row.vantage == vantage]
    if not rows:
        return ""
    if not result.valid:
        return "invalid"
    good = sum(row.verdict == "ok" for row in rows)
    return f"{'✓' if good == len(rows) else '✗'} {good}/{len(rows)}"


def _fault(result: RunResult, row: Row) -> str:
    by = f" by {_code(row.by)}" if row.by else ""
    what = f"{row.verdict}: observed {_code(row.observed)}, expected {_code(row.expected)}{by}"
    return f"- **{_name(result)}** {row.vantage}, {_code(row.target)}: {what}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def markdown_text(text: str) -> str:
    """Text that Markdown does not take for markup, on one line."""
    return " ".join(printable(text).split()).replace("<", "&lt;").replace("*", "\\*").replace("`", "'")


def _code(text: str) -> str:
    """The same as code, where only a backtick means something."""
    return f"`{printable(text).replace('`', chr(39))}`"
