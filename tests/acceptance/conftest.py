"""Running `testbed` as a user does, from a folder of one's own."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.warm import run_warm

TESTBED = str(Path(sys.executable).parent / "testbed")


@dataclass
class Done:
    """A finished command and its run folder."""

    status: int
    out: str
    err: str
    folder: Path

    @property
    def summary(self) -> Any:
        """summary.json."""
        return json.loads((self.folder / "summary.json").read_text("utf-8"))

    @property
    def events(self) -> list[Any]:
        """events.jsonl."""
        return [json.loads(line) for line in (self.folder / "events.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Callable[..., Done]]:
    """Call `testbed run …`; the run folder is given by --out."""
    count = 0

    def call(*args: str, timeout: float = 240, env: dict[str, str] | None = None) -> Done:
        nonlocal count
        count += 1
        folder = tmp_path / f"run{count}"
        split = args.index("--") if "--" in args else len(args)
        line = ("run", *args[:split], "--out", str(folder), *args[split:])
        done = run_warm(*line, cwd=tmp_path, env={**os.environ, **(env or {})}, timeout=timeout)
        return Done(*done, folder)

    return call
