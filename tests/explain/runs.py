"""Run folders of a test, written by hand: one client, one censor, one flow."""

import json
from pathlib import Path
from typing import Any

FLOW = "tcp 91.76.0.100:40000 > 104.244.42.1:443"
RULES = [
    {"name": "quic-v1", "match": {"quic": {"version": 1}}, "action": {"drop": {}}},
    {"name": "social", "match": {"tls.sni": ["twitter.com", "*.twitter.com"]}, "action": {"rst-rewrite": {}}},
]
MATCH = {
    "action": "rst-rewrite",
    "fields": ["tls.sni"],
    "name": "twitter.com",
    "place": 0,
    "bytes": 517,
    "model": "T",
    "budget": 5,
    "holds": 75.0,
    "refreshes": False,
    "verdict": "pass",
}


def event(
    t: float, kind: str = "match", rule: str = "social", flow: str = FLOW, **detail: Any
) -> dict[str, Any]:
    return {
        "t": t,
        "censor": "mts/tspu",
        "kind": kind,
        "rule": rule,
        "flow": flow,
        "detail": detail or MATCH,
    }


def operation(name: str, t0: float, t: float, size: int = 0, failure: str | None = None) -> dict[str, Any]:
    found = {
        "operation": name,
        "t0": t0,
        "t": t,
        "failure": failure,
        "proto": "tcp",
        "address": "104.244.42.1:443",
    }
    return found | ({"num_bytes": size} if size else {})


OPERATIONS = [
    operation("connect", 0.1, 0.12),
    operation("write", 0.13, 0.131, 517),
    operation("read", 0.132, 0.15, failure="connection_reset"),
]


def measurement(
    operations: list[dict[str, Any]] = OPERATIONS,
    name: str = "twitter.com",
    vantage: str = "mts",
    **more: Any,
) -> dict[str, Any]:
    shake = {"address": "104.244.42.1:443", "server_name": name, "failure": "connection_reset", "t": 0.151}
    keys = {"network_events": operations, "tls_handshakes": [shake], "x_flows": [FLOW], "failure": None}
    return {
        "input": f"https://{name}/",
        "annotations": {"vantage": vantage},
        "x_monotonic": 101.0,
        "test_keys": keys,
        **more,
    }


def receipt(claimed: int = 7, kernel: int = 7, effect: str = "replace", flow: str = FLOW) -> dict[str, Any]:
    acts = {"claimed": claimed, "kernel": kernel, "up": 0, "down": kernel}
    return {
        "censor": "mts/tspu",
        "rules": {
            "social": {"claimed": {effect: claimed}, "kernel": {effect: kernel}, "flows": {flow: acts}}
        },
    }


def write_run(
    folder: Path,
    *,
    events: list[dict[str, Any]] | None = None,
    measured: list[dict[str, Any]] | None = None,
    receipts: list[dict[str, Any]] | None = None,
    rows: list[dict[str, Any]] | None = None,
    summary: bool = True,
) -> Path:
    """A folder as a run leaves it; without `summary` as a killed one does."""
    place = {
        "name": "mts/tspu",
        "operator": "mts",
        "at": "hop",
        "hop": 2,
        "profile": "t22",
        "rules": RULES,
    }
    operator = {"key": "mts", "prefix4": "91.76.0.0/16", "prefix6": "2a02:28::/32"}
    scenario = {
        "name": "s",
        "default_phase": "p",
        "phases": {"p": {"placements": [place]}},
        "world": {"operators": [operator]},
    }
    (folder / "receipts").mkdir(parents=True)
    _write(folder / "scenario.json", scenario)
    _write(folder / "start.json", {"monotonic": 100.0, "epoch": 1e9, "phase": "p"})
    _lines(folder / "events.jsonl", [event(1.14)] if events is None else events)
    _lines(folder / "results.jsonl", [measurement()] if measured is None else measured)
    for one in [receipt()] if receipts is None else receipts:
        _write(folder / "receipts" / f"{one['censor'].replace('/', '.')}.json", one)
    if summary:
        row = {"vantage": "mts", "target": "https://twitter.com/", "verdict": "ok", "by": "social"}
        shown = [row | {"observed": "tls.sni.rst", "expected": "tls.sni.rst"}] if rows is None else rows
        _write(folder / "summary.json", {"phase": "p", "valid": True, "problems": [], "rows": shown})
    return folder


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")


def _lines(path: Path, lines: list[Any]) -> None:
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
