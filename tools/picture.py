"""Make docs/pictures/*.svg from real runs: python tools/picture.py [NAME…], all of them without a name.

Each command runs in a terminal of its own, in an empty folder; what it printed there becomes the picture.
"""

import fcntl
import html
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
BLANK = "\u00a0"
PICTURES = ROOT / "docs/pictures"
BLOCK = "testbed run twitter-facebook-block-2022-03"
# Pictures on a web page load nothing: they use any monospaced font.
FORMAT = re.sub(r"\s*@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


@dataclass(frozen=True)
class TerminalPicture:
    """Commands, the terminal's width in columns, and what of the output to leave out."""

    name: str
    title: str
    commands: tuple[str, ...]
    width: int
    left_out: str = ""  # a regular expression; replaced by "…"


ALL = (
    TerminalPicture(
        "demo",
        "Twitter, Facebook and the BBC from two operators, March 2022",
        (f"{BLOCK} --vantage mts --vantage beeline",),
        width=96,
        left_out=r"(?s)(?<=outside, the vantage without a filter).*?(?=\n\s*\n)",
    ),
    TerminalPicture(
        "curl",
        "Any program, as a subscriber of MTS, March 2022",
        tuple(
            f"{BLOCK} --vantage mts -- curl -sS -o /dev/null -w '%{{http_code}}\\n' https://{site}/"
            for site in ("twitter.com", "vk.com")
        ),
        width=128,
    ),
)


def in_terminal(command: str, width: int, folder: str) -> tuple[int, str]:
    """A command's exit status, and its output on a terminal `width` columns wide, including colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment = {**kept, "PATH": path, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        printed = b""
        while piece := _read(ours):
            printed += piece
    os.close(ours)
    return process.returncode, printed.decode().replace("\r\n", "\n").replace(f"{folder}/", "")


def draw(picture: TerminalPicture) -> str:
    """The picture as SVG."""
    console = Console(
        record=True, width=picture.width, file=StringIO(), force_terminal=True, color_system="256"
    )
    with tempfile.TemporaryDirectory(prefix="picture-") as folder:
        for command in picture.commands:
            status, printed = in_terminal(command, picture.width, folder)
            shown = Text.from_ansi(printed.rstrip("\n"))
            if picture.left_out:
                shown = _without(shown, picture.left_out)
            console.print(Text.assemble(("$ ", "bold green"), (command, "bold")), soft_wrap=False)
            console.print(shown)
            if status:
                console.print(Text(f"(exit status {status})", "dim"))
            console.print()
    return placed(console.export_svg(title=picture.title, code_format=FORMAT, unique_id=picture.name))


def placed(svg: str) -> str:
    """Place each word separately: viewers differ in leading blanks and font width."""

    def apart(text: re.Match[str]) -> str:
        before, x, middle, length, after, content = text.groups()
        characters = html.unescape(content)
        width = float(length) / len(characters)
        return "".join(
            f'{before}x="{float(x) + word.start() * width:g}"{middle}textLength="{len(word[0]) * width:g}"'
            f"{after}{html.escape(word[0]).replace(BLANK, '&#160;')}</text>"
            for word in re.finditer(rf"[^{BLANK}]+({BLANK}[^{BLANK}]+)*", characters)
        )

    return re.sub(
        r'(<text [^>]*?)x="([\d.]+)"([^>]*?)textLength="([\d.]+)"([^>]*>)([^<]*)</text>', apart, svg
    )


def _without(text: Text, pattern: str) -> Text:
    found = re.search(pattern, text.plain)
    if found is None:
        raise ValueError(f"nothing to leave out matches {pattern}")
    return Text.assemble(text[: found.start()], "\n   …", text[found.end() :])


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says EIO once the other end is closed
        return b""


def main(names: list[str]) -> int:
    """Draw the pictures of these names, or all."""
    known = {picture.name: picture for picture in ALL}
    if unknown := [name for name in names if name not in known]:
        print(f"no picture {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name in names or known:
        (PICTURES / f"{name}.svg").write_text(draw(known[name]), "utf-8")
        print(f"docs/pictures/{name}.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
