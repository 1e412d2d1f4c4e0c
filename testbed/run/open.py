"""`open_world`: a held world in Python, as a context manager."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from testbed.errors import InputError, InvalidRunError
from testbed.model import Scenario
from testbed.run import requests, worlds
from testbed.run.events import rules_by_flow
from testbed.run.job import Job
from testbed.run.records import PhaseRecord
from testbed.run.result import RunResult
from testbed.run.standing import Opening, Started, start, wait
from testbed.vantage.hiding import HiddenFiles
from testbed.vantage.joined import call_joined, helper, refused

T = TypeVar("T")


def open_world(
    scenario: str | Path | Scenario, *, name: str | None = None, idle: float | None = None, **options: Any
) -> "StandingWorld":
    """Build a world and hold it until the `with` block ends.

    `options` are those of a `Job`: phase, vantages, seed, time_scale, out, … Without vantages, the world has
    every operator that any phase of the scenario concerns. If this process ends, the world does, too.

    Errors: InputError for what is wrong with the request; UnsupportedError if this machine lacks a feature;
    InvalidRunError if the world could not be built.
    """
    return StandingWorld(start(Opening.prepare(Job(scenario, **options), name, idle), detached=False))


class StandingWorld:
    """A world that is held open. `result` is there once it has ended."""

    def __init__(self, started: Started) -> None:
        self._started = started
        self.name = started.info.name
        self.folder = started.info.folder
        self.vantages = started.info.vantages
        self.result: RunResult | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the world. InvalidRunError if it became invalid, unless another exception is on its way."""
        result = self.close()
        if kind is None and not result.valid:
            raise InvalidRunError("\n".join(result.problems))

    def run(
        self,
        args: Sequence[str],
        *,
        vantage: str | None = None,
        check: bool = False,
        env: Mapping[str, str] | None = None,
        nameless: bool = False,
        read_only: bool = False,
        hidden: HiddenFiles | None = None,
        **options: Any,
    ) -> "subprocess.CompletedProcess[Any]":
        """Run a command as the subscriber at `vantage` (None: the only one), as `subprocess.run` does.

        `options` are those of `subprocess.run`: capture_output, text, input, timeout, stdout, … The return
        code is that of a shell, 128 + n after signal n. `nameless`: no file and no mount that the command
        sees names the vantage or another host. `read_only`: the command cannot change the machine's files.
        `hidden`: files of the machine's that the command does not find, but for the trust stores.
        Several threads may run commands at once.

        Errors: InputError for a vantage that the world does not have, or a program that cannot be started;
        InvalidRunError if the world has ended; those of `subprocess.run`.
        """
        if isinstance(args, str):
            raise InputError.at("args", f"{args!r} is text", f"give a list: [{args!r}]")
        _, line = worlds.connect(self.name)
        refusal = os.memfd_create("refusal")
        try:
            place, _ = requests.begin(line, vantage, args)
            files = hidden.text() if hidden else ""
            place = replace(place, nameless=nameless, read_only=read_only, hidden=files)
            if place.seclusion and "cwd" in options:
                place = replace(place, secluded=place.seclusion.at(str(options["cwd"])).text())
            done = subprocess.run(
                helper(place, refusal, args), pass_fds=[refusal], env=env, check=False, **options
            )
            with os.fdopen(os.dup(refusal), "rb") as report:
                report.seek(0)
                why = refused(report.read().decode())
            if why is not None:
                raise why
            line.ask({"status": done.returncode})
        except subprocess.TimeoutExpired as late:
            raise subprocess.TimeoutExpired(list(args), late.timeout, late.output, late.stderr) from None
        finally:
            line.close()
            os.close(refusal)
        made = subprocess.CompletedProcess(list(args), done.returncode, done.stdout, done.stderr)
        if check:
            made.check_returncode()
        return made

    def call(self, function: Callable[[], T], *, vantage: str | None = None) -> T:
        """Call a function of this process as the subscriber at `vantage` (None: the only one).

        It runs in a forked process, with the vantage's network, resolver and trust stores; what it returns or
        raises must pickle. This process must have no other threads.

        Errors: those of the function; InputError for a vantage that the world does not have; InvalidRunError
        if the world has ended.
        """
        _, line = worlds.connect(self.name)
        try:
            name = getattr(function, "__qualname__", repr(function))
            place, _ = requests.begin(line, vantage, [f"(Python) {name}"])
            status = 1
            try:
                found: T = call_joined(place, function)
                status = 0
            finally:
                with suppress(InvalidRunError):
                    line.ask({"status": status})
        finally:
            line.close()
        return found

    def phase(self, name: str, *, fresh: bool = False) -> PhaseRecord:
        """Switch to another phase; what is recorded of the one that has ended.

        `fresh`: the censors are started anew and remember nothing; `name` may be the phase that holds.

        Errors: InputError for a phase that does not exist, or that holds already.
        """
        return requests.switch_phase(self.name, name, fresh=fresh)[1]

    def status(self) -> dict[str, Any]:
        """The world's status: `phase`, ended `phases`, `matched` rules of this one, `problems`, …"""
        return requests.status(self.name)

    def matched(self) -> dict[str, tuple[str, ...]]:
        """Which flows have triggered which rules until now: flow -> "mts/tspu/rule"."""
        return rules_by_flow(self.folder / "events.jsonl")

    def receipts(self) -> dict[str, dict[str, Any]]:
        """The receipts of the phases that have ended: "1-substring" -> censor -> receipt."""
        from testbed.run.folder import RunFolder

        folder = RunFolder(self.folder)
        parts = sorted(path.name for path in (self.folder / "receipts").iterdir() if path.is_dir())
        return {part: folder.receipts(part) for part in parts}

    def close(self) -> RunResult:
        """End the world, if it has not ended; its result."""
        if self.result is None:
            with suppress(InputError, InvalidRunError):  # it has ended already: its result has the reason
                requests.end(self.name)
            self.result = wait(self._started)
        return self.result
