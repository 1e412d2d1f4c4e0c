"""Draw a flame graph: python tools/flamegraph.py [--title TEXT] [--under NAME] FOLDED OUT.svg

FOLDED has a line for each stack, "outermost;…;innermost N". `python tools/samples.py FOLDED -- run …` makes
it of a command of testbed and every process that it forks; other profilers write the same form.
"""

import argparse
import sys
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

WIDTH, HEIGHT, TOP = 1200, 17, 44  # of the picture, of a row, of the title; in pixels
NARROWEST = 2.0  # pixels: a narrower frame is left out, with all that it called
OURS = "testbed."  # frames of our own have colours, and need not say it
LETTER = 6.2  # pixels of one at this size of type
STYLE = """
text{font-family:system-ui,"DejaVu Sans",Helvetica,Arial,sans-serif;font-size:11px;fill:#1f2328}
.page{fill:#ffffff}.title{font-size:15px;font-weight:600}rect{stroke:#ffffff;stroke-width:.5}
.a{fill:#f6c667}.b{fill:#f2a65a}.c{fill:#ee8959}.d{fill:#f7d08a}.other{fill:#c9d1d9}
@media (prefers-color-scheme:dark){.page{fill:#0d1117}.title{fill:#e6edf3}rect{stroke:#0d1117}}
"""


@dataclass
class FlameFrame:
    """A function, by whom it was called, and how often it was seen."""

    name: str
    seen: int = 0
    called: dict[str, "FlameFrame"] = field(default_factory=dict)

    def add(self, stack: list[str], times: int) -> None:
        """The frame was seen with these below it."""
        self.seen += times
        if stack:
            self.called.setdefault(stack[0], FlameFrame(stack[0])).add(stack[1:], times)

    def depth(self, least: float) -> int:
        """Rows that it needs, with frames that were seen `least` times or more."""
        return 1 + max((one.depth(least) for one in self.called.values() if one.seen >= least), default=0)


def tree(folded: str, under: str = "") -> FlameFrame:
    """All stacks in one; with `under`, those with a frame of that name, from there on."""
    root = FlameFrame("all")
    for line in folded.splitlines():
        stack, _, times = line.rpartition(" ")
        names = stack.split(";")
        if under:
            if under not in names:
                continue
            names = names[names.index(under) :]
        root.add(names, int(times))
    return root


def draw(root: FlameFrame, title: str) -> str:
    """The picture as SVG. The outermost frame is at the top; pointing at one shows its name and share."""
    least = NARROWEST * root.seen / WIDTH
    rows = root.depth(least)
    height = TOP + rows * HEIGHT + 8
    body: list[str] = []
    _place(root, 0, 0, root.seen, body)
    size = f'width="{WIDTH}" height="{height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {size}>'
        f'<style>{STYLE}</style><rect class="page" {size}/>'
        f'<text class="title" x="8" y="26">{escape(title)}</text>' + "".join(body) + "</svg>\n"
    )


def _place(frame: FlameFrame, row: int, start: int, whole: int, body: list[str]) -> None:
    width = frame.seen / whole * WIDTH
    if width < NARROWEST:
        return
    x, y = start / whole * WIDTH, TOP + row * HEIGHT
    shown = frame.name.removeprefix(OURS)[: int((width - 6) / LETTER)] if width > 24 else ""
    kind = "abcd"[sum(frame.name.encode()) % 4] if frame.name.startswith((OURS, "all")) else "other"
    body.append(
        f'<g><title>{escape(frame.name)}: {frame.seen / whole:.1%}</title><rect class="{kind}" '
        f'x="{x:.1f}" y="{y}" width="{width:.1f}" height="{HEIGHT}"/>'
        + (f'<text x="{x + 3:.1f}" y="{y + 12}">{escape(shown)}</text>' if shown else "")
        + "</g>"
    )
    for one in sorted(frame.called.values(), key=lambda one: one.name):
        _place(one, row + 1, start, whole, body)
        start += one.seen


def main() -> int:
    """Draw one."""
    parser = argparse.ArgumentParser(description="Draw a flame graph of folded stacks.")
    parser.add_argument("folded", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--title", default="")
    parser.add_argument("--under", default="", help="only from the first frame of this name on")
    given = parser.parse_args()
    root = tree(given.folded.read_text("utf-8"), given.under)
    if not root.seen:
        print(f"{given.folded}: no stack", file=sys.stderr)
        return 1
    given.out.write_text(draw(root, given.title), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
