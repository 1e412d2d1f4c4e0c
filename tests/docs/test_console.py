"""Every console block of the documents is run for real and prints what the page says.

All pages share one folder, which looks like a checkout, and a command that stands on several pages runs once.
`make TARGET` is only asked for what it would do, because set-up and the whole suite must not run within a
test; with output shown it is run without the set-up.
"""

import difflib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Step, agrees, masked, pages, steps

LONGEST = 60  # seconds for one command
PROGRAMS = (
    "curl",
    "dig",
    "openssl",
    "traceroute",
    "node",
    "iperf3",
    "tcpdump",
)  # features of `testbed doctor`
_LEFT_OUT = {"runs", ".git", "build", "dist"}
_INHERITED = ("MAKE", "MFLAGS", "PYTEST", "TESTBED", "COLUMNS", "PS1")


class Shell:
    """Runs each command once; remembers its exit status and what it printed."""

    def __init__(self, folder: Path, runtime: Path) -> None:
        """`runtime`: where its held worlds are, and no other test's."""
        self._folder, self._runtime = folder, runtime
        for entry in ROOT.iterdir():
            if entry.name not in _LEFT_OUT and not entry.name.endswith("_cache"):
                (folder / entry.name).symlink_to(entry)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_INHERITED)}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
        self._environment = {**kept, "PATH": path, "LC_ALL": "C.UTF-8"}
        self._environment["XDG_RUNTIME_DIR"] = str(runtime)
        self._done: dict[str, tuple[int, str]] = {}

    def run(self, step: Step) -> tuple[int, str]:
        """Exit status, and what was printed to stdout and stderr, as a terminal shows it."""
        command = step.command
        if command.startswith("make "):
            command = command.replace("make ", "make -o setup " if step.output else "make -n ", 1)
        if command not in self._done:
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=LONGEST,
                check=False,
            )
            self._done[command] = done.returncode, done.stdout.decode(errors="replace")
        return self._done[command]

    def end_worlds(self) -> None:
        """Those that a page whose commands went wrong has left open."""
        for place in self._runtime.glob("testbed/*.sock"):
            self.run(Step("", f"testbed down {place.stem}"))


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with tempfile.TemporaryDirectory(prefix="docs-") as runtime:  # a socket's path must be short
        pages = Shell(tmp_path_factory.mktemp("checkout"), Path(runtime))
        yield pages
        pages.end_worlds()


def complaint(step: Step, status: int, printed: str) -> str:
    """What is wrong; nothing if the page is right."""
    if status != step.status:
        return f"{step.place}: exit status {status}, not {step.status}: $ {step.command}\n{printed}"
    if step.command.startswith("make ") and not step.output:
        return ""
    if agrees(step.output, printed):
        return ""
    shown = masked("\n".join(step.output)).splitlines()
    difference = difflib.unified_diff(
        shown, masked(printed).splitlines(), "the page", "the truth", lineterm=""
    )
    return f"{step.place}: prints something else: $ {step.command}\n" + "\n".join(difference)


def documented() -> Iterator[object]:
    for page in pages():
        name = str(page.relative_to(ROOT))
        if found := steps(page.read_text("utf-8"), name):
            text = " ".join(step.command for step in found)
            needs = [program for program in PROGRAMS if program in text]
            yield pytest.param(found, id=name, marks=pytest.mark.world(*needs))


@pytest.mark.parametrize("found", list(documented()))
def test_prints_what_the_page_says(shell: Shell, found: list[Step]) -> None:
    complaints = [complaint(step, *shell.run(step)) for step in found]
    assert not any(complaints), "\n\n".join(filter(None, complaints))


@pytest.mark.parametrize(
    ("command", "output", "wrong"),
    [
        ("echo yes", ["yes"], ""),
        ("echo yes", ["no"], "prints something else"),
        ("echo yes", [], "prints something else"),
        ("false # exit 1", [], ""),
        ("false", [], "exit status 1, not 0"),
        ("true # exit 3", [], "exit status 0, not 3"),
        ("make help", [], ""),
        ("make no-such-target", [], "exit status 2, not 0"),
    ],
)
def test_a_wrong_page_is_noticed(shell: Shell, command: str, output: list[str], wrong: str) -> None:
    step = Step("page:1", command, output)
    assert wrong in complaint(step, *shell.run(step))
    assert bool(wrong) is bool(complaint(step, *shell.run(step)))
