"""Any command as the detector of a monitor: run as each subscriber, several at a time, within a limit."""

import os
import shlex
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, Popen
from tempfile import TemporaryFile
from typing import IO, Any, Final

from testbed.errors import InputError, nearest
from testbed.foreignjson import json_value
from testbed.model import OUTSIDE
from testbed.monitor.diagnose import FAILED
from testbed.run.laboratory import Laboratory
from testbed.scenario.labels import LABELS
from testbed.vantage.environment import Environment
from testbed.vantage.programs import ProgramError
from testbed.vantage.subscriber import spawn_as
from testbed.world import interrupt

PLACE: Final = "{target}"
TOGETHER: Final = 8  # commands at a time; our choice, as the probe's
HUNG: Final = "hung"
_LABELS: Final = (*LABELS, FAILED)


@dataclass(frozen=True, slots=True)
class DetectorWord:
    """What a detector said about one target: `ok`, `failed`, or a label of its own last line."""

    vantage: str
    target: str
    label: str
    seconds: float
    status: int | None  # exit status; None if it did not end in its time
    rate: float | None = None  # bit/s


@dataclass(slots=True)
class _Job:
    vantage: str
    target: str
    process: "Popen[bytes]"
    ended: int  # readable when it has ended
    output: IO[bytes]
    begun: float


def must_have_a_place(command: str) -> None:
    """InputError for a command without {target}, or one that no shell could read."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError.at("--detector", f"{command!r}: {error}", "close the quotes") from error
    if not any(PLACE in word for word in words):
        raise InputError.at("--detector", f"{command!r} has no {PLACE}", f"write 'curl -sS {PLACE}'")


def ask(
    laboratory: Laboratory,
    command: str,
    asked: Sequence[tuple[str, str]],
    limit: float,
    environments: dict[str, Environment],
) -> list[DetectorWord]:
    """Run the command for each vantage and target; the answers in the order of their ends.

    A command that ends with 0 says `ok`, any other status `failed`; if its last line is a JSON object with
    `label` (and perhaps `rate`, bit/s), that is its word. One that does not end within `limit` seconds is
    killed with all its children, and its label is `hung`.

    Errors: InputError if the program cannot be started, or says a label or a rate that is none.
    """
    waiting, running, answers = list(asked), list[_Job](), list[DetectorWord]()
    try:
        while waiting or running:
            while waiting and len(running) < TOGETHER:
                running.append(_start(laboratory, command, *waiting.pop(0), environments))
            first = min(job.begun for job in running) + limit
            interrupt.wait([job.ended for job in running], max(0.0, first - time.monotonic()))
            for job in list(running):
                late = time.monotonic() - job.begun >= limit
                if job.process.poll() is not None or late:
                    running.remove(job)
                    answers.append(_end(job))
    finally:
        for job in running:
            _end(job)
    return answers


def _start(
    laboratory: Laboratory, command: str, vantage: str, target: str, environments: dict[str, Environment]
) -> _Job:
    if vantage not in environments:
        environments[vantage] = laboratory.environment(vantage, f"vantages/{vantage}")
    words = [word.replace(PLACE, target) for word in shlex.split(command)]
    output: IO[bytes] = TemporaryFile()  # noqa: SIM115  closed when its command has ended
    begun = time.monotonic()
    try:
        process = spawn_as(
            laboratory.world.namespaces[vantage],
            words,
            environments[vantage],
            stdin=DEVNULL,
            stdout=output,
            stderr=DEVNULL,
            start_new_session=True,
        )
    except ProgramError as error:
        raise InputError.at("--detector", str(error), "name a program that is installed") from error
    return _Job(vantage, target, process, os.pidfd_open(process.pid), output, begun)


def _end(job: _Job) -> DetectorWord:
    """Its answer; what still runs of it is killed."""
    status = job.process.poll()
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(job.process.pid, signal.SIGKILL)
    if status is None:
        job.process.kill()
        job.process.wait()
    os.close(job.ended)
    with job.output as output:
        output.seek(0)
        said = _last_object(output.read())
    seconds = round(time.monotonic() - job.begun, 3)
    label = HUNG if status is None else "ok" if status == 0 else FAILED
    rate = None
    if status is not None and said.get("label") is not None:
        label, rate = _word(said)
    return DetectorWord(job.vantage, job.target, label, seconds, status, rate)


def _word(said: dict[str, Any]) -> tuple[str, float | None]:
    """The label and the rate that a detector gives. InputError for what is none."""
    label, rate = said["label"], said.get("rate")
    if not isinstance(label, str) or label not in _LABELS:
        near = nearest(label, _LABELS)
        raise InputError.at("--detector", f"it said the label {label!r}, which is none", near)
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float)):
        raise InputError.at("--detector", f"it said the rate {rate!r}", "a rate is a number, in bit/s")
    return label, None if rate is None else float(rate)


def _last_object(printed: bytes) -> dict[str, Any]:
    """The JSON object in the last line of an output; {} if there is none."""
    lines = printed.decode("utf-8", "replace").strip().splitlines()
    try:
        found = json_value(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def name_of(command: str) -> str:
    """The program of a command, for sentences."""
    return Path(shlex.split(command)[0]).name


def vantages_with_outside(vantages: Sequence[str]) -> tuple[str, ...]:
    """All vantages that are asked: outside tells a dead site from a block."""
    return (*(one for one in vantages if one != OUTSIDE), OUTSIDE)
