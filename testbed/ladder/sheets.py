"""From a captured run to a diagram."""

from dataclasses import dataclass
from pathlib import Path

from testbed.ladder.arrows import arrows
from testbed.ladder.recorder import CapturedRun
from testbed.ladder.rows import Sheet, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetView:
    """What is shown of a run."""

    title: str
    scenario: str  # its name, or its file
    ports: tuple[int, ...] = ()  # far ports; (): all
    acks: bool = True  # passing TCP acknowledgements without data
    fold: bool = True  # similar neighbours share a line
    most: int = 40  # lines
    far: str = "server"  # what the far end is called


def laid_out(captured: CapturedRun, view: SheetView) -> Sheet:
    """The diagram of a captured run."""
    place = captured.placement
    resolver = place.at == "resolver"
    found = arrows(captured.packets, place.hop, view.ports, may_delay=captured.delayed)
    lines, notes = rows(found, acks=view.acks, most=view.most, fold=view.fold)
    rules = ", ".join(captured.fired) or "none"
    where = "the operator's resolver" if resolver else f"hop {place.hop}"
    box = f"{place.name} at {where} ({place.policy.profile.name})"
    run = f"{Path(view.scenario).stem}, phase {captured.phase}, {box}; acted: {rules}"
    beyond = "" if resolver else " and one hop beyond the censor"
    behind = "" if resolver else f", {captured.delay * 1000:g} ms from the far side"
    notes.insert(0, f"Packets of a run, seen at the subscriber's interface{beyond}{behind}.")
    return Sheet(
        view.title,
        run,
        ("subscriber", "resolver" if resolver else "censor", view.far),
        tuple(lines),
        tuple(notes),
        ends_at_censor=resolver,
    )
