"""A diagram as SVG: 800 units wide, for light and dark pages, without scripts, fonts or anything to load."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from testbed.errors import InputError
from testbed.ladder.arrows import Fate
from testbed.ladder.rows import DiagramRow, Sheet

_LEFT, _MIDDLE, _RIGHT, _WIDTH = 96, 424, 752, 800
_STEP, _GAP, _PAUSE = 32, 16, 0.3  # height of a line; extra height after this many idle seconds
_BELOW = 12  # details under the line, where both halves have a name
_TOP = 92
_SPACE = 8
_MOST = 52  # characters of a label on half the way
_STYLE = """
text{font-family:system-ui,"DejaVu Sans",Helvetica,Arial,sans-serif;font-size:12px;fill:#1f2328}
.page{fill:#ffffff}.title{font-size:16px;font-weight:600}.small{font-size:10.5px;fill:#59636e}
.actor{font-weight:600;text-anchor:middle}.life{stroke:#8c959f;stroke-width:1.5}.box{fill:#d1242f;fill-opacity:.12}
.line{stroke-width:1.6;fill:none}.m{text-anchor:middle}.e{text-anchor:end}
.passed .line{stroke:#1f2328}.passed .head{fill:#1f2328}
.delayed .line{stroke:#0969da}.delayed .head{fill:#0969da}.delayed text.n{fill:#0550ae}
.delayed .spot{fill:#0969da}
.dropped .line{stroke:#cf222e}.dropped text.n{fill:#a40e26}
.rewritten .line{stroke:#1f2328}.rewritten .head{fill:#8250df}
.rewritten .new{stroke:#8250df}.rewritten text.new{fill:#8250df;stroke:none}
.rewritten .spot{fill:#8250df}
.injected .line{stroke:#bc4c00;stroke-dasharray:6 3}.injected .head{fill:#bc4c00}
.injected text.n{fill:#953800}
.injected .spot{fill:#bc4c00}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}.page{fill:#0d1117}.small{fill:#9198a1}.life{stroke:#656c76}.box{fill-opacity:.25}
.passed .line,.rewritten .line{stroke:#e6edf3}.passed .head{fill:#e6edf3}
.delayed .line{stroke:#4493f8}.delayed .head{fill:#4493f8}.delayed text.n{fill:#79c0ff}
.delayed .spot{fill:#4493f8}
.dropped .line{stroke:#ff7b72}.dropped text.n{fill:#ff7b72}
.rewritten .head,.rewritten .spot,.rewritten text.new{fill:#d2a8ff}
.rewritten .new{stroke:#d2a8ff}.rewritten text.new{stroke:none}
.injected .line{stroke:#ffa657}.injected .head,.injected .spot,.injected text.n{fill:#ffa657}}
"""


def svg(sheet: Sheet) -> str:
    """The picture."""
    body: list[str] = []
    y, last = _TOP, 0.0
    for row in sheet.rows:
        if row.t - last > _PAUSE:
            y += _GAP
        body.append(_row(row, y, ends_at_censor=sheet.ends_at_censor))
        last, y = row.until, y + _STEP + (_BELOW if row.fate is Fate.REWRITTEN else 0)
    bottom = y - 6
    notes = [_text(24, bottom + 22 + 15 * n, note, "small") for n, note in enumerate(sheet.notes)]
    fates = list(dict.fromkeys(row.fate for row in sheet.rows))
    notes.append(legend(fates, bottom + 24 + 15 * len(notes)))
    height = bottom + 24 + 15 * len(notes)
    lines = (_LEFT, _MIDDLE) if sheet.ends_at_censor else (_LEFT, _MIDDLE, _RIGHT)
    size, measures = f"{_WIDTH} {height}", f'width="{_WIDTH}" height="{height}"'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" {measures} role="img">',
        f"<title>{escape(sheet.title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{_WIDTH}" height="{height}" rx="6"/>',
        _text(24, 28, sheet.title, "title"),
        _text(24, 46, sheet.subtitle, "small"),
        f'<rect class="box" x="{_MIDDLE - 7}" y="74" width="14" height="{bottom - 74}" rx="3"/>',
        *(f'<line class="life" x1="{x}" y1="74" x2="{x}" y2="{bottom}"/>' for x in lines),
        *(_text(min(x, 730), 68, actor, "actor") for x, actor in zip(lines, sheet.actors, strict=False)),
    ]
    return "\n".join([*head, *body, *notes, "</svg>"]) + "\n"


def legend(fates: Sequence[Fate], y: int) -> str:
    """What the colours mean: a sample and a word for each."""
    samples = []
    for number, fate in enumerate(fate for fate in Fate if fate in fates):
        x = 24 + 150 * number
        # A rewritten packet's arrow has two colours, and the second is what became of it.
        kind = "line new" if fate is Fate.REWRITTEN else "line"
        word = f"{_MEANING[fate]} at the censor" if fate is not Fate.PASSED else _MEANING[fate]
        sample = _line(x, x + 22, y - 4, kind) + _text(x + 28, y, word, "small")
        samples.append(f'<g class="{fate}">{sample}</g>')
    return "".join(samples)


_MEANING = {fate: str(fate) for fate in Fate} | {Fate.DELAYED: "held"}


def _row(row: DiagramRow, y: int, *, ends_at_censor: bool) -> str:
    near, far = (_LEFT, _RIGHT) if row.up else (_RIGHT, _LEFT)
    draw = _at_resolver if ends_at_censor else _PARTS.get(row.part) or _FATES[row.fate]
    parts = [_text(_LEFT - _SPACE, y + 4, moment(row.t), "small e"), *draw(row, near, far, y)]
    return f'<g class="{row.fate}" data-row="{escape(row.signature)}">{"".join(parts)}</g>'


def _passed(row: DiagramRow, near: int, far: int, y: int) -> list[str]:
    return [_line(near, far, y), _head(far, y, near), _name(row.label, near, y), _more(row.extent, far, y)]


def _dropped(row: DiagramRow, near: int, far: int, y: int) -> list[str]:
    x = _MIDDLE
    cross = f'<path class="line" d="M{x - 6} {y - 6}l12 12m0-12l-12 12" stroke-width="2.4"/>'
    return [
        _line(near, x, y),
        cross,
        _name(row.label, near, y),
        _more(_with("dropped", row.extent), far, y + 8),
    ]


def _rewritten(row: DiagramRow, near: int, far: int, y: int) -> list[str]:
    return [
        _line(near, _MIDDLE, y),
        _line(_MIDDLE, far, y, "line new"),
        _head(far, y, near),
        _spot(y),
        _name(row.label, near, y),
        _name(row.after_label, far, y, "n new m"),
        _more(row.detail, near, y + 17),
        _more(row.after_detail, far, y + 17),
    ]


def _injected(row: DiagramRow, near: int, far: int, y: int) -> list[str]:
    return [
        _line(_MIDDLE, far, y),
        _head(far, y, near),
        _spot(y),
        _name(row.label, far, y),
        _more(_with("injected", row.extent), near, y + 8),
    ]


def _to_censor(row: DiagramRow, near: int, far: int, y: int) -> list[str]:
    return [
        _line(near, _MIDDLE, y),
        _spot(y),
        _name(row.label, near, y),
        _more(_with("held", row.extent), far, y + 8),
    ]


def _from_censor(row: DiagramRow, near: int, far: int, y: int) -> list[str]:
    return [
        _line(_MIDDLE, far, y),
        _head(far, y, near),
        _name(row.label, far, y),
        _more(row.wait, near, y + 8),
    ]


def _at_resolver(row: DiagramRow, _near: int, _far: int, y: int) -> list[str]:
    """The censor is the far end: packets up end there, packets down begin there."""
    here, there = (_LEFT, _MIDDLE) if row.up else (_MIDDLE, _LEFT)
    return [
        _line(here, there, y),
        _head(there, y, here),
        _name(row.label, _LEFT, y),
        _more(row.detail, _RIGHT, y + 8),
    ]


_FATES = {
    Fate.PASSED: _passed,
    Fate.DROPPED: _dropped,
    Fate.REWRITTEN: _rewritten,
    Fate.INJECTED: _injected,
}
_PARTS = {"to": _to_censor, "from": _from_censor}


def _with(what: str, extent: str) -> str:
    return f"{what}; {extent}" if extent else what


def moment(t: float) -> str:
    """A time at the beginning of a line."""
    return f"{t * 1000:.1f} ms" if t < 0.9995 else f"{t:.2f} s"


def _line(x1: int, x2: int, y: int, kind: str = "line") -> str:
    return f'<path class="{kind}" d="M{x1} {y}H{x2}"/>'


def _head(x: int, y: int, origin: int) -> str:
    back = 8 if origin > x else -8
    return f'<path class="head" d="M{x} {y}l{back} -4v8z"/>'


def _spot(y: int) -> str:
    return f'<path class="spot" d="M{_MIDDLE} {y - 6}l6 6l-6 6l-6 -6z"/>'


def _half(x: int) -> int:
    """The middle of that end's half of the picture."""
    return (_LEFT + _MIDDLE) // 2 if x < _MIDDLE else (_MIDDLE + _RIGHT) // 2


def _name(text: str, x: int, y: int, kind: str = "n m") -> str:
    shown = text if len(text) <= _MOST else text[: _MOST - 1] + "…"
    return _text(_half(x), y - 5, shown, kind)


def _more(text: str, x: int, y: int) -> str:
    return _text(_half(x), y - 4, text, "small m")


def _text(x: int, y: int, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(text)}</text>'


def write(path: Path, sheet: Sheet) -> None:
    """Write the picture to a file. Errors: InputError if that cannot be done."""
    try:
        path.write_text(svg(sheet), "utf-8")
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        raise InputError.at("--svg", message, "name another file") from error
