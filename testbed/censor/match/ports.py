"""Ports: single ones, ranges, or every one."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from testbed.censor.match.key import HeaderKey, Impossible
from testbed.censor.packet import Packet

if TYPE_CHECKING:
    from testbed.censor.match import Match

Ports = tuple[int | range, ...]
"""Port numbers and ranges of them, in any order: `(443, range(50000, 50101))`."""

EVERY_PORT: Final = range(1, 65536)  # written `any`
_FEW: Final = 1024  # ports up to which a range is kept as single ports, which are found faster


class PortKey(HeaderKey[Ports]):
    """The base of the keys by port."""

    shape = Ports
    written = "`443`, `[443, 8443]`, `50000-50100`, a list of both, or `any`"

    def compile(self, value: Ports) -> "PortSet":
        """The ports, ready for a number."""
        return PortSet(value)

    def covers(self, value: Ports, match: "Match") -> bool:
        """Whether every other port is one of these; every port covers what has ports at all."""
        other = match.get(self.name)
        if other is None:
            return EVERY_PORT in value and (match.by_content or match.get("transport") in ("tcp", "udp"))
        mine = PortSet(value)
        return all(_ports(one) <= mine for one in other)

    def faults(self, value: Ports, match: "Match") -> Iterator[Impossible]:
        """Ports of ICMP."""
        if match.get("transport") == "icmp":
            yield Impossible((self.name,), "the rule can never match: ICMP has no ports", "leave it out")

    def to_json(self, value: Ports) -> Any:
        """As they are written."""
        return "any" if EVERY_PORT in value else [written_port(one) for one in value]


class ServerPorts(PortKey):
    """The server's port; if left out, the profile's ports for what the rule looks for."""

    name = "ports"

    def fits(self, compiled: "PortSet", packet: Packet, outside: bytes, port: int) -> bool:
        """Whether the port is listed."""
        return port in compiled


class PortSet:
    """Ports as a set: few single ones, and ranges that are not taken apart."""

    __slots__ = ("_ranges", "_singles")

    def __init__(self, ports: Iterable[int | range]) -> None:
        ranges = [one for one in ports if isinstance(one, range)]
        self._ranges = tuple(one for one in ranges if len(one) > _FEW)
        short = (port for one in ranges if len(one) <= _FEW for port in one)
        self._singles = frozenset((*short, *(one for one in ports if isinstance(one, int))))

    def __contains__(self, port: int) -> bool:
        return port in self._singles or any(port in one for one in self._ranges)

    def __iter__(self) -> Iterator[int]:
        yield from self._singles
        for one in self._ranges:
            yield from one

    def __ge__(self, other: range) -> bool:
        """Whether all ports of a range are in the set."""
        return any(other[0] in one and other[-1] in one for one in self._ranges) or all(
            port in self for port in other
        )


def _ports(one: int | range) -> range:
    return range(one, one + 1) if isinstance(one, int) else one


def written_port(one: int | range) -> int | str:
    """A port or a range as scenario files write it: 443, "50000-50100"."""
    return one if isinstance(one, int) else f"{one[0]}-{one[-1]}"
