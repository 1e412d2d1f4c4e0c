"""The errors a user may meet, each with its exit status.

An `InputError` says that what the user gave is wrong: place, value and remedy. Everything else that a
run can end with has a class here too, so that the command line maps exceptions to exit statuses in one
place. A bug is none of these: it stays an ordinary exception and makes the run invalid.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with what a terminal would obey, or what turns its direction, as Python writes it."""
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def first_control(text: str) -> str:
    """The first such character as "U+001B"; "" if there is none."""
    found = _CONTROLS.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


class Exit(IntEnum):
    """Exit statuses of `testbed` (a command run with `--` keeps its own)."""

    OK = 0
    UNEXPECTED = 1  # what was observed is not what should have been
    INPUT = 2  # wrong scenario file, unknown name, wrong option
    INVALID = 3  # the laboratory itself failed: the results mean nothing
    UNSUPPORTED = 4  # this machine lacks a named feature
    NOTHING_JUDGED = 5  # a capture without a packet that the censor could judge


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what the user gave."""

    place: str  # file:line, and the path inside the file: "x.yaml:12 censors.tspu.rules[0].match"
    message: str  # what is wrong, with the value: "unknown key 'snl'"
    remedy: str = ""  # what to do: "did you mean 'sni'?"

    def __str__(self) -> str:
        """One line: place, what is wrong, remedy. Fit for a terminal."""
        text = f"{self.place}: {self.message}" if self.place else self.message
        return printable(f"{text}; {self.remedy}" if self.remedy else text)


def nearest(wrong: object, known: Iterable[object]) -> str:
    """A remedy that names the nearest known word, in any case of letters, or all of them if none is near."""
    from difflib import get_close_matches  # slow to load, and only errors need it

    words = {word.casefold(): word for word in sorted(map(str, known))}
    near = get_close_matches(str(wrong)[:200].casefold(), words, n=1, cutoff=0.5)
    if near:
        return f"did you mean {words[near[0]]!r}?"
    if not words:
        return "there are none"
    return f"there are: {', '.join([*words.values()][:20])}{', …' if len(words) > 20 else ''}"


def path_text(path: Sequence[str | int]) -> str:
    """A path inside a file as problems show it: "censors.tspu.rules[0].match"."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


class TestbedError(Exception):
    """Base of the errors that a user can do something about."""

    exit_status = Exit.INVALID
    __test__ = False  # not a pytest class, whatever its name


class InputError(TestbedError):
    """The user's input is wrong. Carries every problem found, not only the first."""

    exit_status = Exit.INPUT

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))

    @classmethod
    def at(cls, place: str, message: str, remedy: str = "") -> "InputError":
        """One problem at one place."""
        return cls(Problem(place, message, remedy))


class InvalidRunError(TestbedError):
    """The laboratory failed: what was observed says nothing about the client under test."""

    exit_status = Exit.INVALID


class UnsupportedError(TestbedError):
    """This machine lacks a feature; the message names it, what it costs and how to get it."""

    exit_status = Exit.UNSUPPORTED


class NothingJudgedError(TestbedError):
    """A capture holds no packet that a censor between its ends would see; the message says why, probably."""

    exit_status = Exit.NOTHING_JUDGED


class RunInterrupted(KeyboardInterrupt):
    """A signal asked the run to end: SIGINT, SIGTERM or SIGHUP. Raised once, in ordinary code."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_status(self) -> int:
        """As a shell reports a process that a signal ended."""
        return 128 + self.number
