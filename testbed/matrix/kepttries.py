"""Tries of a matrix as they are measured: a line of a file each, so that an interrupted one can go on."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from testbed.errors import InputError
from testbed.matrix.cell import Ending, MatrixTry

FILE: Final = "tries.jsonl"


@dataclass(frozen=True, slots=True)
class TryKey:
    """What was tried against what; `of` changes with the recipe or strategy, and with the box's policy."""

    tool: str
    box: str
    of: str

    @classmethod
    def made(cls, tool: str, box: str, *contents: str) -> "TryKey":
        """Of their names and all that they are."""
        return cls(tool, box, blake2b("\0".join(contents).encode(), digest_size=8).hexdigest())


class KeptTries:
    """The tries in a folder. Several processes may add to it."""

    def __init__(self, folder: Path, tell: Callable[[str], None] | None = None) -> None:
        """The folder, which is made. `tell` is called with each try in words.

        Errors: InputError if the folder cannot be made, or has something else.
        """
        self._tell = tell
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()) and not (folder / FILE).exists():
                message = f"{folder} is no folder of a matrix"
                raise InputError.at("--out", message, "name a new folder, or empty it")
            self._file = folder.resolve() / FILE
            self._file.touch()
        except OSError as error:
            raise InputError.at("--out", f"{folder}: {error.strerror}", "name another folder") from error

    def add(self, key: TryKey, one: MatrixTry) -> None:
        """Append a try, in one write."""
        line = json.dumps({**asdict(key), **asdict(one)}, ensure_ascii=False) + "\n"
        file = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)
        if self._tell:
            self._tell(f"{key.tool} × {key.box}: {one.ending}")

    def all(self) -> dict[TryKey, list[MatrixTry]]:
        """What is there now."""
        found: dict[TryKey, list[MatrixTry]] = {}
        for line in self._lines():
            key = TryKey(*(line.pop(name) for name in ("tool", "box", "of")))
            found.setdefault(key, []).append(MatrixTry(**{**line, "ending": Ending(line["ending"])}))
        return found

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self._file.read_bytes().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue  # it was cut short


@contextmanager
def kept_tries(folder: Path | None, tell: Callable[[str], None] | None = None) -> Iterator[KeptTries]:
    """Those in this folder; None: in one that is removed afterwards. `tell`: see `KeptTries`."""
    if folder is not None:
        yield KeptTries(folder, tell)
        return
    with TemporaryDirectory(prefix="matrix-") as made:
        yield KeptTries(Path(made), tell)
