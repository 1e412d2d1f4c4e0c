"""Which rules were triggered, and by which flows: read from a run's event stream while it grows or after."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def events(file: Path, start: int = 0) -> Iterator[dict[str, Any]]:
    """The events of events.jsonl from byte `start` on; a line cut short (by a full disk) is left out."""
    with file.open("rb") as lines:
        lines.seek(start)
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:
                continue


def ends_of(flow: str) -> tuple[str, str]:
    """The addresses of a flow as events name it: "tcp 10.0.0.2:40000 > [2001:db8::1]:443"; "" for none."""
    near, _, far = flow.partition(" ")[2].partition(" > ")
    return near.rpartition(":")[0].strip("[]"), far.rpartition(":")[0].strip("[]")


def rules_by_flow(file: Path, start: int = 0) -> dict[str, tuple[str, ...]]:
    """Flow -> the rules that it triggered, "mts/tspu/rule" each; a rule at a resolver has the flow ""."""
    found: dict[str, dict[str, None]] = {}
    for event in events(file, start):
        if event["kind"] == "match":
            found.setdefault(event["flow"], {})[f"{event['censor']}/{event['rule']}"] = None
    return {flow: tuple(rules) for flow, rules in found.items()}


def rules_matched(file: Path, start: int = 0) -> dict[str, int]:
    """Rule -> how often it was triggered."""
    found: dict[str, int] = {}
    for event in events(file, start):
        if event["kind"] == "match":
            rule = f"{event['censor']}/{event['rule']}"
            found[rule] = found.get(rule, 0) + 1
    return found
