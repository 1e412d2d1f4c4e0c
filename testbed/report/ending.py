"""What `run` and `shell` print at the end of a run."""

import json
import shlex
import sys
from collections.abc import Iterable

from testbed.errors import Exit, printable
from testbed.explain.pointer import interesting_target, near_end
from testbed.model import Scenario
from testbed.report.paths import typed
from testbed.run.result import RunResult

_SHOWN = 4  # servers that a command reached; our choice, the rest is in summary.json
_OURS = (Exit.UNEXPECTED, Exit.INPUT, Exit.INVALID, Exit.UNSUPPORTED)  # statuses that a command may have, too


def show(result: RunResult, scenario: Scenario, *, as_json: bool = False, quiet: bool = False) -> None:
    """The table on stdout, or JSON; of a command's run some lines on stderr, because stdout is the command's.

    `quiet`: nothing after a command, unless the run is invalid or the command could not be started.
    """
    if as_json:
        program = result.job.runs_program
        indent = None if program else 1
        where = sys.stderr if program else sys.stdout
        print(json.dumps(result.summary(), ensure_ascii=False, indent=indent), file=where)
    elif result.judgement is not None:
        from testbed.report import table

        table.show(result.judgement, scenario, result.folder)
        if result.job.circumvention:
            from testbed.report import waytable

            waytable.show_ways(result.ways, result.scenario)
        if result.captured:
            print(printable(f"{typed(result.captured.file)}: {result.captured}"))
        if pointer := explained_by(result):
            print(printable(pointer))
    else:
        for line in _lines(result, quiet=quiet):
            print(f"testbed: {printable(line)}", file=sys.stderr)


def show_all(runs: Iterable[tuple[Scenario, RunResult]], *, as_json: bool = False) -> list[RunResult]:
    """A line for each run as it ends, with the table of those that are not as expected; the results.

    As JSON an array of summaries, after the last run.
    """
    results = []
    for scenario, result in runs:
        results.append(result)
        if as_json:
            continue
        if result.exit_status != Exit.OK:
            show(result, scenario)
        line = f"{result.scenario}/{result.job.phase}: {result.verdict}   {typed(result.folder)}"
        print(printable(line), flush=True)
    if as_json:
        print(json.dumps([result.summary() for result in results], ensure_ascii=False, indent=1))
    return results


def _lines(result: RunResult, *, quiet: bool) -> list[str]:
    lines = [result.command_error] if result.command_error else []
    if quiet and result.valid:
        return lines
    if result.job.runs_program and result.command_status is not None:
        lines.append(_what_happened(result))
    lines += [f"note: {note}" for note in (*result.passed, *result.notes)]
    lines += [line for problem in result.problems for line in f"INVALID RUN: {problem}".splitlines()]
    partial = _until_then(result) if result.judgement is None and not result.job.runs_program else ""
    lines += [f"{typed(result.captured.file)}: {result.captured}"] if result.captured else []
    lines.append(f"recorded in {typed(result.folder)}{partial}{whose_status(result)}")
    return [*lines, pointer] if (pointer := explained_by(result)) else lines


def explained_by(result: RunResult) -> str:
    """The command that explains the run's most interesting flow; "" if each was left alone."""
    vantage, about = "", ""
    if found := interesting_target(result.summary()):
        vantage, about = found
    elif result.matched:
        about = near_end(min(result.matched, key=lambda flow: not flow))
    elif not result.passed:
        return ""
    words = [typed(result.folder), *([about] if about else []), *(["--vantage", vantage] if vantage else [])]
    return f"why: testbed explain {shlex.join(words)}"


def _until_then(result: RunResult) -> str:
    """What a run that did not come to its end has measured."""
    path = result.folder / "results.jsonl"
    number = path.read_bytes().count(b"\n") if path.exists() else 0
    measurements = "one measurement" if number == 1 else f"{number} measurements"
    return f"; it has {measurements} in results.jsonl" if number else "; nothing had been measured"


def _what_happened(result: RunResult) -> str:
    job = result.job
    acted = [f"{rule} ({packets} packet{'s' * (packets != 1)})" for rule, packets in result.fired.items()]
    matched = dict.fromkeys(rule for rules in result.matched.values() for rule in rules)
    acted += [f"{rule} (matched, changed nothing)" for rule in matched if rule not in result.fired]
    controls = ", ".join(f"{target} {label}" for target, label in result.controls.items())
    if result.control_fired:
        controls += f", met {', '.join(result.control_fired)}"
    place = f"as {job.vantages[0]} in {result.scenario}/{job.phase}"
    said = f"{place}: {', '.join(acted) or 'no rule fired'}{_reached(result)}"
    return f"{said}; control: {controls or 'none'}"


def _reached(result: RunResult) -> str:
    """Servers that are no sites, to which the command had flows: tunnels that no rule met are seen here."""
    shown = [f"{server}, {_size(octets)}" for server, octets in list(result.reached.items())[:_SHOWN]]
    more = len(result.reached) - len(shown)
    shown += [f"and {more} more"] * (more > 0)
    return f"; reached {'; '.join(shown)}" if shown else ""


def _size(octets: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if octets >= size:
            return f"{octets / size:.3g} {unit}"
    return f"{octets} B"


def whose_status(result: RunResult) -> str:
    """Whose the exit status is, where that is not plain: a command may end with a status that we use, too."""
    status = result.command_status
    if status is None or not (status in _OURS or result.status_of == "testbed"):
        return ""
    command = result.job.command[0] if result.job.command else result.job.image or "the shell"
    if result.status_of == "command":
        return f"; exit status {status} is that of {command}"
    return f"; exit status {result.exit_status} is testbed's, that of {command} was {status}"
