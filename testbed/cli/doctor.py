"""`testbed doctor`: what this machine supports, what is missing, what that costs, and how to get it."""

import json
import shutil
import textwrap
from typing import TYPE_CHECKING

import click

from testbed.errors import Exit

if TYPE_CHECKING:
    from testbed.doctor import Finding

_TITLE = 37  # columns; the longest title has 35


@click.command(short_help="What this machine can do, what is missing, and how to get it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, as_json: bool) -> int:
    """Try every kernel feature and program that the laboratory uses, and report.

    Each is tried for real, in a temporary namespace. Exit status: 0 if everything required is
    present, 4 if not.
    """
    from testbed.doctor import examine

    findings = examine()
    blocked = [finding.feature.title for finding in findings if finding.blocks]
    if as_json:
        features = [_as_dict(finding) for finding in findings]
        click.echo(json.dumps({"ok": not blocked, "features": features}, indent=2, ensure_ascii=False))
    else:
        _print(findings)
        click.echo(
            f"\nworlds cannot be built without: {', '.join(blocked)}" if blocked else "\nworlds can be built"
        )
    return Exit.UNSUPPORTED if blocked else Exit.OK


def _as_dict(finding: "Finding") -> dict[str, str | bool]:
    feature = finding.feature
    return {
        "name": feature.name,
        "title": feature.title,
        "need": str(feature.need),
        "present": finding.present,
        "detail": finding.detail,
        "cost": feature.cost,
        "remedy": finding.remedy,
    }


def _print(findings: list["Finding"]) -> None:
    width = shutil.get_terminal_size((110, 0)).columns
    need = None
    for finding in findings:
        if finding.feature.need is not need:
            need = finding.feature.need
            click.secho(f"\n{need}", bold=True)
        for line in _lines(finding, width):
            click.echo(line)


def _lines(finding: "Finding", width: int) -> list[str]:
    """A present feature in one line; a missing one with its cost and remedy below."""
    feature = finding.feature
    sign = click.style("yes", fg="green") if finding.present else click.style("no ", fg="red", bold=True)
    lines = [
        f"  {sign}  {feature.title:{_TITLE}}{textwrap.shorten(finding.detail, max(width - _TITLE - 7, 20))}"
    ]
    if not finding.present:
        lines += [f"         costs:  {feature.cost}", f"         get it: {finding.remedy}"]
    return lines
