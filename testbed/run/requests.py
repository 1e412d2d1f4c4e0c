"""Requests to a held world from outside: run a command, switch the phase, report the status, end."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from testbed.errors import Exit, InputError, InvalidRunError
from testbed.run import worlds
from testbed.run.control import Line
from testbed.run.records import PhaseRecord
from testbed.vantage.joined import Joined, run_joined
from testbed.vantage.programs import ProgramError
from testbed.vantage.seclusion import Seclusion, secluding
from testbed.world import linux


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What came of one command in a held world."""

    world: str
    phase: str
    vantage: str
    status: int  # the command's, as a shell gives it
    scenario: str = ""
    folder: str = ""  # the world's run folder
    error: str = ""  # why it could not be started
    matched: Mapping[str, int] = field(
        default_factory=dict
    )  # rule -> how often triggered at the vantage meanwhile
    problems: tuple[str, ...] = ()  # why the world is invalid

    @property
    def exit_status(self) -> int:
        """Of `testbed exec`: the command's, unless the world is invalid."""
        return Exit.INVALID if self.problems else self.status

    def to_json(self) -> dict[str, Any]:
        """As a dict, with what follows from it, as in summary.json."""
        return asdict(self) | {
            "valid": not self.problems,
            "exit_status": int(self.exit_status),
            "exit_status_of": "testbed" if self.problems else "command",
        }


def begin(
    line: Line, vantage: str | None, argv: Sequence[str], secluded: Seclusion | None = None
) -> tuple[Joined, str]:
    """Ask the world for a place at `vantage` (None: its only one); the place, and the phase that holds.

    `secluded`: what the program may see of this machine's files; None: what `secluding` says, or all.

    Errors: InputError for a vantage that the world does not have; InvalidRunError if the world has ended.
    """
    reply = line.ask({"do": "exec", "vantage": vantage, "command": list(argv)})
    phase = reply.pop("phase")
    secluded = secluded or secluding()
    return Joined(**reply, secluded=secluded.text() if secluded else ""), phase


@dataclass(frozen=True, slots=True)
class InImage:
    """A command's container, which shares the network of the vantage."""

    image: str
    volumes: tuple[str, ...] = ()  # as `testbed.run.job.Job` has them
    variables: tuple[str, ...] = ()


def visit(world: str | None, vantage: str | None, argv: Sequence[str], box: InImage | None = None) -> Visit:
    """Run `argv` in the world, as the subscriber at `vantage` (None: its only one); in a container, if given.

    Errors: InputError for a world or vantage that does not exist or takes no containers, or an image that
    does not; InvalidRunError if the world ended while the command ran; RunInterrupted with a container.
    """
    name, line = worlds.connect(world)
    with closing(line):
        place, phase = begin(line, vantage, argv)
        error = ""
        try:
            status = _in_container(name, place, argv, box) if box else run_joined(place, argv)
        except ProgramError as refused:
            status, error = refused.status, str(refused)
        try:
            reply = line.ask({"status": status})
        except InvalidRunError as ended:
            raise InvalidRunError(f"the world '{name}' ended while the command ran") from ended
    return Visit(
        world=name,
        phase=phase,
        vantage=place.vantage,
        status=status,
        scenario=reply["scenario"],
        folder=reply["folder"],
        error=error,
        matched=reply["matched"],
        problems=tuple(reply["problems"]),
    )


def _in_container(world: str, place: Joined, argv: Sequence[str], box: InImage) -> int:
    from testbed.containers.contained import contained, variables  # few commands need it
    from testbed.containers.engine import Requested

    if not place.pod:
        message = f"the world '{world}' was opened without containers"
        raise InputError.at("--image", message, "open it with testbed up … --image IMAGE")
    requested = Requested(box.image, tuple(argv), "", box.volumes, variables(box.variables), place.pod)
    with TemporaryDirectory(prefix="testbed-") as folder, contained(requested, Path(folder)) as container:
        return container.run(place.environment)


def status(name: str) -> dict[str, Any]:
    """The status of a world: its names, phases, what its rules did, what runs in it, its problems.

    Errors: InputError if there is no such world.
    """
    _, line = worlds.connect(name)
    with closing(line):
        found: dict[str, Any] = line.ask({"do": "status"})
    return found


def every_status() -> list[dict[str, Any]]:
    """The status of each of this user's worlds; one that ends meanwhile is left out."""
    found = []
    for name in worlds.running():
        with suppress(InputError, InvalidRunError):
            found.append(status(name))
    return found


def switch_phase(world: str | None, phase: str, *, fresh: bool = False) -> tuple[str, PhaseRecord]:
    """Switch the world to another phase; its name, and what is recorded of the phase that has ended.

    `fresh`: the censors are started anew and remember nothing; the phase may be the one that holds.

    Errors: InputError for a world or a phase that does not exist, or that holds already.
    """
    name, line = worlds.connect(world)
    with closing(line):
        ended = PhaseRecord.from_json(line.ask({"do": "phase", "phase": phase, "fresh": fresh}))
    return name, ended


def change_box(
    world: str | None, censor: str, *, hop: int | None = None, model: str | None = None
) -> tuple[str, dict[str, Any]]:
    """Move a box of the world's phase, or change its model; the world's name, and the receipt of the change.

    The receipt has the new phase ("substring~1"), the change in words, and the record of the phase that has
    `ended`; it is in changes.jsonl, too. Connections in progress go on and meet the changed box.

    Errors: InputError for a world, box, hop or model that does not exist, or a change that changes nothing.
    """
    name, line = worlds.connect(world)
    with closing(line):
        receipt: dict[str, Any] = line.ask({"do": "change", "censor": censor, "hop": hop, "model": model})
    return name, receipt


def glance(name: str) -> dict[str, Any]:
    """What a live view needs of a world, cheaply; from the first time on the world measures rates.

    Errors: InputError if there is no such world; InvalidRunError if it ends meanwhile.
    """
    _, line = worlds.connect(name)
    with closing(line):
        found: dict[str, Any] = line.ask({"do": "watch"})
    return found


def end(world: str | None) -> tuple[str, dict[str, Any]]:
    """End the world and wait until nothing of it is left; its name and its summary.json.

    Errors: InputError for a world that does not exist; InvalidRunError if it was killed meanwhile.
    """
    name, line = worlds.connect(world)
    with closing(line):
        info = line.ask({"do": "status"})
        keeper = os.pidfd_open(info["keeper"])
        try:
            line.ask({"do": "down"})
            linux.Poller([keeper]).wait()
        finally:
            os.close(keeper)
    summary = Path(info["folder"]) / "summary.json"
    if not summary.exists():
        raise InvalidRunError(f"the world '{name}' was killed; what was recorded is in {info['folder']}")
    found: dict[str, Any] = json.loads(summary.read_text("utf-8"))
    return name, found
