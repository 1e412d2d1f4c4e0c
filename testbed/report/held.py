"""What is printed about worlds that are held open."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from testbed.errors import printable
from testbed.report.paths import typed
from testbed.run.records import PhaseRecord, WorldInfo
from testbed.run.requests import Visit

_OURS = (1, 2, 3, 4)  # exit statuses that a command may have, too

Summary = Mapping[str, Any]


def opened(info: WorldInfo, phase: str, *, as_json: bool, detached: bool) -> str:
    """What `up` says once the world is open. The last line ends with its name."""
    if as_json:
        return json.dumps({**asdict(info), "folder": str(info.folder), "phase": phase}, ensure_ascii=False)
    ends = "`testbed down`" if detached else "Ctrl-C or `testbed down`"
    if info.idle is not None:
        ends += f", or {duration(info.idle)} without a command"
    return (
        f"{info.scenario}/{phase}, vantages: {', '.join(info.vantages)}\n"
        f"recorded in {typed(info.folder)}\n"
        f"it ends by {ends}\n"
        f"world {info.name}"
    )


def show_visit(done: Visit, words: Sequence[str], *, as_json: bool, quiet: bool) -> None:
    """After a command, on stderr: stdout is the command's."""
    if as_json:
        print(json.dumps(done.to_json(), ensure_ascii=False), file=sys.stderr)
        return
    lines = [done.error] if done.error else []
    if not quiet or done.problems:
        lines.append(
            f"as {done.vantage} in {done.world}/{done.phase}: {_times(done.matched) or 'no rule matched'}"
            + _whose(done, words[0])
        )
    lines += [line for problem in done.problems for line in f"INVALID WORLD: {problem}".splitlines()]
    for line in lines:
        print(f"testbed: {printable(line)}", file=sys.stderr)


def show_switch(world: str, phase: str, ended: PhaseRecord) -> None:
    """After a switch: what the phase that ended has seen."""
    for line in _phase_lines(ended.to_json()):
        print(line)
    print(f"world {world} is in phase {phase}")


def show_list(found: Sequence[Mapping[str, Any]]) -> None:
    """The table of `testbed worlds`."""
    if not found:
        print("no world is held open; open one: testbed up SCENARIO --detach")
    for one in found:
        print(f"{one['name']}: {one['scenario']}/{one['phase']}, vantages: {', '.join(one['vantages'])}")
        for record in one["phases"]:
            print(*(f"  {line}" for line in _phase_lines(record)), sep="\n")
        print(f"  {one['phase']}, now: {_times(one['matched']) or 'no rule matched'}")
        for command in one["running"]:
            print(f"  runs at {command['vantage']}: {printable(' '.join(command['command']))}")
        if one["idle_left"] is not None:
            print(f"  it ends after {duration(one['idle_left'])} more without a command")
        for problem in one["problems"]:
            print(f"  INVALID WORLD: {printable(problem)}")
        print(f"  recorded in {typed(Path(one['folder']))}")


def show_end(summary: Summary) -> None:
    """After the end of a world: what acted in each phase, and whether it was valid."""
    for record in summary.get("phases", ()):
        for line in _phase_lines(record):
            print(line)
    for note in summary.get("notes", ()):
        print(f"note: {printable(note)}")
    for problem in summary["problems"]:
        print(f"INVALID WORLD: {printable(problem)}")
    verdict = "valid" if summary["valid"] else "INVALID"
    ended = f"ended by {summary['ended_by']}, " if summary.get("ended_by") else ""
    folder = typed(Path(summary["folder"]))
    if captured := summary.get("capture"):
        from testbed.run.annotated import CaptureRecord  # few worlds have one

        values = {name: value for name, value in captured.items() if name != "file"}
        record = CaptureRecord(Path(captured["file"]), **values)
        print(f"{typed(record.file)}: {record}")
    print(f"world {summary.get('world') or '?'}: {ended}{verdict}; recorded in {folder}")


def duration(seconds: float) -> str:
    """3600 -> "1 h", 90 -> "90 s"."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def _phase_lines(record: Mapping[str, Any]) -> list[str]:
    many = "command" if record["commands"] == 1 else "commands"
    fired = [f"{rule} ({packets} packet{'s' * (packets != 1)})" for rule, packets in record["fired"].items()]
    fired += [
        f"{rule} (matched, changed nothing)" for rule in record["matched"] if rule not in record["fired"]
    ]
    head = f"{record['phase']}, {duration(record['seconds'])}, {record['commands']} {many}"
    lines = [f"{head}: {', '.join(fired) or 'no rule fired'}"]
    lines += [f"  note: {printable(note)}" for note in record.get("notes", ())]
    return lines + [f"  INVALID: {printable(problem)}" for problem in record["problems"]]


def _times(matched: Mapping[str, int]) -> str:
    return ", ".join(
        f"{rule} matched" + (f" {times} times" if times != 1 else " once") for rule, times in matched.items()
    )


def _whose(done: Visit, program: str) -> str:
    if done.problems:
        return f"; exit status 3 is testbed's, that of {program} was {done.status}"
    return f"; exit status {done.status} is that of {program}" if done.status in _OURS else ""
