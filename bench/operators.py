"""A hundred operators in one world, each with a censor, a resolver and a probe, beside one of them.

The world is the library's with other operators, two hundred sites and a list of ten thousand names.
"""

import json
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import yaml

from bench.result import Budget, Quantity, Result, round_ratios
from bench.start import TESTBED
from bench.treememory import most_pss
from testbed.errors import InvalidRunError
from testbed.scenario.library import find_world

OPERATORS: Final = 100
SITES: Final = 200
NAMES: Final = 10_000
LISTED: Final = "twitter.com"
_LIMIT: Final = 900.0  # seconds for one run on a busy machine; our choice
_TIMES: Final = 5  # in turns with one operator


def measure(*, quick: bool) -> list[Result]:
    """Time and memory of the many, as runs of the whole command; every verdict right, or it fails."""
    with tempfile.TemporaryDirectory(prefix="operators-") as folder:
        scenario = write_scenario(Path(folder), OPERATORS)
        alone = write_scenario(Path(folder, "alone"), 1)
        _run(alone, 1, measured=False)  # the file is kept as it was loaded from then on
        ones, many = list[float](), list[float]()
        for _ in range(1 if quick else _TIMES):
            ones.append(median(_run(alone, 1, measured=False).seconds for _ in range(3)))
            many.append(_run(scenario, OPERATORS, measured=False).seconds)
        memory = _run(scenario, OPERATORS, measured=True).memory  # apart: the looking costs time
    time_of_one, time_of_many = Quantity(median(ones), "s"), Quantity(median(many), "s")
    note = f"{SITES} sites, {NAMES} names; {OPERATORS} times reset and {OPERATORS} times ok, as expected"
    size = Quantity(memory, "MB")
    return [
        Result(
            f"{OPERATORS} operators",
            time_of_many,
            time_of_one,
            "one operator",
            Quantity(median(round_ratios(many, ones))),
            Budget(most=12),
            note,
            {"many": many, "one": ones},
        ),
        Result(
            f"{OPERATORS} operators: memory", size, size, "", size, Budget(most=2000), "PSS of all processes"
        ),
    ]


def write_scenario(folder: Path, operators: int) -> Path:
    """A scenario of that many operators that all reset one name; its file."""
    folder.mkdir(exist_ok=True)
    world: dict[str, Any] = yaml.safe_load(find_world("runet", folder, "").read_text("utf-8"))
    world["operators"] = {key(number): _operator(number) for number in range(operators)}
    world["sites"] += [_site(number) for number in range(SITES - len(world["sites"]))]
    _write(folder / "many.yaml", world)
    names = [LISTED, *(f"listed{number}.example" for number in range(NAMES - 1))]
    (folder / "names.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    rule = {"name": "reset", "match": {"tls.sni": {"file": "names.txt"}}, "action": "rst-rewrite"}
    everywhere = {key(number): "tspu" for number in range(operators)}
    scenario = {
        "title": "Many operators",
        "period": "any",
        "sources": ["our choice"],
        "world": "many.yaml",
        "censors": {"tspu": {"profile": "t22", "rules": [rule]}},
        "phases": {"block": {"title": "all of them reset one name", **everywhere}},
        "default_phase": "block",
        "expect": [
            {"target": f"https://{LISTED}/", "outcome": "tls.sni.rst", "by": "reset"},
            {"target": "https://www.wikipedia.org/", "outcome": "ok"},
        ],
        "controls": ["https://www.wikipedia.org/"],
    }
    return _write(folder / "scenario.yaml", scenario)


def key(number: int) -> str:
    """The operator of that number."""
    return f"op{number:03d}"


def _operator(number: int) -> dict[str, Any]:
    return {
        "name": f"Operator {number}",
        "asn": 64512 + number,  # for private use (RFC 6996)
        "kind": "fixed",
        "prefix4": f"5.{8 + number // 64}.{number % 64 * 4}.0/22",
        "prefix6": f"2a0f:{0x1000 + number:x}::/32",
    }


def _site(number: int) -> dict[str, Any]:
    return {
        "names": [f"site{number}.example.net"],
        "ipv4": f"198.41.{number // 200}.{number % 200 + 1}",
        "ipv6": f"2606:4700:aaaa::{number + 1:x}",
        "asn": 13335,
    }


def _write(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


@dataclass(frozen=True, slots=True)
class _Many:
    seconds: float
    memory: float  # MB at most; 0 if nobody looked


def _run(scenario: Path, operators: int, *, measured: bool) -> _Many:
    with tempfile.TemporaryDirectory(dir=scenario.parent) as out:
        line = [*TESTBED, "run", str(scenario), "--json", "--out", f"{out}/run"]
        said = Path(out, "said.json")
        with said.open("w", encoding="utf-8") as stdout:
            begin = time.perf_counter()
            process = subprocess.Popen(line, stdout=stdout, stderr=subprocess.PIPE, text=True)
            memory = most_pss(process) if measured else 0.0
            _, errors = process.communicate(timeout=_LIMIT)
            seconds = time.perf_counter() - begin
        summary = json.loads(said.read_text(encoding="utf-8") or "{}")
    if process.returncode:
        why = "; ".join(summary.get("problems", ())) or errors
        raise InvalidRunError(f"{operators} operators: exit status {process.returncode}: {why[-500:]}")
    rows = summary["rows"]
    reset = [row for row in rows if row["verdict"] == "ok" and row["by"] == "reset"]
    if len(reset) != operators or any(row["verdict"] != "ok" for row in rows):
        raise InvalidRunError(f"{operators} operators: {len(reset)} were reset as expected")
    return _Many(seconds, memory)
