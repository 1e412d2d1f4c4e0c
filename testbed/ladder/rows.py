"""The lines of a diagram: delayed arrows in two parts, similar neighbours merged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from testbed.censor.packet import TCP, Packet
from testbed.ladder.arrows import Arrow, Fate
from testbed.ladder.words import words


@dataclass(frozen=True, slots=True)
class DiagramRow:
    """One line. `part`: the whole way, or the first or second part of a delayed packet's way."""

    t: float  # seconds since the first
    up: bool
    fate: Fate
    part: str  # "whole", "to", "from"
    name: str
    after_name: str
    detail: str
    after_detail: str
    count: int = 1
    octets: int = 0
    until: float = 0.0  # time of the last of them
    flow: int = 0
    late: float = 0.0  # seconds of delay

    @property
    def label(self) -> str:
        """The name, with how many there are."""
        return self.name if self.count == 1 else f"{self.count} × {self.name}"

    @property
    def after_label(self) -> str:
        """The same for what it became."""
        return self.after_name if self.count == 1 else f"{self.count} × {self.after_name}"

    @property
    def extent(self) -> str:
        """The details; of several packets their total size and duration."""
        if self.count == 1:
            return self.detail
        spread = self.until - self.t
        size = [f"{self.octets:,} B"] if self.octets else []
        return ", ".join([*size, f"in {spread:.2f} s"] if spread >= 0.005 else size)

    @property
    def wait(self) -> str:
        """Its delay."""
        return f"after {self.late * 1000:.0f} ms" if self.late < 1 else f"after {self.late:.1f} s"

    @property
    def signature(self) -> str:
        """What must not change when the picture is generated again."""
        way = "up" if self.up else "down"
        return f"{way} {self.fate} {self.part}: {self.name}" + (
            f" -> {self.after_name}" if self.after_name else ""
        )


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole diagram."""

    title: str
    subtitle: str
    actors: tuple[str, str, str]  # subscriber, censor, far side
    rows: tuple[DiagramRow, ...]
    notes: tuple[str, ...] = ()
    ends_at_censor: bool = False  # a lying resolver is the far end itself


def rows(
    arrows: Sequence[Arrow], *, acks: bool = True, most: int = 30, fold: bool = True
) -> tuple[list[DiagramRow], list[str]]:
    """The lines in order of time, and notes about what they leave out.

    acks: whether passing TCP acknowledgements without data are shown; most: lines; fold: whether similar
    neighbours share a line.
    """
    notes = []
    kept = [arrow for arrow in arrows if acks or not _bare(arrow)]
    if len(kept) < len(arrows):
        notes.append(f"{len(arrows) - len(kept)} acknowledgements without data that passed are left out.")
    begin = min((arrow.start for arrow in kept), default=0.0)
    several = len({arrow.flow for arrow in kept if arrow.flow}) > 1
    cut = [row for arrow in kept for row in _cut(arrow, begin, several=several)]
    cut.sort(key=lambda row: row.t)
    folded: list[DiagramRow] = []
    for row in cut:
        if fold and folded and _similar(folded[-1], row):
            last = folded[-1]
            folded[-1] = replace(
                last,
                count=last.count + row.count,
                octets=last.octets + row.octets,
                until=row.until,
                late=row.late,
            )
        else:
            folded.append(row)
    if len(folded) > most:
        rest = sum(row.count for row in folded[most:])
        notes.append(f"{rest} more packets until {folded[-1].until:.1f} s are left out.")
    return folded[:most], notes


def _bare(arrow: Arrow) -> bool:
    packet = arrow.before
    return (
        arrow.fate in (Fate.PASSED, Fate.DELAYED)
        and packet is not None
        and packet.protocol == TCP
        and not packet.fragment
        and not packet.sequence_space
        and arrow.name == "ACK"
    )


def _cut(arrow: Arrow, begin: float, *, several: bool) -> list[DiagramRow]:
    known = arrow.before or arrow.after
    assert known is not None
    mark = f"#{arrow.flow} " if several and arrow.flow else ""
    row = DiagramRow(
        arrow.start - begin,
        arrow.up,
        arrow.fate,
        "whole",
        mark + arrow.name + (" again" if arrow.again else ""),
        mark + arrow.after_name if arrow.after_name else "",
        words(known).detail,
        words(arrow.after).detail if arrow.fate is Fate.REWRITTEN and arrow.after else "",
        octets=_octets(known),
        until=arrow.start - begin,
        flow=arrow.flow,
        late=arrow.end - arrow.start,
    )
    if arrow.fate is not Fate.DELAYED:
        return [row]
    end = arrow.end - begin
    return [replace(row, part="to"), replace(row, part="from", t=end, until=end)]


def _octets(packet: Packet) -> int:
    return packet.end - packet.payload_at if not packet.fragment else packet.end


def _similar(one: DiagramRow, other: DiagramRow) -> bool:
    return one.signature == other.signature and one.flow == other.flow
