"""What an evaluation is to do, as a value; and in which order it tries things."""

import random
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from testbed.detectors.adapter import Adapter, adapter
from testbed.detectors.pairing import cases
from testbed.detectors.trials import Trial
from testbed.errors import InputError
from testbed.model import Scenario

PROBE = "probe"
OWN = "testbed"
PLACES = ("{target}", "{host}", "{port}", "{path}")
KEEP = 8 * 1024 * 1024  # bytes of a detector's output that are kept; our choice
LIMIT = 60.0  # seconds; our choice
OPTIONS: Final = MappingProxyType(
    {"command": "the command", "instruments": "--with"}
    | {name: f"--{name}" for name in ("adapter", "client", "detector", "env", "limit", "repeats")}
    | {name: f"--{name}" for name in ("scenarios", "seed", "serve", "stop", "tty")}
)
"""What a user calls the parts of a spec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSpec:
    """Which detector, where, how often. It is plan.json, and an evaluation goes on only with the same."""

    detector: str  # "probe", the name of an adapter with a command, or a command line with {target}
    adapter: str
    command: tuple[str, ...] = ()  # (): the built-in probe
    scenarios: tuple[str, ...]
    repeats: int = 1
    seed: int = 0
    limit: float = LIMIT  # seconds for one run of the detector
    keep: int = KEEP
    stop: str = ""  # a regular expression: output after which the detector has said everything
    tty: bool = False
    client: str = ""  # what it looks like on the wire, for the score's parts
    env: tuple[str, ...] = ()  # NAME=VALUE of its environment, beside the neutral one
    serve: tuple[str, ...] = ()  # servers that it needs, as `run --serve` takes them
    instruments: tuple[str, ...] = ()  # of the built-in probe: for a closer look at what it finds blocked

    def __post_init__(self) -> None:
        if self.instruments and self.command:
            message = "a closer look is taken by the built-in probe"
            raise InputError.at("--with", message, "leave it out, or take --detector probe")

    def to_json(self) -> dict[str, Any]:
        """As a dict of JSON values."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "EvaluationSpec":
        """What `to_json` wrote, or plan.json, which has more. InputError for anything else."""
        try:
            values: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in document.items()
                if key not in ("version", "digests")
            }
            return cls(**values)
        except TypeError as error:
            raise InputError.at(
                "plan.json", f"of another version: {error}", "begin a new evaluation"
            ) from None


@dataclass(frozen=True, slots=True)
class Round:
    """One target at each of several vantages, at the same time."""

    phase: str
    repeat: int
    trials: tuple[Trial, ...]  # without a verdict, one for each vantage


def detector_of(text: str, name: str | None) -> tuple[tuple[str, ...], Adapter]:
    """The command line and the adapter that `--detector` and `--adapter` mean; the probe's command is ().

    Errors: InputError for a name that is no adapter with a command, or a command that takes no target.
    """
    if text == PROBE:
        return (), adapter(PROBE)
    if "{" not in text and " " not in text.strip():
        found = adapter(text)
        if not found.command:
            remedy = f"give its command line: --detector 'PROGRAM {{target}}' --adapter {found.name}"
            raise InputError.at("--detector", f"the adapter {text!r} has no command of its own", remedy)
        return found.command, adapter(name) if name else found
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise InputError.at("--detector", f"{text!r}: {error}", "quote it as for a shell") from None
    if not any(place in word for word in words for place in PLACES[:2]):
        raise InputError.at("--detector", f"{text!r} takes no target", "put {target} or {host} into it")
    return words, adapter(name or "exit-status")


def regex_of(text: str) -> str:
    """The text, if it is a regular expression. InputError if not."""
    try:
        re.compile(text)
    except re.error as error:
        raise InputError.at("--stop", f"{text!r} is no regular expression: {error}", "quote it") from None
    return text


def command_line(words: tuple[str, ...], target: str) -> list[str]:
    """The words with a target in their places. The words are separate: no shell reads a URL.

    `testbed` itself is the one that evaluates, whether or not it is on the PATH.
    """
    parts = urlsplit(target)
    port = parts.port or {"http": 80}.get(parts.scheme, 443)
    values = dict(zip(PLACES, (target, parts.hostname or "", str(port), parts.path or "/"), strict=True))
    made = []
    own = Path(sys.executable).with_name(OWN)
    if words[:1] == (OWN,) and own.exists():
        words = (str(own), *words[1:])
    for word in words:
        filled = word
        for place, value in values.items():
            filled = filled.replace(place, value)
        made.append(filled)
    return made


def trials_of(spec: EvaluationSpec, scenario: Scenario, phase: str) -> list[Trial]:
    """Every trial of a phase, once: expectations and controls that can be given to the detector."""
    reader = adapter(spec.adapter)
    return [replace(one, client=spec.client) for one in cases(scenario, phase) if reader.takes(one.scheme)]


def rounds(spec: EvaluationSpec, scenario: Scenario, phase: str) -> Iterator[Round]:
    """The rounds of a phase. Targets are in an order of their own for each vantage and repeat.

    Controls are among the others, so that a detector cannot learn that the last ones are free.
    """
    known = trials_of(spec, scenario, phase)
    vantages = list(dict.fromkeys(one.vantage for one in known))
    for repeat in range(1, spec.repeats + 1):
        order: dict[str, list[Trial]] = {}
        for vantage in vantages:
            mine = [replace(one, repeat=repeat) for one in known if one.vantage == vantage]
            random.Random(f"{spec.seed} {scenario.name} {phase} {vantage} {repeat}").shuffle(mine)
            order[vantage] = mine
        for number in range(max(map(len, order.values()), default=0)):
            at_once = tuple(mine[number] for mine in order.values() if number < len(mine))
            yield Round(phase, repeat, at_once)


def worlds_of(scenario: Scenario) -> list[tuple[str, ...]]:
    """The phases that one world can be switched between: their sites and links are the same."""
    groups: list[tuple[Any, list[str]]] = []
    for phase in scenario.phases:
        world = scenario.world_in(phase)
        for known, phases in groups:
            if known == world:
                phases.append(phase)
                break
        else:
            groups.append((world, [phase]))
    return [tuple(phases) for _, phases in groups]


def name_of(spec: EvaluationSpec) -> str:
    """A folder's name for it."""
    first = Path(spec.command[0]).name if spec.command else spec.detector
    return "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in first)[:40]
