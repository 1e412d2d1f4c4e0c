"""A match key that the packet's header decides: how many routers a packet may still cross."""

from dataclasses import dataclass
from typing import Annotated

from testbed.censor.match import HeaderKey
from testbed.censor.packet import Packet
from testbed.censor.units import Between


@dataclass(frozen=True, slots=True)
class HopLimits:
    """The values of a packet's TTL or hop limit at the censor that fit: those below a bound."""

    below: Annotated[int, Between(1, 255)]


class HopLimit(HeaderKey[HopLimits]):
    """The packet's TTL or hop limit at the censor."""

    name = "hop_limit"
    shape = HopLimits
    written = "`{below: 12}`"
    per_packet = True  # one flow may carry packets that fit and others that do not

    def fits(self, compiled: HopLimits, packet: Packet, outside: bytes, port: int) -> bool:
        """Whether it is below the bound."""
        return packet.hop_limit < compiled.below
