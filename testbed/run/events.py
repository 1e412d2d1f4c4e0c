"""Which rules were triggered, and by which flows: read from a run's event stream while it grows or after."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PASSED = {"unread": "it was not read", "miss": "the box missed it, as its share of misses says"}


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


def packet_of(event: Mapping[str, Any]) -> str:
    """The packet that triggered a rule, for people: "517 bytes at 0" of a stream; "" if it was not noted."""
    size, place = event["detail"].get("bytes"), event["detail"].get("place")
    if size is None:
        return ""
    if place is None:
        return f"a datagram of {size} bytes"
    return f"{size} bytes at {place}" if size else "SYN"


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


@dataclass(frozen=True, slots=True)
class PassedName:
    """A name that a rule lists and that passed all the same."""

    name: str
    rule: str  # "mts/tspu/rule"
    why: str

    def __str__(self) -> str:
        return f"{self.name} passed {self.rule}: {self.why}"


def passed_names(file: Path, without: Collection[str] = (), start: int = 0) -> tuple[PassedName, ...]:
    """Every such name once per rule; flows of the addresses in `without` are left out."""
    found: dict[tuple[str, str], PassedName] = {}
    for event in events(file, start):
        if event["kind"] in _PASSED and not set(ends_of(event["flow"])) & set(without):
            name, rule = event["detail"].get("name", ""), f"{event['censor']}/{event['rule']}"
            why = event["detail"].get("why") or _PASSED[event["kind"]]
            found.setdefault((name, rule), PassedName(name, rule, why))
    return tuple(found.values())
