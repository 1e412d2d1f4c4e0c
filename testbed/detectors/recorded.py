"""Trials of what is recorded: a run folder, a truth file, an evaluation's folder."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from testbed.detectors.adapter import Adapter, ToolOutput
from testbed.detectors.pairing import answer, cases, paired
from testbed.detectors.trials import Trial
from testbed.detectors.verdicts import Complaint, ToolVerdict
from testbed.errors import InputError, nearest
from testbed.foreignjson import json_value
from testbed.measurement.ooni import CloserLook, Measurement
from testbed.model import OUTSIDE, Scenario
from testbed.scenario import library
from testbed.scenario.labels import CAUSELESS
from testbed.scenario.loader import load
from testbed.truth.classify import classify
from testbed.truth.doubt import seen_as, weigh
from testbed.truth.proofs import CensorReceipts, fired_on, is_receipt, is_rule, on_flows
from testbed.truth.record import TruthRecord, read_truth
from testbed.truth.timeline import Timeline

TRIALS, PLAN = "trials.jsonl", "plan.json"
"""Of an evaluation's folder."""
_RESULTS: Final = "results.jsonl"
_ASKED: Final = ("vantage", "phase")  # what an option says


def of_run(
    folder: Path, adapter: Adapter, output: ToolOutput | None, scenario: str | None = None
) -> tuple[list[Trial], list[Complaint]]:
    """Trials of a run folder. Without an output: those of the built-in probe, measured in that run.

    The probe's packets are known by flow. A command's are known as a whole: its targets have met the rule
    that their expectation names if it acted on any packet.

    `scenario`: its file, if it is neither in the library nor where it was.

    Errors: InputError if the folder is none, or was a standing world's or a timeline's, whose phases differ
    in what is true; or if the scenario has changed since.
    """
    summary = _json(folder / "summary.json", "--run")
    phase, vantages = summary.get("phase"), summary.get("vantages")
    if not phase or not vantages or summary.get("world") or "phases" in summary:
        remedy = "give the folder of `testbed run` without --timeline"
        raise InputError.at("--run", f"{folder}: not the folder of one run in one phase", remedy)
    loaded = _as_run(folder, scenario or _scenario_of(folder, summary))
    if phase not in loaded.phases:
        raise InputError.at(
            "--run", f"{loaded.name} has no phase {phase!r}", "give its file: --scenario FILE"
        )
    if list(vantages) == [OUTSIDE]:
        message = f"{folder}: it ran outside alone, where nothing filters and nothing is to be found"
        raise InputError.at("--run", message, "make a run from an operator: testbed run NAME --vantage V")
    ipv = _ipv(folder)
    known = cases(loaded, phase, vantages, ipv)
    problems = "; ".join(summary.get("problems", ()))
    if output is None:
        controls = [target.url for target in loaded.controls]
        return _of_probe(folder, known, problems, controls)
    fired = tuple(summary.get("rules_fired", {}))
    other = {(one.vantage, one.target): one.by for one in cases(loaded, phase, vantages, 10 - ipv)}
    known = [
        replace(one, lab_error=problems, acted=_acted(fired, one, other.get((one.vantage, one.target), "")))
        for one in known
    ]
    return paired(known, adapter.report(output))


def _acted(fired: Iterable[str], known: Trial, other: str) -> tuple[str, ...] | None:
    """Of the rules that acted in a command's run, those that the trial's target can have met.

    `other`: the rule that its expectation names over the other IP version, which the command may have chosen.
    """
    named = known.by or other
    return tuple(rule for rule in fired if is_rule(rule, known.vantage, named)) if named else None


def _scenario_of(folder: Path, summary: dict[str, Any]) -> str:
    """The file or name that the run was asked for. InputError if there is no such scenario any more."""
    name = str(summary.get("scenario", ""))
    asked = _json(folder / "job.json", "--run").get("scenario") if (folder / "job.json").is_file() else None
    if isinstance(asked, str) and Path(asked).is_file():
        return asked
    if name not in library.names():
        gone = f", nor is it at {asked}" if isinstance(asked, str) and asked != name else ""
        message = f"{folder}: its scenario {name!r} is not in the library{gone}"
        raise InputError.at("--run", message, "give its file: --scenario FILE")
    return name


def _as_run(folder: Path, given: str) -> Scenario:
    """The scenario `given`, which MUST be as the run had it; tools are no part of what is true."""
    loaded, record = load(given, tools=False), folder / "scenario.json"
    ran = _json(record, "--run").get("files") if record.exists() else None
    ran = ran if isinstance(ran, dict) else loaded.files  # of a version that did not say
    if other := [name for name, digest in loaded.files.items() if ran.get(name) != digest]:
        names = ", ".join(sorted(Path(name).name for name in other))
        remedy = "give the file as it was: --scenario FILE; or make the run again"
        raise InputError.at("--run", f"{folder}: the scenario is another than the run's: {names}", remedy)
    return loaded


def _of_probe(
    folder: Path, known: list[Trial], problems: str, controls: Sequence[str]
) -> tuple[list[Trial], list[Complaint]]:
    """One trial for each of the probe's measurements of an expectation or control."""
    receipts = _receipts(folder)
    measured = list(_measurements(folder / _RESULTS))
    judged = ProbeView(measured, controls)
    made: list[Trial] = []
    by_place = {(one.vantage, one.target): one for one in known}
    count: dict[tuple[str, str], int] = {}
    for measurement in measured:
        place = (measurement.vantage, measurement.target)
        if place not in by_place:
            continue
        count[place] = count.get(place, 0) + 1
        one = probed(by_place[place], measurement, receipts)
        verdict = judged.verdict(measurement)
        made.append(replace(one, verdict=verdict, repeat=count[place], lab_error=problems))
    missing = [replace(by_place[place], lab_error=problems) for place in by_place.keys() - count.keys()]
    return made + missing, []


class ProbeView:
    """What the built-in probe concludes of everything that it measured: from outside, too, and the controls.

    No one measurement shows a portal or an outage: that befalls every target, the controls among them.
    """

    def __init__(self, measured: Iterable[Measurement], controls: Collection[str]) -> None:
        self._outside: dict[str, Measurement] = {}
        first: dict[tuple[str, str], Measurement] = {}
        for one in measured:
            first.setdefault((one.vantage, one.target), one)
            if one.vantage == OUTSIDE:
                self._outside.setdefault(one.target, one)
        self._controls: dict[str, list[str]] = defaultdict(list)  # vantage -> labels
        for (vantage, target), one in first.items():
            if target in controls and vantage != OUTSIDE and target in self._outside:
                self._controls[vantage].append(classify(one, self._outside[target]))

    def verdict(self, measurement: Measurement) -> ToolVerdict:
        """What it says of one measurement."""
        outside = self._outside.get(measurement.target)
        label = classify(measurement, outside)
        return _verdict(measurement, seen_as(measurement, label, self._controls[measurement.vantage]), label)


def _verdict(measurement: Measurement, label: str, seen_as: str) -> ToolVerdict:
    seen = Timeline(measurement)
    speed = measurement.test_keys.speed
    parameters = {"rate": speed.bits_per_second} if speed and speed.bits_per_second else {}
    parameters |= {"received": float(seen.received)} if label == "freeze" and seen.received else {}
    parameters |= _closer(measurement.test_keys.closer)
    shown = label if label == seen_as else f"{label}, as {seen_as}"
    words = f"{shown}: {measurement.test_keys.failed_operation or 'done'}, {measurement.failure}"
    if label in CAUSELESS:
        return ToolVerdict(measurement.target, "free", words=words, parameters=parameters)
    if measurement.test_keys.repeated is not None:
        weighed = weigh(measurement.test_keys.repeated)
        words += f"; {weighed.words}"
        if weighed.said != "blocked":
            return ToolVerdict(measurement.target, weighed.said, words=words, parameters=parameters)
    return ToolVerdict(measurement.target, "blocked", (label,), words, parameters=parameters)


def _closer(found: CloserLook | None) -> dict[str, float]:
    """The numbers of a closer look; of residual times the 4-tuple's first."""
    if found is None:
        return {}
    residual = found.residual if found.residual is not None else found.residual_of_ports
    numbers = {"hop": found.hop, "residual": residual, "connections": found.connections}
    return {name: float(value) for name, value in numbers.items() if value is not None}


def probed(known: Trial, measurement: Measurement, receipts: CensorReceipts) -> Trial:
    """The trial with the rules that acted on this measurement's flows."""
    acts = on_flows(receipts, measurement.test_keys.flows or ())
    return replace(known, acted=fired_on(acts), seconds=measurement.runtime or 0.0)


def of_truth(
    file: Path, adapter: Adapter, output: ToolOutput, vantage: str | None = None, phase: str | None = None
) -> tuple[list[Trial], list[Complaint]]:
    """Trials of the records of a truth file, of where and when the tool ran.

    Errors: InputError if it cannot be read, or leaves open which of its vantages, phases, clients or IP
    versions are meant: each output would count against all of them.
    """
    report = adapter.report(output)
    records: Sequence[TruthRecord] = read_truth(file).records
    if vantage is None and all(verdict.vantage for verdict in report.verdicts):
        records = [one for one in records if any(one.vantage == said.vantage for said in report.verdicts)]
    else:
        records = _chosen(file, records, "vantage", vantage)
    records = _chosen(file, records, "phase", phase)
    for name in ("scenario", "client", "ipv"):
        records = _chosen(file, records, name, None)
    return paired([_of_record(one) for one in records], report)


def _chosen(
    file: Path, records: Sequence[TruthRecord], name: str, wanted: str | None
) -> Sequence[TruthRecord]:
    """The records of one vantage, phase or so."""
    there = list(dict.fromkeys(str(getattr(one, name)) for one in records))
    if wanted is not None and wanted not in there:
        raise InputError.at(f"--{name}", f"{file} has no {name} {wanted!r}", nearest(wanted, there))
    if wanted is None and len(there) > 1:
        ask = f"say which: --{name}" if name in _ASKED else f"make it of one {name}"
        raise InputError.at("--truth", f"{file} has more than one {name}: {', '.join(there)}", ask)
    return [one for one in records if wanted in (None, getattr(one, name))]


def _of_record(one: TruthRecord) -> Trial:
    return Trial(
        scenario=one.scenario,
        phase=one.phase,
        vantage=one.vantage,
        target=one.target,
        outcome=one.mechanism or one.outcome,
        by=one.rule.partition("/")[2],
        technique=one.action,
        client=one.client,
        rate=(one.rate, one.rate) if one.rate is not None else None,
        received=(one.size, one.size) if one.size is not None else None,
        hop=one.hop,
        residual=one.residual,
        connections=one.connections,
        chance=not one.certain,
        acted=one.rules if one.level == "wire" else None,
    )


def of_evaluation(folder: Path, other: Adapter | None = None) -> tuple[str, str, list[Trial]]:
    """Its detector, the name of the adapter, and its trials; a line that was cut is left out.

    `other` reads the outputs that were kept once more, in its own way.

    Errors: InputError if it is no evaluation's folder, or if an output is missing.
    """
    plan = _json(folder / PLAN, "score")
    if not all(isinstance(plan.get(name), str) for name in ("detector", "adapter")):
        remedy = "give the folder of `testbed evaluate` or of `testbed sweep`"
        raise InputError.at("score", f"{folder} is no evaluation's", remedy)
    trials = list(saved_trials(folder / TRIALS))
    if other is None or other.name == plan["adapter"]:
        return plan["detector"], plan["adapter"], trials
    return plan["detector"], other.name, [_read_again(folder, one, other) for one in trials]


def _read_again(folder: Path, trial: Trial, other: Adapter) -> Trial:
    if not trial.raw:
        return trial
    file = folder / trial.raw
    if file.suffix != ".out":  # a run folder's results.jsonl
        raise InputError.at("--adapter", "the built-in probe has no output to read again", "leave it out")
    try:
        text, errors = (file.with_suffix(end).read_text("utf-8", "replace") for end in (".out", ".err"))
    except OSError as error:
        raise InputError.at(str(file), str(error.strerror), "score with its own adapter") from error
    verdict, complaints = answer(trial, other.report(ToolOutput(text, errors, trial.status, trial.target)))
    return replace(trial, verdict=verdict, complaints=complaints)


def saved_trials(file: Path) -> Iterator[Trial]:
    """The trials of a file, each once: the last one of its place and repeat."""
    found: dict[tuple[str, int], Trial] = {}
    for line in _lines(file) if file.exists() else ():
        try:
            trial = Trial.from_json(json.loads(line))
        except (ValueError, TypeError, KeyError):  # cut by a full disk or a kill
            continue
        found[trial.place, trial.repeat] = trial
    yield from found.values()


def _json(file: Path, place: str) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        remedy = "give the folder of `testbed run` or of `testbed evaluate`"
        raise InputError.at(place, f"{file} cannot be read: {error}", remedy) from error
    return found if isinstance(found, dict) else {}


def _lines(file: Path) -> list[str]:
    try:
        return [line for line in file.read_text("utf-8", "replace").splitlines() if line.strip()]
    except OSError as error:
        raise InputError.at(str(file), str(error.strerror), "is it the right folder?") from error


def _measurements(file: Path) -> Iterator[Measurement]:
    for number, line in enumerate(_lines(file), 1):
        try:
            yield Measurement.from_json(json_value(line))
        except ValueError as error:
            message, remedy = f"it cannot be read: {error}", "the run did not end well: make it again"
            raise InputError.at(f"{file}:{number}", message, remedy) from error


def _receipts(folder: Path) -> dict[str, Any]:
    made = {}
    for path in sorted((folder / "receipts").glob("*.json")):
        found = _json(path, str(path))
        if "censor" not in found:
            continue  # of the delay line
        if not is_receipt(found):
            raise InputError.at(str(path), "it is no receipt of a censor", "make the run again")
        made[found["censor"]] = found
    return made


def _ipv(folder: Path) -> int:
    """The IP version that the probe measured; 4 for a command."""
    if not (folder / _RESULTS).exists():
        return 4
    return next((one.ipv or 4 for one in _measurements(folder / _RESULTS)), 4)
