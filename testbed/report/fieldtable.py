"""What the field instrument found, for a person and as JSON."""

import json
from collections.abc import Iterable
from typing import Any, Final

import click

from testbed.errors import printable
from testbed.probe.fieldsite import FieldFinding, FieldSite
from testbed.probe.fieldverdict import verdict_of

_WIDTH: Final = 20


def print_findings(site: FieldSite, findings: Iterable[FieldFinding], *, as_json: bool) -> bool:
    """Print them as they come, or together as one object; whether anything is odd."""
    found: list[FieldFinding] = []
    if not as_json:
        click.echo(f"{site.target.url}   beside {site.plan.control}")
    before = ""
    for one in findings:
        found.append(one)
        if not as_json:
            title = one.instrument if one.instrument != before else ""
            mark = "!" if one.odd else " "
            what = f"{title:<11} {one.what}"
            click.echo(f"{mark} {what:<{_WIDTH + 12}} {printable(one.words)}")
            before = one.instrument
    verdict = verdict_of(site, found)
    if as_json:
        click.echo(json.dumps({**verdict, "findings": [one.to_json() for one in found]}, ensure_ascii=False))
    else:
        click.echo(f"  {_line(verdict)}")
    return bool(verdict["verdict"] == "blocked")


def _line(verdict: dict[str, Any]) -> str:
    numbers = [
        f"{name} {verdict[name]:g}"
        for name in ("rate", "received", "hop", "residual", "connections")
        if name in verdict
    ]
    named = f": {verdict['mechanism']}" if verdict.get("mechanism") else ""
    return ", ".join([f"{verdict['verdict']}{named}", *numbers])
