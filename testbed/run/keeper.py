"""Inside a held world: answers the requests of `exec`, `phase`, `worlds` and `down`."""

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from testbed.errors import InputError, InvalidRunError, RunInterrupted, TestbedError
from testbed.measurement.ooni import Measurement
from testbed.model import OUTSIDE
from testbed.run.choose import one_of
from testbed.run.control import Line
from testbed.run.events import passed_names, rules_matched
from testbed.run.folder import versions
from testbed.run.laboratory import Laboratory
from testbed.run.program import judge_controls, measure_controls, own_rules
from testbed.run.rearranged import rearrange
from testbed.run.records import PhaseRecord, WorldInfo
from testbed.run.result import Findings
from testbed.run.session import Session, Work, rules_fired
from testbed.scenario.tojson import to_json
from testbed.truth.proofs import problems as receipt_problems
from testbed.vantage.environment import Environment
from testbed.world import interrupt
from testbed.world.join import FirstProcess
from testbed.world.pressure import Pressure

_TICK = 1.0  # seconds between two checks of the services; our choice
_PATIENCE = 2.0  # seconds that a client may take to send its request; our choice


def holding(info: WorldInfo, listener: socket.socket, ready: Callable[[], None]) -> Work:
    """The work of a held world: `ready` is called once requests are answered."""

    def work(session: Session, laboratory: Laboratory) -> Findings:
        keeper = Keeper(session, laboratory, info, listener)
        ready()
        return keeper.serve()

    return work


@dataclass(slots=True)
class _Running:
    """A command that runs in the world: its connection stays open as long."""

    vantage: str
    command: list[str]
    began: float  # seconds since the epoch
    events: int  # size of events.jsonl at its start


@dataclass(slots=True)
class _Phase:
    """The phase that holds now."""

    number: int
    started: float  # seconds since the epoch
    events: int  # size of events.jsonl at its start
    commands: int = 0
    used: dict[str, frozenset[str]] = field(
        default_factory=dict
    )  # vantages of commands: network before the first


class Keeper:
    """Answers requests, one at a time, and knows what runs in the world."""

    def __init__(
        self, session: Session, laboratory: Laboratory, info: WorldInfo, listener: socket.socket
    ) -> None:
        self._session, self._laboratory = session, laboratory
        self._info, self._listener = info, listener
        self._lines: dict[int, Line] = {}  # by file number
        self._running: dict[int, _Running] = {}
        self._records: list[PhaseRecord] = []
        self._problems: dict[str, None] = {}
        self._environments: dict[str, Environment] = {}
        self._ended_by = ""
        self._active = time.monotonic()  # when the world was last used
        self._phase = self._begin(1)

    def serve(self) -> Findings:
        """Answer requests until `down`, a signal, or the idle limit ends the world."""
        try:
            while not self._ended_by:
                self._step()
        except RunInterrupted:
            self._ended_by = "a signal"
        self._end_phase()
        for number in list(self._lines):
            self._close(number)
        self._note(self._laboratory.finish())
        pressure = Pressure.read(self._session.folder.path)
        return Findings(
            pressure=pressure,
            notes=(str(pressure),) if pressure is not None and pressure.busy else (),
            problems=tuple(self._problems),
            phases=tuple(self._records),
            world=self._info.name,
            ended_by=self._ended_by,
        )

    # -- one turn of the loop

    def _step(self) -> None:
        listening = self._listener.fileno()
        for number in interrupt.wait([listening, *self._lines], _TICK):
            if number == listening:
                connection, _ = self._listener.accept()
                connection.settimeout(_PATIENCE)
                self._lines[connection.fileno()] = Line(connection)
            else:
                self._read(number)
        self._check_services()
        idle = self._info.idle
        if self._running:
            self._active = time.monotonic()
        elif idle is not None and time.monotonic() - self._active > idle:
            self._ended_by = f"its idle limit of {idle:g} s"

    def _check_services(self) -> None:
        try:
            self._laboratory.check()
        except TestbedError as dead:
            self._note([str(dead)])

    def _read(self, number: int) -> None:
        line = self._lines[number]
        try:
            message = line.receive()
        except (OSError, ValueError):
            message = None
        try:
            if message is None:
                self._close(number)
            elif number in self._running:
                line.answer(self._command_ended(number, message.get("status")))
                self._close(number)
            else:
                self._answer(number, line, message)
        except OSError:  # the client has ended
            self._close(number)

    def _close(self, number: int) -> None:
        if number in self._running:
            self._command_ended(number, None)
        self._lines.pop(number).close()

    def _answer(self, number: int, line: Line, message: dict[str, Any]) -> None:
        try:
            match message.get("do"):
                case "status":
                    line.answer(self._status())
                case "exec":
                    line.answer(self._command_begins(number, message))
                case "phase":
                    line.answer(self._switch(message["phase"], fresh=bool(message.get("fresh"))))
                case "change":
                    line.answer(self._change(message))
                case "watch":
                    self._laboratory.measure_rates()
                    line.answer(self._glance())
                case "down":
                    self._ended_by = "testbed down"
                    line.answer(None)
                case other:
                    line.answer(InputError.at("request", f"unknown: {other!r}", "are both of one version?"))
        except TestbedError as error:
            line.answer(error)

    # -- requests

    def _status(self) -> dict[str, Any]:
        idle = self._info.idle
        left = None if idle is None else max(0.0, idle - (time.monotonic() - self._active))
        return {
            **asdict(self._info),
            "phase": self._laboratory.phase,
            "phases": [record.to_json() for record in self._records],
            "matched": rules_matched(self._session.folder.events, self._phase.events),
            "running": [{"vantage": one.vantage, "command": one.command} for one in self._running.values()],
            "problems": list(self._problems),
            "idle_left": left,
        }

    def _glance(self) -> dict[str, Any]:
        """What a live view asks for every second: `status` without reading the events."""
        phases = self._laboratory.scenario.phases
        return {
            **asdict(self._info),
            "phase": self._laboratory.phase,
            "phases": [record.to_json() for record in self._records],
            "titles": {name: phase.title for name, phase in phases.items()},
            "running": [{"vantage": one.vantage, "command": one.command} for one in self._running.values()],
            "problems": list(self._problems),
        }

    def _command_begins(self, number: int, message: dict[str, Any]) -> dict[str, Any]:
        vantage = self._vantage(message.get("vantage"))
        if vantage not in self._environments:
            name = f"vantages/{len(self._environments) + 1}"
            self._environments[vantage] = self._session.command_environment(self._laboratory, vantage, name)
        environment = self._environments[vantage]
        self._running[number] = _Running(vantage, message["command"], time.time(), self._events_size())
        self._phase.commands += 1
        if vantage not in self._phase.used:
            self._phase.used[vantage] = self._laboratory.network_of(vantage)
        self._active = time.monotonic()
        return {
            **asdict(FirstProcess.of_this_world()),
            "vantage": vantage,
            "phase": self._laboratory.phase,
            "tree": environment.tree,
            "scratch": environment.scratch,
            "variables": environment.variables,
            "pod": self._laboratory.pods.ids.get(vantage, "") if self._laboratory.pods else "",
        }

    def _command_ended(self, number: int, status: int | None) -> dict[str, Any]:
        ran = self._running.pop(number)
        self._active = time.monotonic()
        self._check_services()
        done = {
            "started": round(ran.began, 3),
            "seconds": round(time.time() - ran.began, 3),
            "phase": self._laboratory.phase,
            "vantage": ran.vantage,
            "command": ran.command,
            "status": status,  # None: its end was not reported
        }
        self._session.folder.append("commands.jsonl", done)
        matched = rules_matched(self._session.folder.events, ran.events)
        mine = {rule: times for rule, times in matched.items() if rule.startswith(f"{ran.vantage}/")}
        about = {"scenario": self._info.scenario, "folder": str(self._info.folder)}
        return {**done, **about, "matched": mine, "problems": list(self._problems)}

    def _switch(self, phase: str, *, fresh: bool) -> dict[str, Any]:
        """Switch. `fresh`: also to the phase that holds, and no censor keeps what it remembers."""
        scenario = self._laboratory.scenario
        one_of(phase, scenario.phases, "phase", scenario.name, place="PHASE")
        if phase == self._laboratory.phase and not fresh:
            raise InputError.at("PHASE", f"the world is in phase '{phase}' already", "nothing was changed")
        self._end_phase(None if fresh else phase)
        self._begin_phase(phase)
        return self._records[-1].to_json()

    def _change(self, message: dict[str, Any]) -> dict[str, Any]:
        """Move a box of the phase, or change its model: a phase of its own, in which only that box is new."""
        laboratory, before = self._laboratory, self._laboratory.phase
        made = rearrange(
            laboratory.scenario, before, message["censor"], hop=message.get("hop"), model=message.get("model")
        )
        laboratory.scenario = made.scenario
        self._session.folder.write("scenario.json", {**to_json(made.scenario), "versions": versions()})
        self._end_phase(made.phase, f"{made.words}: phase {made.phase} follows")
        self._begin_phase(made.phase)
        change = {"at": round(time.time(), 3), "from": before, "phase": made.phase, "change": made.words}
        self._session.folder.append("changes.jsonl", change)
        return {**change, "ended": self._records[-1].to_json()}

    def _begin_phase(self, phase: str) -> None:
        try:
            self._laboratory.begin_phase(phase)
        except TestbedError as error:
            self._note([str(error)])
            raise
        finally:
            self._phase = self._begin(self._phase.number + 1)
            self._active = time.monotonic()

    # -- phases

    def _begin(self, number: int) -> _Phase:
        return _Phase(number, time.time(), self._events_size())

    def _end_phase(self, following: str | None = None, note: str = "") -> None:
        """Measure the controls, stop the censors, move their receipts into the folder of the phase.

        Those that the phase `following` has, too, go on.
        """
        laboratory, session, phase = self._laboratory, self._session, self._phase
        seconds = time.time() - phase.started
        matched = rules_matched(session.folder.events, phase.events)
        problems: list[str] = []
        measured: dict[str, tuple[Measurement, ...]] = {}
        try:
            measured = measure_controls(session, laboratory, sorted(phase.used))
            problems += laboratory.end_phase(following)
        except InvalidRunError as error:
            problems.append(str(error))
        receipts = session.folder.receipts()
        labels, harmed = judge_controls(
            measured, receipts, laboratory.scenario, laboratory.phase, session.job.ipv
        )
        problems += harmed
        problems += receipt_problems(receipts, [placement.name for placement in laboratory.placements])
        part = f"{phase.number}-{laboratory.phase}"
        session.folder.move_receipts(part)
        self._note([f"phase {laboratory.phase}: {problem}" for problem in problems])
        self._records.append(
            PhaseRecord(
                phase=laboratory.phase,
                part=part,
                started=phase.started,
                seconds=round(seconds, 3),
                commands=phase.commands,
                fired=rules_fired(receipts, session)[0],
                matched=matched,
                controls={one: labels[one] for one in labels if one in phase.used},
                notes=(*self._notes(phase), *([note] if note else [])),
                problems=tuple(problems),
            )
        )

    def _notes(self, phase: _Phase) -> Iterator[str]:
        for vantage in sorted(phase.used):
            yield from own_rules(self._laboratory, vantage)
            if self._laboratory.network_of(vantage) != phase.used[vantage]:
                yield f"{vantage} has other addresses or routes than before the commands of this phase"
        session = self._session
        yield from map(str, passed_names(session.folder.events, session.twin_addresses, phase.events))

    # -- helpers

    def _vantage(self, asked: str | None) -> str:
        known = self._info.vantages
        if asked in self._session.scenario.vantages() and asked not in known:
            message = f"the world '{self._info.name}' was built without '{asked}'"
            remedy = f"it has: {', '.join(known)}; open another with --vantage {asked}"
            raise InputError.at("--vantage", message, remedy)
        if asked is not None:
            return one_of(asked, known, "vantage", f"the world '{self._info.name}'")
        operators = [vantage for vantage in known if vantage != OUTSIDE]
        if len(operators) == 1:
            return operators[0]
        raise InputError.at("--vantage", "this world has several", f"name one: {', '.join(known)}")

    def _note(self, problems: list[str]) -> None:
        self._problems |= dict.fromkeys(problems)

    def _events_size(self) -> int:
        return self._session.folder.events.stat().st_size
