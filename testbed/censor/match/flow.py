"""Where in a flow a rule applies: to packets with data, to flows whose roles were reversed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from testbed.censor.match.key import HeaderKey, Impossible, MatchKey
from testbed.censor.packet import Packet

if TYPE_CHECKING:
    from testbed.censor.match import Match


class Data(HeaderKey[bool]):
    """With `ip`, `ports`, `transport`: only packets that carry data, so that handshakes pass."""

    name = "data"
    shape = bool
    written = "`true`"
    per_packet = True

    def given(self, value: bool | None) -> bool:  # noqa: FBT001
        """`data: false` asks for nothing."""
        return bool(value)

    def fits(self, compiled: bool, packet: Packet, outside: bytes, port: int) -> bool:  # noqa: FBT001
        """Whether the packet has a payload."""
        return packet.has_payload

    def covers(self, value: bool, match: "Match") -> bool:  # noqa: FBT001
        """Content comes in packets with data."""
        return self.name in match or match.by_content

    def faults(self, value: bool, match: "Match") -> Iterator[Impossible]:  # noqa: FBT001
        """Beside content it says nothing."""
        if match.by_content:
            message = "'data' is for rules by address: content comes in data anyway"
            yield Impossible((self.name,), message, "leave it out")


class RolesReversed(MatchKey[bool]):
    """Only flows whose client and server roles a SYN from outside reversed: SNI-IV behind SNI-I.

    A flow's roles decide it, which the core keeps (CP22 Fig. 7); no packet does.
    """

    name = "roles_reversed"
    shape = bool
    written = "`true`"
    former = ("flipped",)
    splits = True

    def given(self, value: bool | None) -> bool:  # noqa: FBT001
        """`roles_reversed: false` asks for nothing."""
        return bool(value)

    def faults(self, value: bool, match: "Match") -> Iterator[Impossible]:  # noqa: FBT001
        """Roles are reversed by a SYN."""
        if match.get("transport") == "udp":
            yield Impossible((self.name,), "the rule can never match: UDP has no SYN", "leave it out")
