"""Make docs/topology.svg, the network of a scenario with its censors: python tools/topology.py.

Nodes, addresses and hops are those of the plan that a run builds, the boxes those of the phase.
"""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.model import OUTSIDE, Placement
from testbed.scenario.loader import load
from testbed.world.plan import Plan, plan
from testbed.world.transit import NODE as TRANSIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE = Path(__file__).resolve().parents[1] / "docs/topology.svg"
SCENARIO, PHASE, OPERATORS = "twitter-facebook-block-2022-03", "block", ("mts", "beeline", "ertelecom")
WIDE, HIGH, ROW = 1.5, 0.5, 1.7  # of a node, and between operators, in the drawing's units
STEP = 2.0  # between two hops
BACKBONE, FAR, DOMESTIC = "backbone", "far", "domestic"  # nodes that every plan has
FILL = {"host": "#e6eef5", "router": "#ffffff", "censor": "#f6d5bf", "resolver": "#d9ede6"}

NodePlaces = dict[str, tuple[float, float]]


def laid_out(made: Plan) -> NodePlaces:
    """The middle of each node: a row for each operator, and what they share to the right."""
    places: NodePlaces = {}
    rows = {operator.key: -number * ROW for number, operator in enumerate(made.operators)}
    for node in made.nodes:
        operator, _, part = node.name.partition(".")
        if operator in rows and part != "resolver":
            places[node.name] = (STEP * int(part.removeprefix("hop") or 0), rows[operator])
    last = max(x for x, _ in places.values())
    for operator, row in rows.items():
        places[f"{operator}.resolver"] = (last, row + 0.72)
    middle = -ROW * (len(rows) - 1) / 2
    places[BACKBONE] = (last + STEP, middle)
    places[DOMESTIC] = (last + STEP, middle - ROW)
    places[TRANSIT] = (last + 2 * STEP, middle)
    places[FAR] = (last + 3 * STEP, middle)
    places[OUTSIDE] = (last + 3 * STEP, middle - ROW)
    return places


def words(made: Plan) -> Mapping[str, str]:
    """What is written into each node."""
    routers = sum(
        name.startswith("in_") for name, address in made.node(TRANSIT).further if ":" not in address
    )
    shared = {
        FAR: f"far\n{len(made.node(FAR).served)} addresses",
        DOMESTIC: f"domestic\n{len(made.node(DOMESTIC).served)} addresses",
        TRANSIT: f"transit\n{routers} routers",
    }
    return {
        node.name: shared.get(node.name, f"{node.name.partition('.')[2] or node.name}\n{node.addresses[0]}")
        for node in made.nodes
    }


def draw(axes: "Axes", made: Plan, boxes: tuple[Placement, ...]) -> None:
    """Links, nodes, and the censors below their hops."""
    places, said = laid_out(made), words(made)
    for link in made.links:
        if link.a.node != link.b.node:
            (x1, y1), (x2, y2) = places[link.a.node], places[link.b.node]
            axes.plot((x1, x2), (y1, y2), color="#777777", linewidth=0.9, zorder=1)
    lying = {f"{box.operator}.resolver": _name(box) for box in boxes if box.at == "resolver"}
    for node in made.nodes:
        if node.name in lying:
            _node(axes, *places[node.name], f"{lying[node.name]}: lies\n{node.addresses[0]}", FILL["censor"])
            continue
        kind = "resolver" if node.name.endswith("resolver") else "host" if node.host else "router"
        _node(axes, *places[node.name], said[node.name], FILL[kind])
    for box in boxes:
        if box.at == "hop":
            x, y = places[f"{box.operator}.hop{box.hop}"]
            _node(axes, x, y - 0.46, _name(box), FILL["censor"], high=0.3)


def _name(box: Placement) -> str:
    return box.name.partition("/")[2]


def _node(axes: "Axes", x: float, y: float, text: str, fill: str, high: float = HIGH) -> None:
    corner = (x - WIDE / 2, y - high / 2)
    from matplotlib.patches import Rectangle  # here: a test that collects this file would load it

    axes.add_patch(Rectangle(corner, WIDE, high, facecolor=fill, edgecolor="#444444", zorder=2))
    axes.text(x, y, text, ha="center", va="center", fontsize=6.2, zorder=3)


def picture() -> str:
    """The drawing as SVG that loads nothing."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    scenario = load(SCENARIO)
    made = plan(scenario.world, OPERATORS)
    boxes = tuple(box for box in scenario.phases[PHASE].placements if box.operator in OPERATORS)
    figure = Figure(figsize=(10.5, 3.7), layout="constrained")
    axes = figure.subplots()
    draw(axes, made, boxes)
    handles = [
        Patch(facecolor=FILL[kind], edgecolor="#444444", label=label)
        for kind, label in (
            ("host", "commands may run here"),
            ("router", "router"),
            ("resolver", "honest resolver"),
            ("censor", "censor, as of March 2022"),
        )
    ]
    axes.legend(handles=handles, loc="upper right", fontsize=7, frameon=False, ncols=2)
    axes.set_aspect("equal")
    axes.margins(0.02)
    axes.axis("off")
    out = StringIO()
    with rc_context({"svg.hashsalt": "testbed", "svg.fonttype": "path"}):  # whatever another picture wants
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()[out.getvalue().index("<svg") :]


def main() -> None:
    """Draw."""
    PICTURE.write_text(picture(), encoding="utf-8")


if __name__ == "__main__":
    main()
