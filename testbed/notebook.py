"""Worlds in a notebook: commands as a subscriber, rate curves, ladders, an observatory, drawn in cells.

    from testbed.notebook import world
    here = world("twitter-throttling-2021", vantage="mts")
    here.rate("https://abs.twimg.com/bytes/200000")

Everything runs in processes of their own: the notebook's kernel has threads, and is left alone.
"""

import atexit
import csv
import html
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from testbed.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from testbed.labs.labfile import Assignment
    from testbed.run.open import StandingWorld

_LIMIT: Final = 120.0  # seconds for one command; our choice
_TESTBED: Final = "from testbed.cli.start import main; main()"
_STEP: Final = 0.25  # seconds of a rate curve's points; our choice
_FETCH: Final = """
import ssl, sys, time, urllib.request
began = time.monotonic()
with urllib.request.urlopen(sys.argv[1], timeout=60) as answer:
    while piece := answer.read1(65536):
        print(round(time.monotonic() - began, 4), len(piece), flush=True)
"""


@dataclass(frozen=True, slots=True)
class CellOutput:
    """What a command printed."""

    command: tuple[str, ...]
    status: int
    text: str

    def _repr_html_(self) -> str:
        line = html.escape(shlex.join(self.command))
        return f"<p><code>{line}</code>: exit status {self.status}</p><pre>{html.escape(self.text)}</pre>"


@dataclass(frozen=True, slots=True)
class DrawnCell:
    """A picture, as SVG."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg


@dataclass(frozen=True, slots=True)
class TransferCurve:
    """Bytes as they came: `points` are seconds since the request, and bytes."""

    url: str
    points: tuple[tuple[float, int], ...]

    @property
    def seconds(self) -> float:
        """Until the last byte."""
        return self.points[-1][0] if self.points else 0.0

    @property
    def octets(self) -> int:
        """All that came."""
        return sum(size for _, size in self.points)

    def after(self, seconds: float) -> float:
        """The mean rate in bit/s of what came later than `seconds` after the first byte."""
        if not self.points:
            return 0.0
        begin = self.points[0][0] + seconds
        later = [(when, size) for when, size in self.points if when > begin]
        return 8 * sum(size for _, size in later) / (later[-1][0] - begin) if later else 0.0

    def steps(self) -> list[tuple[float, float]]:
        """The rate in bit/s in each quarter of a second: its end, and the rate."""
        found: dict[int, int] = {}
        for when, size in self.points:
            found[int(when / _STEP)] = found.get(int(when / _STEP), 0) + size
        return [
            ((step + 1) * _STEP, 8 * found.get(step, 0) / _STEP) for step in range(max(found, default=-1) + 1)
        ]

    def _repr_svg_(self) -> str:
        return curves(self).svg


def curves(*several: TransferCurve) -> DrawnCell:
    """Rate curves in one picture. UnsupportedError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        message = "curves need matplotlib, which is not installed: pip install 'runet-testbed[labs]'"
        raise UnsupportedError(message) from None
    from io import StringIO

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    for one, style in zip(several, ("-", "--", "-.", ":") * (1 + len(several) // 4), strict=False):
        steps = one.steps()
        axes.step(
            [when for when, _ in steps],
            [rate / 1000 for _, rate in steps],
            where="pre",
            linestyle=style,
            label=one.url,
        )
    axes.set(xlabel="seconds since the request", ylabel="kbit/s of content", ylim=(0, None))
    axes.legend(loc="best")
    out = StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return DrawnCell(text[text.index("<svg") :])


@dataclass(frozen=True, slots=True)
class SampledWeek:
    """What the observatory of a lab saw."""

    rows: tuple[Mapping[str, str], ...]  # time, hours, vantage, target, state, label, rate, outside_rate
    svg: str  # "" without matplotlib
    said: str

    def _repr_svg_(self) -> str | None:
        return self.svg or None

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.said)}</pre>"


@dataclass(slots=True)
class NotebookWorld:
    """A world that stays while the notebook runs, seen from one vantage."""

    standing: "StandingWorld"
    vantage: str
    scenario: str  # the file or name
    _folder: "tempfile.TemporaryDirectory[str] | None" = field(default=None, repr=False)

    def run(self, command: str | Sequence[str], limit: float = _LIMIT) -> CellOutput:
        """Run a command as the subscriber; a line of text is split as a shell does, and no shell reads it."""
        words = tuple(shlex.split(command)) if isinstance(command, str) else tuple(command)
        own = {"PATH": f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{Path(sys.executable).parent}"}
        done = self.standing.run(
            words,
            vantage=self.vantage,
            env={**os.environ, **own, "TESTBED_PYTHON": sys.executable},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit,
        )
        return CellOutput(words, done.returncode, done.stdout.decode("utf-8", "replace"))

    def rate(self, url: str) -> TransferCurve:
        """Fetch a page, and note when its bytes come. InputError if nothing comes."""
        done = self.run((sys.executable, "-c", _FETCH, url))
        lines = [line.split() for line in done.text.splitlines()]
        points = tuple((float(one[0]), int(one[1])) for one in lines if len(one) == 2 and one[1].isdecimal())
        if not points:
            raise InputError.at("url", f"nothing came of {url!r}: {done.text.strip()[-200:]}")
        return TransferCurve(url, points)

    def ladder(self, command: str, *, most: int = 40, port: int = 443) -> DrawnCell:
        """What the box did to each packet of a command, in a smaller world of the same rules."""
        with tempfile.TemporaryDirectory(prefix="n-") as folder:
            drawn = Path(folder) / "ladder.svg"
            words = [self.scenario, "--vantage", self.vantage, "--most", str(most), "--port", str(port)]
            _testbed("ladder", *words, "--svg", str(drawn), "--", *shlex.split(command))
            return DrawnCell(drawn.read_text("utf-8"))

    def phase(self, name: str) -> None:
        """Switch to another phase of the scenario."""
        self.standing.phase(name)

    def close(self) -> None:
        """End the world. It also ends with the notebook's kernel."""
        atexit.unregister(self.close)
        self.standing.close()
        if self._folder:
            self._folder.cleanup()


def world(scenario: str, *, vantage: str = "mts", **options: Any) -> NotebookWorld:
    """Open a world of the library, or of a file; `options` are those of `testbed.open_world`.

    Errors: InputError for what is wrong with the request; UnsupportedError if this machine lacks a feature.
    """
    return _opened(scenario, vantage, None, options)


def lab_world(lab: str, *, student: str, code: str = "self-study") -> NotebookWorld:
    """Open the world of a student's lab."""
    folder = tempfile.TemporaryDirectory(prefix="n-")
    assignment = _assigned(lab, student, code)
    path = assignment.write_scenario(Path(folder.name))
    return _opened(str(path), assignment.lab.part.vantage, folder, {})


def watch(lab: str, *, student: str, every: str, code: str = "self-study", **more: str) -> SampledWeek:
    """Sample the story of a student's lab: `testbed lab watch`, with `begin`, `until` and `vantage`.

    It counts nothing: the workbook is a temporary one.
    """
    from testbed.labs.workbook import Workbook

    assignment = _assigned(lab, student, code)
    with tempfile.TemporaryDirectory(prefix="n-") as folder:
        book = Workbook(assignment.lab.name, student, code)
        own = {"XDG_STATE_HOME": folder, "TESTBED_LAB": book.identity}
        names = {"begin": "--from", "until": "--until", "vantage": "--vantage"}
        words = [word for name, value in more.items() for word in (names[name], value)]
        said = _testbed("lab", "watch", "--every", every, *words, **own)
        desk = next(Path(folder).glob("testbed/labs/*/*/desk"))
        rows = tuple(csv.DictReader((desk / "samples-1.csv").read_text("utf-8").splitlines()))
        picture = desk / "samples-1.svg"
        return SampledWeek(rows, picture.read_text("utf-8") if picture.exists() else "", said)


def _assigned(lab: str, student: str, code: str) -> "Assignment":
    from testbed.labs.labfile import assign, load_lab

    return assign(load_lab(lab), student, code)


def _opened(
    scenario: str, vantage: str, folder: "tempfile.TemporaryDirectory[str] | None", options: dict[str, Any]
) -> NotebookWorld:
    from testbed.run.open import open_world

    if folder is None and "out" not in options:
        folder = tempfile.TemporaryDirectory(prefix="n-")
    if folder is not None:
        options = {"out": Path(folder.name) / "run", **options}
    made = NotebookWorld(open_world(scenario, vantages=(vantage,), **options), vantage, scenario, folder)
    atexit.register(made.close)
    return made


def _testbed(*words: str, **variables: str) -> str:
    """Run `testbed`; what it printed. InputError with its own words if it fails."""
    done = subprocess.run(
        [sys.executable, "-c", _TESTBED, *words],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise InputError.at(words[0], done.stderr.strip()[-500:] or f"exit status {done.returncode}")
    return done.stdout
