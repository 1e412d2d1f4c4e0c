"""The documents: which there are, what console blocks they hold, and what it means that one is true.

In a fenced ```console block a line that begins with "$ " is a command ("> " continues it), and the lines
after it are its output. "# exit 35" at a command's end is the exit status to expect, 0 without it. In the
output, "…" alone on a line stands for any lines and within a line for any text; digits, spacing and run
folders may differ.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^(\s*)```(\S*)\s*$")
_STATUS = re.compile(r"#\s*exit\s+(\d+)\s*$")
_RUN_FOLDER = re.compile(r"\S*\bruns/\S+")
_NUMBER = re.compile(r"\d+([.,:]\d+)*")
_SPACES = re.compile(r"[ \t]+")
_BUSY = re.compile(r"(?m)^(testbed: )?note: .*(machine was busy|still waited for its verdict).*\n?")
_POINTER = re.compile(r"(?m)^(testbed: )?why: testbed explain .*\n?")  # the last line of most runs
_ANY = "…"


@dataclass
class Step:
    """One command of a console block."""

    place: str  # file:line
    command: str
    output: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The exit status to expect."""
        found = _STATUS.search(self.command)
        return int(found[1]) if found else 0


def pages() -> list[Path]:
    """Every page that users read, in a fixed order."""
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [page for page in top if page.exists()] + [
        page for folder in ("docs", "examples", "labs") for page in sorted((ROOT / folder).rglob("*.md"))
    ]


def steps(text: str, name: str = "page") -> list[Step]:
    """The commands of all console blocks, in their order."""
    found: list[Step] = []
    fence = language = None
    for number, line in enumerate(text.splitlines(), 1):
        mark = _FENCE.match(line)
        if mark and fence is None:
            fence, language = mark[1], mark[2]
        elif mark and not mark[2]:
            if language == "console" and found:
                while found[-1].output and not found[-1].output[-1].strip():
                    found[-1].output.pop()
            fence = language = None
        elif language == "console":
            _add(found, line.removeprefix(fence or ""), f"{name}:{number}")
    return found


def _add(found: list[Step], line: str, place: str) -> None:
    if line.startswith("$ "):
        found.append(Step(place, line[2:]))
    elif line.startswith("> ") and found and not found[-1].output:
        found[-1].command += "\n" + line[2:]
    elif found:
        found[-1].output.append(line)
    elif line.strip():
        raise ValueError(f"{place}: a console block begins with '$ '")


def masked(text: str) -> str:
    """What may differ from run to run taken out, and notes that this machine is busy."""
    text = _NUMBER.sub("#", _RUN_FOLDER.sub("RUN", _POINTER.sub("", _BUSY.sub("", text))))
    return "\n".join(_SPACES.sub(" ", line).rstrip() for line in text.strip("\n").splitlines())


def agrees(expected: list[str], actual: str) -> bool:
    """Whether `actual` is the output that a page shows."""
    pattern = "".join(
        r"(?:.*\n)*" if line.strip() == _ANY else ".*".join(map(re.escape, line.split(_ANY))) + r"\n"
        for line in masked("\n".join(expected)).splitlines()
    )
    printed = "".join(f"{line}\n" for line in masked(actual).splitlines())
    return re.fullmatch(pattern, printed) is not None
