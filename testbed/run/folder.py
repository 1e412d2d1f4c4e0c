"""The run folder: everything that a run leaves behind, readable at any moment of it."""

import json
import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed import __version__
from testbed.compiled.find import in_use
from testbed.errors import InputError

_LINES = 3  # levels of a JSON file that have lines of their own: an operator, a site, a rule has one
# Bytes of a command line that are no UTF-8 become "\udcff", which is JSON and what Python reads them as.
_FOREIGN = "backslashreplace"
_HIDDEN = Path("/run")  # the world mounts its own there


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A folder of its own for one run; see docs/run-folder.md for what each file holds."""

    path: Path

    @classmethod
    def create(cls, given: Path | None, scenario: str) -> "RunFolder":
        """`given` (which must be new or empty), or runs/<scenario>-<time>. InputError if it cannot be."""
        if given is not None and _resolved(given).is_relative_to(_HIDDEN):
            raise InputError.at(
                "--out", f"{given} is below {_HIDDEN}", "a run has a /run of its own; name another"
            )
        try:
            if given is not None:
                given.mkdir(parents=True, exist_ok=True)
                if any(given.iterdir()):
                    raise InputError.at("--out", f"{given} is not empty", "name a new folder, or empty it")
                return cls._prepared(given)
            return cls._prepared(fresh(Path("runs"), scenario))
        except OSError as error:
            where = given or Path("runs")
            remedy = "name a folder that you can write to with --out"
            raise InputError.at("--out", f"{where}: {error.strerror}", remedy) from error

    @classmethod
    def _prepared(cls, path: Path) -> "RunFolder":
        for part in ("logs", "receipts"):
            (path / part).mkdir()
        (path / "events.jsonl").touch()
        return cls(path.resolve())

    def write(self, name: str, content: Any) -> None:
        """Write a JSON file whole, or not at all."""
        partial = self.path / f".{name}.partial"
        partial.write_text(_laid_out(content) + "\n", "utf-8", _FOREIGN)
        partial.rename(self.path / name)

    def write_lines(self, name: str, contents: Iterable[Any]) -> None:
        """Write a file of JSON lines whole, or not at all."""
        partial = self.path / f".{name}.partial"
        lines = "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in contents)
        partial.write_text(lines, "utf-8", _FOREIGN)
        partial.rename(self.path / name)

    def append(self, name: str, content: Any) -> None:
        """Add a line to a file of JSON lines."""
        with (self.path / name).open("a", encoding="utf-8", errors=_FOREIGN) as file:
            file.write(json.dumps(content, ensure_ascii=False, default=str) + "\n")

    @property
    def events(self) -> Path:
        """events.jsonl."""
        return self.path / "events.jsonl"

    def receipts(self, part: str = "") -> dict[str, Any]:
        """What each censor's process left, in `part` of the receipts: censor name -> receipt.

        One cut short (by a full disk) is left out, as one that was never written.
        """
        found = {}
        for path in sorted((self.path / "receipts" / part).glob("*.json")):
            try:
                receipt = json.loads(path.read_text("utf-8"))
            except ValueError:
                continue
            found[receipt.get("censor", path.stem)] = receipt
        return found

    def move_receipts(self, part: str) -> None:
        """Move the receipts into the folder receipts/PART."""
        folder = self.path / "receipts" / part
        folder.mkdir()
        for path in (self.path / "receipts").glob("*.json"):
            path.rename(folder / path.name)


_json = json.JSONEncoder(ensure_ascii=False, default=str).encode  # `dumps` makes an encoder for each value


def _laid_out(value: Any, depth: int = 0) -> str:
    """JSON with a line for each part of `_LINES` levels: Python lays out all of them 30 times slower."""
    named = isinstance(value, dict) and all(isinstance(key, str) for key in value)
    if depth == _LINES or not value or not (named or isinstance(value, list)):
        return _json(value)
    if named:
        begin, end = "{}"
        parts = [f"{_json(key)}: {_laid_out(one, depth + 1)}" for key, one in value.items()]
    else:
        begin, end = "[]"
        parts = [_laid_out(one, depth + 1) for one in value]
    line = "\n" + " " * (depth + 1)
    return f"{begin}{line}{f',{line}'.join(parts)}\n{' ' * depth}{end}"


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead to each other
        raise InputError.at("--out", f"{path} cannot be followed: {error}", "name another folder") from error


def fresh(parent: Path, scenario: str) -> Path:
    """A new folder in `parent`, named after the scenario and the time."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for number in range(1000):
        path = parent / (f"{scenario}-{stamp}" + (f"-{number}" if number else ""))
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(17, "a thousand runs in one second", str(parent))


def versions() -> dict[str, str]:
    """What this run was made with."""
    return {
        "testbed": __version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "core": "compiled" if in_use() else "Python",
    }
