"""What came of a run, as a value."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from testbed.errors import Exit
from testbed.measurement.ooni import Measurement
from testbed.run.events import PassedName
from testbed.run.job import Job
from testbed.run.records import PhaseRecord
from testbed.scenario.story import PhaseSpan
from testbed.truth.expected import Truth
from testbed.truth.judge import Judgement, Row
from testbed.truth.wayjudge import WayRow, ways_verdict
from testbed.world.pressure import Pressure

if TYPE_CHECKING:
    from testbed.run.annotated import CaptureRecord


@dataclass(frozen=True, slots=True)
class PlayedPhase:
    """One phase of a timeline: when it was in the scenario, and what the probe saw."""

    span: PhaseSpan
    judgement: Judgement
    measurements: tuple[Measurement, ...]
    truth: tuple[Truth, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the work in a world found. Any problem makes the run invalid."""

    problems: tuple[str, ...] = ()  # one sentence each
    notes: tuple[str, ...] = ()  # worth a reader's eye, harmless
    measurements: tuple[Measurement, ...] = ()  # by the built-in probe
    truth: tuple[Truth, ...] = ()  # what had to be seen
    ways: tuple[WayRow, ...] = ()  # the phase's methods of circumvention, if they were asked for
    judgement: Judgement | None = None  # observed beside expected; None with a command
    command_status: int | None = None  # as a shell gives it: 128 + n after signal n
    command_error: str = ""  # why the command could not be started
    controls: Mapping[str, str] = field(default_factory=dict)  # with a command: target -> label, must be "ok"
    control_fired: Mapping[str, int] = field(default_factory=dict)  # as `fired`, by the control's own packets
    reached: Mapping[str, int] = field(
        default_factory=dict
    )  # with a command: server that is no site -> bytes
    pressure: Pressure | None = None  # how busy the machine was
    world: str = ""  # the name of a held world
    phases: tuple[PhaseRecord, ...] = ()  # of a held world or a timeline, in their order
    played: tuple[PlayedPhase, ...] = ()  # of a timeline that the probe measured
    ended_by: str = ""  # what ended a held world


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult(Findings):
    """One run: what was asked for, what was seen, what the filters did, and whether it is valid."""

    job: Job  # with every choice made
    scenario: str  # its name
    folder: Path  # the run folder: docs/run-folder.md
    exit_status: (
        int  # of `testbed run`: the command's own, or one of testbed.errors.Exit; 128 + n after signal n
    )
    receipts: Mapping[str, Any] = field(default_factory=dict)  # by censor, "mts/tspu"
    fired: Mapping[str, int] = field(
        default_factory=dict
    )  # rule that acted -> packets that the kernel counted
    matched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # flow -> rules that it triggered
    passed: tuple[PassedName, ...] = ()  # names that a rule lists and that passed, with the reason
    captured: "CaptureRecord | None" = None
    started: float = 0.0  # seconds since the epoch
    seconds: float = 0.0

    @property
    def valid(self) -> bool:
        """Whether the laboratory worked, so that the results mean something."""
        return not self.problems

    @property
    def status_of(self) -> Literal["command", "testbed"]:
        """Whose the exit status is: the command's own, or ours."""
        return "command" if self.valid and self.command_status is not None else "testbed"

    @property
    def verdict(self) -> str:
        """The result in one line; "" for a valid run of a command."""
        if self.problems:
            return invalid(self.problems)
        if self.played:
            rows = [row for one in self.played for row in one.judgement.rows]
            return f"{agreement(rows)} in {len(self.played)} phases"
        ways = f"; {ways_verdict(self.ways)}" if self.ways else ""
        return f"{verdict(self.judgement)}{ways}" if self.judgement else ""

    def summary(self) -> dict[str, Any]:
        """What summary.json holds."""
        job = self.job
        found: dict[str, Any] = {
            "scenario": self.scenario,
            "phase": job.phase,
            "vantages": list(job.vantages),
            "seed": job.seed,
            "time_scale": job.time_scale,
            "exit_status": self.exit_status,
            "exit_status_of": self.status_of,
            "valid": self.valid,
            "problems": list(self.problems),
            "notes": list(self.notes),
            "names_passed": [asdict(one) for one in self.passed],
            "pressure": asdict(self.pressure) if self.pressure else None,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
            "seconds": round(self.seconds, 3),
            "folder": str(self.folder),
        }
        if self.captured:
            found["capture"] = {**asdict(self.captured), "file": str(self.captured.file)}
        if self.judgement:
            rows = self.judgement.to_json()["rows"]
            counts = {"agreeing": self.judgement.agreeing, "total": len(rows)}
            ways = {"circumvention": [row.to_json() for row in self.ways]} if job.circumvention else {}
            return found | counts | {"verdict": self.verdict, "rows": rows} | ways
        if self.world:
            found |= {"world": self.world, "ended_by": self.ended_by}
        if self.phases:
            found["phases"] = [record.to_json() for record in self.phases]
        if self.played:
            rows = [
                {"phase": one.span.phase, **row}
                for one in self.played
                for row in one.judgement.to_json()["rows"]
            ]
            agreeing = sum(one.judgement.agreeing for one in self.played)
            found |= {"agreeing": agreeing, "total": len(rows), "verdict": self.verdict, "rows": rows}
        if job.runs_program:
            found |= {
                "command": list(job.command or (job.image or "(shell)",)),
                "command_status": self.command_status,
                "command_error": self.command_error,
                "controls": dict(self.controls),
                "rules_fired_at_control": dict(self.control_fired),
                "reached": dict(self.reached),
            }
        return found | {"rules_fired": dict(self.fired)}

    def to_json(self) -> dict[str, Any]:
        """The whole result as plain JSON values."""
        return self.summary() | {
            "job": self.job.to_json(),
            "measurements": [measurement.to_json() for measurement in self.measurements],
            "truth": [one.to_json() for one in self.truth],
            "receipts": dict(self.receipts),
            "rules_fired": dict(self.fired),
            "rules_matched": {flow: list(rules) for flow, rules in self.matched.items()},
        }


def verdict(judgement: Judgement) -> str:
    """A judgement in one line."""
    if judgement.problems:
        return invalid(judgement.problems)
    return agreement(judgement.rows)


def agreement(rows: Sequence[Row]) -> str:
    """How many of these are as expected."""
    agreeing = sum(row.verdict == "ok" for row in rows)
    word = "as expected" if agreeing == len(rows) else "NOT as expected; agreeing"
    return f"{word}: {agreeing} of {len(rows)}"


def invalid(problems: tuple[str, ...]) -> str:
    """The last line of an invalid run."""
    first, *more = problems
    rest = f" (and {len(more)} more, above)" if more else ""
    return f"INVALID RUN: {first}{rest}"


def exit_status(findings: Findings) -> int:
    """The exit status of a run that came to its end."""
    if findings.problems:
        return Exit.INVALID
    if findings.command_status is not None:
        return findings.command_status
    if findings.played:
        return most_serious(one.judgement.exit_status for one in findings.played)
    if findings.phases:
        return Exit.OK
    if findings.judgement is None:
        return Exit.INVALID
    differs = any(row.verdict not in ("ok", "skipped") for row in findings.ways)
    return max(findings.judgement.exit_status, Exit.UNEXPECTED if differs else Exit.OK)


def most_serious(statuses: Iterable[int]) -> int:
    """Of several runs' exit statuses: interrupted, then a lacking feature, invalid, not as expected."""
    return max(statuses, default=Exit.OK)
