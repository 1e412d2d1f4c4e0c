"""A diagram for a terminal: one line per packet, 100 columns."""

from testbed.ladder.arrows import Fate
from testbed.ladder.rows import DiagramRow, Sheet
from testbed.ladder.svg import moment

_HALF = 42


def text(sheet: Sheet) -> str:
    """The picture."""
    subscriber, censor, far = sheet.actors
    lines = [sheet.title, sheet.subtitle, ""]
    heads = f"{subscriber:<{_HALF}}{censor:^9}"
    lines.append(f"{'':>10} {heads}" + ("" if sheet.ends_at_censor else f"{far:>{_HALF}}"))
    lines += [
        f"{moment(row.t):>10} {_line(row, ends_at_censor=sheet.ends_at_censor)}".rstrip()
        for row in sheet.rows
    ]
    return "\n".join([*lines, "", *sheet.notes]) + "\n"


def _line(row: DiagramRow, *, ends_at_censor: bool) -> str:
    first, second = _halves(row, ends_at_censor=ends_at_censor)
    spot = {Fate.PASSED: "-┼-"}.get(row.fate, " ◆ ")
    if row.fate is Fate.DROPPED:
        spot = "-✕ " if row.up else " ✕-"
    if ends_at_censor:
        return f"|{first}|  {second.strip()}"
    return f"|{first}{spot}{second}|"


def _halves(row: DiagramRow, *, ends_at_censor: bool) -> tuple[str, str]:
    """The parts left and right of the censor."""
    if ends_at_censor:
        return _shaft(row.label, up=row.up, tip=True), _blank(row.detail)
    mine, other = _mine(row), _other(row)
    return (mine, other) if row.up else (other, mine)


def _mine(row: DiagramRow) -> str:
    """The half on the sender's side."""
    if row.fate is Fate.INJECTED:
        return _blank(f"injected; {row.extent}")
    if row.part == "from":
        return _blank(row.wait)
    return _shaft(row.label, up=row.up, tip=False)


def _other(row: DiagramRow) -> str:
    """The half on the receiver's side."""
    if row.fate is Fate.DROPPED:
        return _blank(f"dropped; {row.extent}")
    if row.part == "to":
        return _blank(f"held; {row.extent}")
    if row.fate is Fate.REWRITTEN:
        return _shaft(row.after_label, up=row.up, tip=True)
    return _shaft(row.label if row.fate in (Fate.INJECTED, Fate.DELAYED) else row.extent, up=row.up, tip=True)


def _shaft(words: str, *, up: bool, tip: bool) -> str:
    shown = words if len(words) <= _HALF - 5 else words[: _HALF - 6] + "…"
    body = (f" {shown} " if shown else "").center(_HALF - 1, "-")
    if up:
        return body + (">" if tip else "-")
    return ("<" if tip else "-") + body


def _blank(words: str) -> str:
    return f"({words[: _HALF - 4]})".center(_HALF)
