"""The network of each scenario, with the censors on their hops."""

from html import escape

from testbed.errors import printable
from testbed.htmlreport.blocks import DataGrid, Folded, PageBlock, PageSection, PlotFigure, Statement, counted
from testbed.htmlreport.facts import BoxPlace, OperatorLine, ReportFacts, RunFacts

FEW = 2  # drawings that are open from the beginning; our choice
_STEP, _ROW, _WIDE, _HIGH = 112, 84, 100, 30  # pixels: between hops and operators, and of a node
_LEFT, _TOP = 8, 12
_BOX = 24  # height of a censor
_CHARACTERS = 16  # that fit into a node


def section(facts: ReportFacts) -> PageSection | None:
    """A drawing for each set of censors; phases with the same have one."""
    drawings: dict[
        tuple[str, tuple[BoxPlace, ...], tuple[OperatorLine, ...]], tuple[RunFacts, list[str]]
    ] = {}
    for run in facts.runs:
        for phase in run.phases:
            shown = _shown(run)
            boxes = tuple(box for box in phase.boxes if box.operator in {one.key for one in shown})
            _, names = drawings.setdefault((run.scenario, boxes, shown), (run, []))
            if phase.key not in names:
                names.append(phase.key)
    if not drawings:
        return None
    blocks: list[PageBlock] = [
        Statement(
            "Packets of a subscriber pass the hops of the operator from left to right, then the backbone and "
            "the transit routers. A censor is below its hop, and sees what passes there."
        )
    ]
    for number, ((scenario, boxes, shown), (run, phases)) in enumerate(drawings.items()):
        named = f"phase{'s' if len(phases) > 1 else ''} {', '.join(phases)}"
        title = f"{scenario}, {named}: {counted(len(boxes), 'censor')}"
        picture = PlotFigure(
            "The network",
            topology_svg(shown, boxes, run.transit),
            _in_words(shown, boxes),
            _places(boxes) if boxes else None,
        )
        blocks.append(Folded(title, (picture,), open=len(drawings) <= FEW and number < FEW))
    return PageSection("topology", "Where the censors are", tuple(blocks))


def _shown(run: RunFacts) -> tuple[OperatorLine, ...]:
    """The operators from which something was measured; all, if that is not known."""
    used = {row.vantage for row in run.rows} | set(run.vantages)
    return tuple(one for one in run.operators if one.key in used) or run.operators


def _places(boxes: tuple[BoxPlace, ...]) -> DataGrid:
    return DataGrid(
        "Censors, by operator and hop",
        ("censor", "operator", "where", "profile", "rules"),
        tuple(
            (
                box.name,
                box.operator,
                f"hop {box.hop}" if box.at == "hop" else "the operator's resolver",
                box.profile,
                ", ".join(f"{name} ({action})" for name, action in box.rules),
            )
            for box in boxes
        ),
    )


def _in_words(operators: tuple[OperatorLine, ...], boxes: tuple[BoxPlace, ...]) -> str:
    """The drawing for who does not see it."""
    sentences = []
    for one in operators:
        mine = [box for box in boxes if box.operator == one.key]
        places = ", ".join(
            f"{_short(box)} at {f'hop {box.hop}' if box.at == 'hop' else 'the resolver'}" for box in mine
        )
        sentences.append(f"{one.name} ({one.key}) has {one.hops} hops; {places or 'no censor'}.")
    return " ".join([*sentences, "All lead to one backbone, and from there to sites in Russia and abroad."])


def topology_svg(operators: tuple[OperatorLine, ...], boxes: tuple[BoxPlace, ...], transit: int) -> str:
    """A row for each operator, and to the right what they share."""
    longest = max((one.hops for one in operators), default=0)
    tops, top = [], _TOP
    for one in operators:  # a hop with several censors makes its row taller
        hops = [box.hop for box in boxes if box.operator == one.key and box.at == "hop"]
        tops.append(top)
        top += _ROW + _BOX * (max((hops.count(hop) for hop in hops), default=0) - 1) * bool(hops)
    height = max(top, _TOP + 2 * _ROW)
    shared = _LEFT + _STEP * (longest + 1)
    middle = (height - _HIGH) // 2 - 20
    parts: list[str] = []
    for one, y in zip(operators, tops, strict=True):
        last = _LEFT + _STEP * one.hops
        parts.append(_line(_LEFT + _WIDE // 2, y + _HIGH // 2, last + _WIDE // 2, y + _HIGH // 2))
        parts.append(_line(last + _WIDE, y + _HIGH // 2, shared, middle + _HIGH // 2))
        parts.append(_node(_LEFT, y, one.key, "host"))
        parts += [_node(_LEFT + _STEP * hop, y, f"hop {hop}", "router") for hop in range(1, one.hops + 1)]
        used: dict[int, int] = {}
        for box in boxes:
            if box.operator != one.key:
                continue
            hop = box.hop if box.at == "hop" else one.hops
            number = used.get(hop, 0)
            used[hop] = number + 1
            x, below = _LEFT + _STEP * hop, y + _HIGH + 6 + number * _BOX
            parts.append(_censor(x, below, _short(box) + (" (resolver)" if box.at != "hop" else "")))
    parts.append(_line(shared + _WIDE, middle + _HIGH // 2, shared + 2 * _STEP, middle + _HIGH // 2))
    parts.append(_line(shared + _WIDE // 2, middle + _HIGH, shared + _WIDE // 2, middle + _ROW))
    parts.append(_node(shared, middle, "backbone", "router"))
    parts.append(_node(shared, middle + _ROW - 10, "sites in Russia", "host"))
    parts.append(_node(shared + _STEP, middle, f"{transit} routers", "router"))
    parts.append(_node(shared + 2 * _STEP, middle, "sites abroad", "host"))
    width = shared + 2 * _STEP + _WIDE + _LEFT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" aria-hidden="true" focusable="false" font-size="12" text-anchor="middle">'
        f"{''.join(parts)}</svg>"
    )


def _short(box: BoxPlace) -> str:
    return box.name.rpartition("/")[2]


def _fitting(text: str) -> str:
    shown = printable(text).replace("\n", " ")
    return escape(shown if len(shown) <= _CHARACTERS else shown[: _CHARACTERS - 1] + "…")


def _line(x1: int, y1: int, x2: int, y2: int) -> str:
    return f'<path class="stroke-grey" fill="none" d="M{x1} {y1}L{x2} {y2}"/>'


def _node(x: int, y: int, text: str, kind: str) -> str:
    fill = "fill-free" if kind == "host" else "fill-ground"
    return (
        f'<rect class="{fill} stroke-grey" x="{x}" y="{y}" width="{_WIDE}" height="{_HIGH}" rx="4"/>'
        f'<text class="fill-ink" x="{x + _WIDE // 2}" y="{y + 19}">{_fitting(text)}</text>'
    )


def _censor(x: int, y: int, text: str) -> str:
    """A box with a thick edge and a sign: not by its colour alone."""
    return (
        f'<rect class="fill-box stroke-red" stroke-width="2" x="{x}" y="{y}" width="{_WIDE}" '
        f'height="{_BOX - 4}"/>'
        f'<text class="fill-ink" x="{x + _WIDE // 2}" y="{y + 14}" font-size="11">◆ {_fitting(text)}</text>'
    )
