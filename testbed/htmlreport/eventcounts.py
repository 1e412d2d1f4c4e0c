"""The events of a run, counted as they are read: a million of them take no more memory than ten."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

_MOST_KINDS: Final = 5_000  # combinations of censor, rule and kind; our choice
_MOST_FLOWS: Final = 10_000  # whose limits are remembered; our choice


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What a rule allows a flow."""

    rule: str  # "mts/tspu/rule"
    action: str  # police, shape
    rate: float  # bit/s


@dataclass(slots=True)
class EventCounts:
    """Events by censor, rule and kind, and the limits of flows that were handed over."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    limits: dict[str, RateLimit] = field(default_factory=dict)  # by flow
    missing: list[str] = field(default_factory=list)


def count_events(file: Path, limiting: Mapping[str, RateLimit] = MappingProxyType({})) -> EventCounts:
    """All of the file. Lines that cannot be read are counted and named.

    `limiting`: rules of the scenario that have a rate, "mts/tspu/rule": a shaper hands nothing to the kernel.
    """
    found, broken, whole = EventCounts(), 0, True
    if not file.exists():
        return found
    with file.open("rb") as lines:
        for line in lines:
            try:
                event = json.loads(line)
                key = (str(event["censor"]), str(event.get("rule", "")), str(event["kind"]))
            except (ValueError, KeyError, TypeError):
                broken += 1
                continue
            if key in found.counts or len(found.counts) < _MOST_KINDS:
                found.counts[key] += 1
            else:
                whole = False
            _note_limit(event, found.limits, limiting)
    if broken:
        found.missing.append(f"events.jsonl: {broken:,} lines cannot be read, and are not counted")
    if not whole:
        found.missing.append(f"events.jsonl has more than {_MOST_KINDS:,} combinations of rule and kind")
    return found


def _note_limit(
    event: Mapping[str, Any], limits: dict[str, RateLimit], limiting: Mapping[str, RateLimit]
) -> None:
    detail = event.get("detail")
    handed = detail.get("handover") if isinstance(detail, dict) else None
    if len(limits) >= _MOST_FLOWS:
        return
    if not isinstance(handed, dict):
        known = limiting.get(f"{event['censor']}/{event.get('rule', '')}")
        if known is not None and event["kind"] == "match":
            limits.setdefault(str(event.get("flow", "")), known)
        return
    for action, values in handed.items():
        rate = values.get("rate") if isinstance(values, dict) else None
        if isinstance(rate, int | float) and not isinstance(rate, bool):
            rule = f"{event['censor']}/{event.get('rule', '')}"
            limits.setdefault(str(event.get("flow", "")), RateLimit(rule, str(action), float(rate)))
