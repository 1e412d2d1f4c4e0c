"""What a run folder holds about its flows. What is missing or cut short is named, and the rest is read."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from testbed.errors import InputError, nearest
from testbed.explain.ranscenario import other_form
from testbed.measurement.ooni import Measurement
from testbed.truth.proofs import is_receipt, is_rule

LAST: Final = "last"
MOST_FLOWS: Final = 200_000  # that are remembered by name; our choice: bounds memory
_TIMES: Final = ("monotonic", "epoch")  # seconds, in start.json
_FLOW: Final = re.compile(rb'"flow": "((?:tcp|udp|icmp|[a-z0-9 ]+) [^"\\]+)"')


@dataclass(frozen=True, slots=True)
class MeasuredFlows:
    """A measurement of the built-in probe, and the flows that it opened."""

    measurement: Measurement
    flows: tuple[str, ...]
    began: float | None  # seconds since the run's start


@dataclass(slots=True)
class RunEvidence:
    """One run folder, read when asked. `missing`: what is not there, or is cut short, a sentence each."""

    folder: Path
    scenario: Mapping[str, Any]
    summary: Mapping[str, Any]
    start: Mapping[str, Any]  # start.json
    receipts: Mapping[str, Mapping[str, Any]]  # by censor; of a world with phases "censor (1-substring)"
    measured: tuple[MeasuredFlows, ...]
    missing: list[str] = field(default_factory=list)

    @property
    def events_file(self) -> Path:
        """events.jsonl."""
        return self.folder / "events.jsonl"

    @property
    def left_out(self) -> int:
        """Packets that the capture left out, as they came too fast."""
        return int((self.summary.get("capture") or {}).get("left_out", 0))

    def events_of(self, flow: str) -> list[dict[str, Any]]:
        """The events of one flow, in their order, however many others there are."""
        named = json.dumps(flow, ensure_ascii=False).encode()
        found, broken = [], 0
        for line in self._lines():
            if named in line:
                try:
                    event = json.loads(line)
                except ValueError:
                    broken += 1
                    continue
                if event.get("flow") == flow:
                    found.append(event)
        if broken:
            self.missing.append(f"events.jsonl: {broken} lines about this flow cannot be read")
        return found

    def resolver_events(self, name: str) -> list[dict[str, Any]]:
        """The events of lying resolvers about a name: a resolver does not know its clients' flows."""
        wanted = json.dumps(name, ensure_ascii=False).encode()
        lines = (line for line in self._lines() if b'"flow": ""' in line and wanted in line)
        return [event for line in lines if (event := _parsed(line)) and event["detail"].get("name") == name]

    def flows_named(self, name: str) -> Iterator[str]:
        """The flows in which a censor read a name, in their order; at most `MOST_FLOWS`."""
        wanted = json.dumps(name, ensure_ascii=False).encode()
        found: dict[str, None] = {}
        for line in self._lines():
            event = _parsed(line) if wanted in line and len(found) < MOST_FLOWS else None
            detail = event.get("detail") if event else None
            if event and event.get("flow") and isinstance(detail, dict) and detail.get("name") == name:
                found[str(event["flow"])] = None
        yield from found

    def triggered(self) -> dict[str, str]:
        """Flow -> the first kind of event about it, in their order; at most `MOST_FLOWS`."""
        found: dict[str, str] = {}
        for line in self._lines():
            name = _FLOW.search(line)
            if name is None:
                continue
            flow = name[1].decode()
            if flow not in found:
                if len(found) >= MOST_FLOWS:
                    self.missing.append(
                        f"events.jsonl has more than {MOST_FLOWS:,} flows; those after are left out"
                    )
                    break
                event = _parsed(line)
                if event is not None:
                    found[flow] = str(event.get("kind", ""))
        return found

    def acts_on(self, flow: str) -> dict[str, dict[str, int]]:
        """What each rule did to a flow by its receipt: "mts/tspu/rule" -> claimed, kernel, up, down."""
        found: dict[str, dict[str, int]] = {}
        for name, receipt in self.receipts.items():
            for rule, counts in receipt.get("rules", {}).items():
                if acts := counts.get("flows", {}).get(flow):
                    _add(found.setdefault(f"{name.partition(' (')[0]}/{rule}", {}), acts)
        return found

    def acted_by(self, vantage: str, by: str) -> set[str]:
        """The flows on which the rule `by` ("rule" or "policy/rule") of an operator acted."""
        return {
            flow
            for name, receipt in self.receipts.items()
            for rule, counts in receipt.get("rules", {}).items()
            if is_rule(f"{name.partition(' (')[0]}/{rule}", vantage, by)
            for flow, acts in counts.get("flows", {}).items()
            if any(acts.values())
        }

    def effects_of(self, rule: str, flow: str) -> dict[str, int]:
        """What the kernel counted for "mts/tspu/rule" by effect, where it acted on the flow."""
        found: dict[str, int] = {}
        censor, _, name = rule.rpartition("/")
        for key, receipt in self.receipts.items():
            counts = receipt.get("rules", {}).get(name, {})
            if key.partition(" (")[0] == censor and flow in counts.get("flows", {}):
                _add(found, counts.get("kernel", {}))
        return found

    def phase_of(self, flow: str) -> str:
        """The phase in which rules acted on the flow, of a world that had several; "" if no receipt says."""
        for name, receipt in self.receipts.items():
            part = name.partition(" (")[2].rstrip(")")
            if part and any(flow in counts.get("flows", {}) for counts in receipt["rules"].values()):
                return part.partition("-")[2]
        return ""

    def acted(self) -> dict[str, int]:
        """Flow -> packets that the kernel counted for it, of every flow that a rule acted on."""
        found: dict[str, int] = {}
        for receipt in self.receipts.values():
            for counts in receipt.get("rules", {}).values():
                for flow, acts in counts.get("flows", {}).items():
                    if any(acts.values()):
                        found[flow] = found.get(flow, 0) + int(acts.get("kernel", 0))
        return found

    def _lines(self) -> Iterator[bytes]:
        if self.events_file.exists():
            with self.events_file.open("rb") as lines:
                yield from lines


def run_folder(given: str) -> Path:
    """The folder of a run: a path, the name of a folder in runs/, or "last". InputError with the nearest."""
    runs = Path("runs")
    known = [one for one in runs.iterdir() if (one / "scenario.json").exists()] if runs.is_dir() else []
    if given == LAST:
        if not known:
            raise InputError.at(
                "RUN", "there is no run in runs/", "name a run's folder, or run a scenario first"
            )
        return max(known, key=lambda one: (one / "scenario.json").stat().st_mtime_ns)
    for path in (Path(given), runs / given):
        if (path / "scenario.json").exists():
            return path
    if Path(given).is_dir():
        raise InputError.at("RUN", f"{given} is no run's folder: it has no scenario.json", "name another")
    raise InputError.at(
        "RUN", f"there is no run {given!r}", nearest(given, [LAST, *(one.name for one in known)])
    )


def read(folder: Path) -> RunEvidence:
    """The evidence of a run, also of one that was killed. InputError if nothing says what was run."""
    missing: list[str] = []
    scenario = _json(folder / "scenario.json", missing)
    if not scenario:
        raise InputError.at(
            str(folder), "scenario.json cannot be read", "without it nothing can be explained"
        )
    if place := other_form(scenario):
        raise InputError.at(
            str(folder),
            f"scenario.json has another form than this testbed writes, at {place}",
            "take that of the run again: it is not to be edited",
        )
    summary = _json(folder / "summary.json", missing, "the run did not come to its end")
    if "rows" in summary:
        summary["rows"] = _whole_rows(summary["rows"], missing)
    start = _json(folder / "start.json", missing, "times of the client are counted from its own beginning")
    if not all(isinstance(value, float) for name, value in start.items() if name in _TIMES):
        start = {name: value for name, value in start.items() if name not in _TIMES}
        missing.append("start.json holds something else than times, which are not used")
    found = RunEvidence(folder, scenario, summary, start, _receipts(folder, missing), (), missing)
    found.measured = tuple(_measured(folder, start, missing))
    if not found.events_file.exists():
        missing.append("events.jsonl is not there: what the censors noticed is not known")
    elif _cut_short(found.events_file):
        missing.append("events.jsonl is cut short in its last line")
    if found.left_out:
        missing.append(f"capture.pcapng: {found.left_out:,} packets are not in it, as they came too fast")
    missing += [f"the run is invalid: {problem}" for problem in summary.get("problems", ())]
    return found


def _whole_rows(given: object, missing: list[str]) -> list[dict[str, Any]]:
    rows = given if isinstance(given, list) else [given] if given else []
    fine = [one for one in rows if isinstance(one, dict) and _is_row(one)]
    if len(fine) < len(rows):
        missing.append(
            f"summary.json: {len(rows) - len(fine)} rows have another form than this testbed writes"
        )
    return fine


def _is_row(one: Mapping[str, Any]) -> bool:
    words = [one.get(name) for name in ("vantage", "target", "expected", "observed", "verdict")]
    others = one.get("others") or []
    return isinstance(others, list) and all(isinstance(word, str) for word in (*words, *others))


def _receipts(folder: Path, missing: list[str]) -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted((folder / "receipts").rglob("*.json")):
        receipt = _json(path, missing)
        part = path.parent.name if path.parent.name != "receipts" else ""
        if not receipt.keys() & {"censor", "rules"}:
            continue  # it was not there, or is the delay line's
        if not is_receipt(receipt):
            missing.append(f"{path.name} holds something else than a receipt")
        else:
            name = str(receipt.get("censor", path.stem))
            found[f"{name} ({part})" if part else name] = receipt
    return found


def _measured(folder: Path, start: Mapping[str, Any], missing: list[str]) -> Iterator[MeasuredFlows]:
    begun = start.get("monotonic")
    for name in ("results.jsonl", "ways.jsonl"):
        path = folder / name
        if not path.exists():
            continue
        broken = 0
        for line in path.read_bytes().splitlines():
            values = _parsed(line)
            if values is None:
                broken += 1
                continue
            one = Measurement.from_json(values)
            at = one.monotonic
            yield MeasuredFlows(
                one,
                tuple(one.test_keys.flows or ()),
                at - begun if at is not None and begun is not None else None,
            )
        if broken:
            missing.append(f"{name}: {broken} lines are cut short")


def _add(sums: dict[str, int], more: Mapping[str, int]) -> None:
    for key, value in more.items():
        sums[key] = sums.get(key, 0) + value


def _json(path: Path, missing: list[str], otherwise: str = "") -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except OSError:
        missing.append(f"{path.name} is not there" + (f": {otherwise}" if otherwise else ""))
    except ValueError:
        missing.append(f"{path.name} is cut short" + (f": {otherwise}" if otherwise else ""))
    else:
        if isinstance(values, dict):
            return values
        missing.append(f"{path.name} holds something else than it should")
    return {}


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(line)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None


def _cut_short(path: Path) -> bool:
    size = path.stat().st_size
    if not size:
        return False
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read(1) != b"\n"
