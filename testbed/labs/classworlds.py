"""The worlds of a class: built on demand, a few at a time, ended when nobody works in them.

Answers are in the workbooks, and stay whatever happens to a world.
"""

import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from testbed.labs.classfolder import ClassFolder, space
from testbed.labs.classworld import READY
from testbed.labs.opening import ROOM, available

_TICK: Final = 0.25  # seconds; our choice
_LOOK: Final = 2.0  # seconds between two looks at what students use; our choice
_GRACE: Final = 20.0  # seconds that a world has to end; our choice

ClassWorldState = Literal["stopped", "waiting", "starting", "ready", "ending"]


@dataclass(frozen=True, slots=True)
class ClassLimits:
    """What one student may have."""

    idle: float = 900.0  # seconds without a key or an answer, after which a world is ended
    memory: int = 700 << 20  # bytes, PSS, of a world with all that runs in it
    space: int = 256 << 20  # bytes of files
    at_once: int = 1  # worlds that are built at the same time
    most: int = 0  # worlds that are open at the same time; 0: as many as memory allows


@dataclass(slots=True)
class ClassWorld:
    """One student's world, or that there is none."""

    student: str
    name: str
    state: ClassWorldState = "stopped"
    words: str = ""  # why it ended
    active: float = field(default_factory=time.monotonic)  # the latest key or answer
    process: Process | None = None
    used: int = 0  # bytes of memory at the last look


class ClassWorlds:
    """All of them. `run` it as a task."""

    def __init__(
        self,
        folder: ClassFolder,
        students: Sequence[str],
        limits: ClassLimits,
        room: Callable[[], int] = available,
    ) -> None:
        self.folder, self.limits, self._room = folder, limits, room
        self.worlds = {
            one: ClassWorld(one, f"class-{os.getpid()}-{number}") for number, one in enumerate(students, 1)
        }
        self._waiting: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, student: str) -> None:
        """The student wants a world: it is there, or is in the queue from now on."""
        world = self.worlds[student]
        world.active = time.monotonic()
        if world.state == "stopped":
            world.state, world.words = "waiting", ""
            self._waiting.append(student)

    def touch(self, student: str) -> None:
        """The student works."""
        self.worlds[student].active = time.monotonic()

    def line(self, student: str) -> str:
        """How it stands, for the student: one line."""
        world = self.worlds[student]
        match world.state:
            case "waiting":
                place = self._waiting.index(student) + 1
                why = self._why_not()
                return f"place {place} of {len(self._waiting)} in the queue{f': {why}' if why else ''}"
            case "starting":
                return "your world is being built"
            case "ready":
                return "your world is open"
            case "ending":
                return "your world is being ended; your answers are kept"
            case _:
                return f"{world.words}; your answers are kept" if world.words else "you have no world yet"

    def _why_not(self) -> str:
        open_ = sum(one.state in ("starting", "ready", "ending") for one in self.worlds.values())
        if self.limits.most and open_ >= self.limits.most:
            return f"{open_} worlds are open, and no more are allowed"
        if (free := self._room()) < ROOM:
            return f"there is no memory for another world: {free >> 20} MB are free"
        building = sum(one.state == "starting" for one in self.worlds.values())
        return f"{building} being built" if building >= self.limits.at_once else ""

    async def run(self) -> None:
        """Until it is cancelled; then every world is ended."""
        looked = time.monotonic()
        try:
            while True:
                self.admit()
                if time.monotonic() - looked > _LOOK:
                    await asyncio.to_thread(self._look)
                    for world in self.worlds.values():
                        self._judge(world)
                    looked = time.monotonic()
                await asyncio.sleep(_TICK)
        finally:
            for world in self.worlds.values():
                self.end(world.student, "the class is over")
            if self._tasks:
                await asyncio.wait(self._tasks)

    def end(self, student: str, why: str) -> None:
        """End the student's world."""
        world = self.worlds[student]
        if world.state == "waiting":
            self._waiting.remove(student)
            world.state, world.words = "stopped", why
        elif world.process is not None and world.state in ("starting", "ready"):
            world.state, world.words = "ending", why
            with suppress(ProcessLookupError):
                world.process.terminate()
            self._keep(_ended_for_sure(world.process))

    def admit(self) -> None:
        """Begin to build the worlds of those who are first in the queue, as far as there is room."""
        while self._waiting and not self._why_not():
            self._start(self.worlds[self._waiting.pop(0)])

    def _start(self, world: ClassWorld) -> None:
        world.state = "starting"
        self._keep(self._live(world))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _live(self, world: ClassWorld) -> None:
        """A world's life, from its building to its end."""
        world.process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "testbed.labs.classworld",
            stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True,
        )  # fmt: skip
        assert world.process.stdin is not None  # they are pipes
        assert world.process.stdout is not None
        given = {
            "folder": str(self.folder.path), "lab": str(self.folder.lab.folder), "code": self.folder.code,
            "student": world.student, "name": world.name,
        }  # fmt: skip
        with suppress(OSError):
            world.process.stdin.write(f"{json.dumps(given)}\n".encode())
            await world.process.stdin.drain()
        why = ""
        async for line in world.process.stdout:
            text = line.decode("utf-8", "replace").strip()
            if text == READY and world.state == "starting":
                world.state, world.active = "ready", time.monotonic()
            else:
                why = text or why
        status = await world.process.wait()
        if world.state != "ending":
            killed = "your world was killed" if status < 0 else "your world has ended"
            world.words = f"your world failed: {why}" if why else killed
        await asyncio.to_thread(_make_room, self.folder.room(world.student), self.limits.space)
        world.state, world.process, world.used = "stopped", None, 0

    def _look(self) -> None:
        for world in self.worlds.values():
            if world.process is not None:
                world.used = memory_of(world.process.pid)

    def _judge(self, world: ClassWorld) -> None:
        """End a world that nobody uses, or that takes more than it may."""
        if world.state != "ready":
            return
        limits = self.limits
        if time.monotonic() - world.active > limits.idle:
            self.end(world.student, f"your world was ended after {limits.idle / 60:g} min without you")
        elif world.used > limits.memory:
            used = f"{world.used >> 20} MB of memory"
            self.end(world.student, f"your world took {used}, and {limits.memory >> 20} are allowed")
        elif (taken := space(self.folder.room(world.student))) > limits.space:
            more = "too many files" if taken >= 1 << 62 else f"{taken >> 20} MB of files"
            words = f"{more}, and {limits.space >> 20} MB are allowed: the largest were removed"
            self.end(world.student, words)


async def _ended_for_sure(process: Process) -> None:
    try:
        await asyncio.wait_for(process.wait(), _GRACE)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)


def _make_room(room: Path, most: int) -> None:
    """If there is too much, remove the largest files until half of the space is free; or all, of too many.

    Call it when nobody works there: files are found by their paths.
    """
    taken = space(room)
    if taken <= most:
        return
    found = []
    for folder, _, names in os.walk(room):
        for name in names:
            with suppress(OSError):
                found.append((os.lstat(f"{folder}/{name}").st_blocks * 512, f"{folder}/{name}"))
    left = sum(size for size, _ in found)
    for size, path in sorted(found, reverse=True):
        if left <= most // 2 and taken < 1 << 62:
            return
        with suppress(OSError):
            Path(path).unlink()
        left -= size


def memory_of(pid: int) -> int:
    """Bytes (PSS) of a process and all below it; those that have ended meanwhile count nothing."""
    total = 0
    for process in (pid, *_below(pid)):
        with suppress(OSError):
            for line in Path(f"/proc/{process}/smaps_rollup").read_text("ascii").splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) << 10
    return total


def _below(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for task in os.scandir(f"/proc/{pid}/task"):
            with suppress(OSError):
                for child in Path(task.path, "children").read_text("ascii").split():
                    yield int(child)
                    yield from _below(int(child))
