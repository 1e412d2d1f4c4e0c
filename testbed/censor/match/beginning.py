"""How a flow began: who opened it, which packets came first, how large they were."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from testbed.censor.decision import Direction
from testbed.censor.flow import Flow
from testbed.censor.history import MOST_EARLY, opens
from testbed.censor.inspect import Kind
from testbed.censor.match.key import HeaderKey, HistoryKey, Impossible
from testbed.censor.packet import Packet
from testbed.censor.units import Between

if TYPE_CHECKING:
    from testbed.censor.match import Match

_OVER_TCP = {Kind.TLS, Kind.CERTIFICATE, Kind.HTTP}
Opener = Literal["inside", "outside"]


class FlowOpener(HistoryKey[Opener]):
    """Who opened the flow.

    With `outside`, the rule is about servers at subscribers, also where the profile leaves such flows alone.
    """

    name = "opened_by"
    shape = Opener
    written = "`inside` or `outside`; `ports` are then those of the subscriber's server"
    splits = True

    def holds(self, compiled: Opener, packet: Packet, flow: Flow, now: float) -> bool:
        """Whether the flow's first packet came from there."""
        return (flow.opener is Direction.UP) is (compiled == "inside")


class OpeningPacket(HistoryKey[bool]):
    """Only the packet that opens a flow: a SYN, or the first datagram."""

    name = "opening"
    shape = bool
    written = "`true`"
    per_packet = True

    def given(self, value: bool | None) -> bool:  # noqa: FBT001
        """`opening: false` asks for nothing."""
        return bool(value)

    def holds(self, compiled: bool, packet: Packet, flow: Flow, now: float) -> bool:  # noqa: FBT001
        """Whether this is the packet."""
        return opens(packet, flow.history)

    def faults(self, value: bool, match: "Match") -> Iterator[Impossible]:  # noqa: FBT001
        """A SYN shows no content."""
        kinds = {kind for key, _ in match.content_parts for kind in key.kinds}
        over_tcp = match.get("transport") == "tcp" or (kinds and kinds <= _OVER_TCP)
        if "data" in match or (match.by_content and over_tcp):
            message = "the rule can never match: a SYN carries no data"
            yield Impossible((self.name,), message, "leave it out")


@dataclass(frozen=True, slots=True)
class SizeRange:
    """Bytes, both ends included."""

    min: Annotated[int, Between(0, 65535)] = 0
    max: Annotated[int, Between(0, 65535)] = 65535

    def __post_init__(self) -> None:
        if self.min > self.max:
            raise ValueError(f"no size is {self.min} or more and {self.max} or less; exchange the two")


class PacketSize(HeaderKey[SizeRange]):
    """The packet's size: of the IP packet with its headers, in bytes."""

    name = "size"
    shape = SizeRange
    written = "`{min: 49}`, `{max: 600}`, or both; a rule with it waits for a packet that fits"
    per_packet = True

    def fits(self, compiled: SizeRange, packet: Packet, outside: bytes, port: int) -> bool:
        """Whether the packet is so large."""
        return bool(compiled.min <= packet.end <= compiled.max)

    def covers(self, value: SizeRange, match: "Match") -> bool:
        """Sizes all of which are among these."""
        other = match.get(self.name, SizeRange())
        return bool(value.min <= other.min and other.max <= value.max)


@dataclass(frozen=True, slots=True)
class EarlySizes:
    """How many of a flow's first packets with data have a size."""

    count: Annotated[int, Between(1, MOST_EARLY)] = 1  # packets that must be so
    among: Annotated[int, Between(1, MOST_EARLY)] | None = None  # first packets looked at; None: as many
    min: Annotated[int, Between(0, 65535)] = 0  # bytes of payload, without headers
    max: Annotated[int, Between(0, 65535)] = 65535
    direction: Literal["up", "down", "both"] = "up"

    def __post_init__(self) -> None:
        if self.min > self.max:
            raise ValueError(f"no size is {self.min} or more and {self.max} or less; exchange the two")
        if self.among is not None and self.count > self.among:
            raise ValueError(
                f"{self.count} of {self.among} packets is too many; give among: {self.count} or more"
            )


class EarlyPackets(HistoryKey[EarlySizes]):
    """How many of the flow's first packets with data have a size (of the payload, in bytes)."""

    name = "early_packets"
    shape = EarlySizes
    written = (
        "`{count: 3, among: 5, min: 411}` (three of the first five that the inside host sends), "
        "`{max: 600}` (the first one); `direction: down` or `both`"
    )
    per_packet = True

    def holds(self, compiled: EarlySizes, packet: Packet, flow: Flow, now: float) -> bool | None:
        """As soon as enough are so; never, as soon as too few can be."""
        among = compiled.among or compiled.count
        sizes = getattr(flow.history, compiled.direction)[:among]
        fitting = sum(compiled.min <= size <= compiled.max for size in sizes)
        if fitting >= compiled.count:
            return True
        return None if fitting + among - len(sizes) >= compiled.count else False
