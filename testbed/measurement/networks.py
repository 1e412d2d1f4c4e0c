"""Which autonomous system announces an address: OONI writes it beside every DNS answer and resolver."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address


@dataclass(frozen=True, slots=True)
class AutonomousSystem:
    """Its number, the organisation's name, and the country of an address of it; "" is not known."""

    number: int
    name: str = ""
    country: str = ""  # where these addresses are, "RU"

    @property
    def text(self) -> str:
        """As OONI writes it: "AS8359"; "AS0" is unknown."""
        return f"AS{self.number}"


UNKNOWN = AutonomousSystem(0)


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """Prefixes and who announces them."""

    entries: tuple[tuple[IPv4Network | IPv6Network, AutonomousSystem], ...] = ()

    @classmethod
    def of(cls, entries: Iterable[tuple[IPv4Network | IPv6Network, AutonomousSystem]]) -> "RoutingTable":
        """The longest prefixes first."""
        return cls(tuple(sorted(entries, key=lambda entry: -entry[0].prefixlen)))

    def lookup(self, address: str) -> AutonomousSystem:
        """Whose `address` is, by the longest prefix; `UNKNOWN` if nobody's."""
        try:
            wanted = ip_address(address)
        except ValueError:
            return UNKNOWN
        return next((owner for prefix, owner in self.entries if wanted in prefix), UNKNOWN)
