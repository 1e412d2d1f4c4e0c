"""The folder of a monitor: what was asked for, and each sample as it was made. Resuming reads it again."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from testbed import __version__
from testbed.errors import InputError
from testbed.model import Scenario
from testbed.monitor.sample import Sample

FORMAT: Final = "testbed-monitor"
VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a monitor was asked for: monitor.json. A resumed one goes by it, and by nothing else."""

    scenarios: tuple[str, ...]  # names or paths
    every: float  # seconds of the scenario
    begin: str = ""  # ISO 8601; "": the story's beginning
    until: str = ""
    vantages: tuple[str, ...] = ()  # with outside, which is always watched
    targets: tuple[str, ...] = ()
    detector: str = ""  # a command with {target}; "": the built-in probe
    limit: float = 30.0  # seconds that a detector may take
    timeout: float = 4.0  # seconds for each step of the probe
    ipv: int = 4  # IP version that the probe uses
    seed: int | None = None
    files: Mapping[str, str] = field(default_factory=dict)  # of the scenarios -> sha256
    testbed: str = __version__  # whose samples they are

    def to_json(self) -> dict[str, Any]:
        """As monitor.json has it."""
        return {"format": FORMAT, "version": VERSION, **asdict(self)}


@dataclass(frozen=True, slots=True)
class Journal:
    """One folder. An instant counts once all its samples are written: a line of instants.jsonl says so."""

    path: Path

    @classmethod
    def create(cls, path: Path, settings: Settings) -> "Journal":
        """A new or empty folder. InputError if it is neither."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise InputError.at(
                    "-o", f"{path} is not empty", f"name a new folder, or go on with --resume {path}"
                )
            text = json.dumps(settings.to_json(), ensure_ascii=False, indent=1)
            (path / "monitor.json").write_text(text + "\n", "utf-8", "backslashreplace")
            for name in ("samples.jsonl", "instants.jsonl"):
                (path / name).touch()
        except OSError as error:
            raise InputError.at(
                "-o", f"{path}: {error.strerror}", "name a folder that you can write to"
            ) from error
        return cls(path.resolve())

    @classmethod
    def open(cls, path: Path) -> tuple["Journal", Settings]:
        """A folder to go on with; samples of an instant that was not completed are dropped.

        Errors: InputError if it is no monitor's, or one of another version.
        """
        try:
            values = json.loads((path / "monitor.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError.at(
                "--resume", f"{path} has no monitor.json", "name a monitor's folder"
            ) from error
        if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
            raise InputError.at("--resume", f"{path}/monitor.json is not a monitor's", "name another folder")
        if (version := values.pop("version", None)) != VERSION:
            message = f"{path} was made by another testbed: version {version!r}, this one has {VERSION}"
            raise InputError.at("--resume", message, "watch anew in another folder")
        if (made_by := values.get("testbed")) != __version__:
            message = f"{path} was begun by testbed {made_by}, and this is {__version__}"
            raise InputError.at("--resume", message, "watch anew in another folder: versions are not mixed")
        lists = ("scenarios", "vantages", "targets")
        try:
            settings = Settings(**{**values, **{name: tuple(values[name]) for name in lists}})
        except (TypeError, KeyError) as error:
            raise InputError.at("--resume", f"{path}/monitor.json: {error}", "watch anew") from error
        journal = cls(path.resolve())
        journal._mend()
        return journal, settings

    def must_be_of(self, scenario: Scenario, settings: Settings) -> None:
        """InputError if a scenario's files have changed since the monitor began."""
        if dict(scenario.files) != dict(settings.files):
            changed = {*scenario.files.items()} ^ {*settings.files.items()}
            names = ", ".join(sorted({Path(name).name for name, _ in changed}))
            message = f"the scenario is another than when it was begun: {names}"
            raise InputError.at("--resume", message, "watch anew in another folder")

    def done(self) -> list[str]:
        """The times of the completed instants."""
        return [one["time"] for one in _lines(self.path / "instants.jsonl")]

    def add(self, time: str, phase: str, samples: Sequence[Sample], notes: Mapping[str, object]) -> None:
        """All samples of one instant."""
        _append(self.path / "samples.jsonl", [one.to_json() for one in samples])
        _append(self.path / "instants.jsonl", [{"time": time, "phase": phase, **notes}])

    def samples(self) -> list[Sample]:
        """Every sample of the completed instants, in their order."""
        return [Sample.from_json(one) for one in _lines(self.path / "samples.jsonl")]

    def instants(self) -> list[dict[str, Any]]:
        """The lines of instants.jsonl."""
        return list(_lines(self.path / "instants.jsonl"))

    def write(self, name: str, content: str) -> Path:
        """Write a file whole, or not at all."""
        partial = self.path / f".{name}.partial"
        partial.write_text(content, "utf-8", "backslashreplace")
        return partial.rename(self.path / name)

    def world(self) -> Path:
        """A folder for the next world's run: world-1, or the first number that is free."""
        number = 1
        while (self.path / f"world-{number}").exists():
            number += 1
        return self.path / f"world-{number}"

    def _mend(self) -> None:
        done = set(self.done())
        for name, key in (("instants.jsonl", "time"), ("samples.jsonl", "time")):
            kept = [one for one in _lines(self.path / name) if one[key] in done]
            self.write(name, "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in kept))


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of JSON lines; one cut short is left out."""
    found = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _append(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines)
    data = text.encode("utf-8", "backslashreplace")
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
