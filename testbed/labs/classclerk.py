"""The clerk of a class on one server: what students ask in their shells is done outside, for each alone.

A request is a folder that a student's program made, on a desk that it can write: nothing in it is trusted.
Files are opened without following links and within limits, and no path of a student's is opened at all:
captures and programs come with the request, and what a sampling wrote is copied into the student's home under
a new name.
"""

import asyncio
import os
import re
import shutil
import stat
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from testbed.errors import Exit
from testbed.foreignjson import json_value
from testbed.labs.classfolder import ClassFolder
from testbed.labs.clerk import ERRORS, HANDED, NEW, OUT, STATUS, TAKEN

_TICK: Final = 0.2  # seconds; our choice
_LONGEST: Final = 64 << 10  # bytes of a request, and of what is printed; our choice
_LARGEST: Final = 16 << 20  # bytes of a capture or a program; our choice
_LIMIT: Final = 900.0  # seconds for one request; our choice
_MAY: Final = ("check", "hint", "submit", "watch")
_FILES: Final = ("--capture", "--file")
_HANDED_IN: Final = "handed in: your lecturer has it; answer more, and submit again, as often as you like\n"
_TESTBED: Final = "from testbed.cli.start import main; main()"


@dataclass(frozen=True, slots=True)
class ClerkRequest:
    """What a student asked for."""

    words: tuple[str, ...]
    handed: str = ""  # the name of the file that goes with it
    builds: bool = False  # it needs a world of its own


def read_request(text: bytes) -> ClerkRequest | None:
    """What a request says; None for one that is none, or asks for anything else than a clerk does."""
    try:
        words = json_value(text)["words"]
    except (ValueError, TypeError, KeyError):
        return None
    if not isinstance(words, list) or not all(isinstance(one, str) for one in words):
        return None
    if not words or words[0] not in _MAY:
        return None
    if words[0] == "submit":
        return ClerkRequest(("submit",))
    made, handed = [], ""
    own = words[: words.index("--")] if "--" in words else words
    rest = iter(own)
    for word in rest:
        option, equals, value = word.partition("=")
        if option in _FILES:
            value = value if equals else next(rest, "")
            handed = re.sub(r"[^A-Za-z0-9._-]", "-", Path(value).name)[:64].lstrip(".-") or "file"
            made += [option, HANDED]
        else:
            made.append(word)
    command = words[len(own) :]
    return ClerkRequest((*made, *command), handed, bool(command) or "--file" in made or words[0] == "watch")


class ClassClerk:
    """Takes the requests of all students. `run` it as a task."""

    def __init__(
        self, folder: ClassFolder, students: Sequence[str], at_once: int, done: Callable[[str], object]
    ) -> None:
        """`at_once`: how many requests that build a world are served; `done`: whose request was answered."""
        self._folder, self._students, self._done = folder, students, done
        self._builders = asyncio.Semaphore(at_once)
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                for student in self._students:
                    for desk in self._new(student):
                        task = asyncio.create_task(self._answer(student, desk))
                        self._running.add(task)
                        task.add_done_callback(self._running.discard)
                await asyncio.sleep(_TICK)
        finally:
            for task in self._running:
                task.cancel()

    def _new(self, student: str) -> Iterator["Desk"]:
        place = self._folder.path / "students" / student / "desk"
        with suppress(OSError), os.scandir(place) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and Path(entry.path, NEW).exists():
                    with suppress(OSError):
                        desk = Desk(
                            os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
                        )
                        os.rename(NEW, TAKEN, src_dir_fd=desk.place, dst_dir_fd=desk.place)
                        yield desk

    async def _answer(self, student: str, desk: "Desk") -> None:
        with desk:
            request = read_request(desk.read(TAKEN, _LONGEST) or b"")
            if request is None:
                desk.end("", "testbed: that cannot be asked from here\n", Exit.INPUT)
                return
            try:
                if request.builds and self._builders.locked():
                    desk.add(ERRORS, b"waiting: others' worlds are being built; yours is next in line\n")
                async with self._builders if request.builds else nullcontext():
                    status, out, errors = await self._done_outside(student, request, desk)
            except TimeoutError:
                status, out, errors = Exit.UNEXPECTED, "", f"not done in {_LIMIT:.0f} s; it did not count\n"
            desk.end(out, errors, status)
            self._done(student)

    async def _done_outside(self, student: str, request: ClerkRequest, desk: "Desk") -> tuple[int, str, str]:
        """Exit status and what was printed."""
        words = list(request.words)
        with tempfile.TemporaryDirectory(prefix="clerk-") as private:
            if request.handed:
                content = desk.read(HANDED, _LARGEST)
                if content is None:
                    return (
                        Exit.INPUT,
                        "",
                        f"testbed: {request.handed}: it is no file of {_LARGEST >> 20} MB at most\n",
                    )
                file = Path(private, request.handed)
                file.write_bytes(content)
                words[words.index(HANDED)] = str(file)
            if words == ["submit"]:
                words.append(str(self._folder.submission(student)))
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-c", _TESTBED, "lab", *words,
                stdin=DEVNULL, stdout=PIPE, stderr=PIPE,
                env=self._folder.checking(student),
                cwd=private,  # MUST be no folder of the student's: ./labs is looked in first
            )  # fmt: skip
            try:
                out, errors = await asyncio.wait_for(process.communicate(), _LIMIT)
            except BaseException:
                with suppress(ProcessLookupError):
                    process.terminate()
                await process.wait()
                raise
            desk_of_book = self._folder.workbook(student).desk
            _hand_out(desk_of_book, self._folder.room(student) / "home")
            status, places = process.returncode or 0, {str(desk_of_book): "~", private: ""}
            if words[0] == "submit" and not status:
                return status, _HANDED_IN, ""
            return status, _told(out, places), _told(errors, places)


def _told(printed: bytes, places: dict[str, str]) -> str:
    """What was printed, without the server's paths."""
    text = printed[-_LONGEST:].decode("utf-8", "replace")
    for path, shown in places.items():
        text = text.replace(f"{path}/", f"{shown}/" if shown else "").replace(path, shown)
    return text


def _hand_out(made: Path, home: Path) -> None:
    """Files that a sampling wrote go into the student's home, none over another."""
    if not made.is_dir():
        return
    place = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path in made.iterdir():
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with suppress(OSError):
                file = os.open(path.name, flags, 0o600, dir_fd=place)
                with os.fdopen(file, "wb") as copy, path.open("rb") as source:
                    shutil.copyfileobj(source, copy)
    finally:
        os.close(place)


class Desk:
    """The folder of one request, by its descriptor."""

    def __init__(self, place: int) -> None:
        self.place = place

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.place)

    def read(self, name: str, most: int) -> bytes | None:
        """A regular file of `most` bytes at most; None for anything else."""
        try:
            file = os.open(
                name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self.place
            )
        except OSError:
            return None
        with os.fdopen(file, "rb") as opened:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                return None
            content = opened.read(most + 1)
        return content if len(content) <= most else None

    def add(self, name: str, content: bytes) -> None:
        """Append to a file that the student's program made, if it is one."""
        with suppress(OSError):
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            file = os.open(name, flags, 0o600, dir_fd=self.place)
            try:
                if stat.S_ISREG(os.fstat(file).st_mode):
                    os.write(file, content)
            finally:
                os.close(file)

    def end(self, out: str, errors: str, status: int) -> None:
        """Print, and end the request."""
        self.add(OUT, out.encode())
        self.add(ERRORS, errors.encode())
        self.add("ended", str(int(status)).encode())
        with suppress(OSError):
            os.rename("ended", STATUS, src_dir_fd=self.place, dst_dir_fd=self.place)
