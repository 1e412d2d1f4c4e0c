"""Whose the addresses of a world are, and in which country: what routing tables and GeoIP databases say."""

from ipaddress import ip_network

from testbed.measurement.networks import AutonomousSystem, RoutingTable
from testbed.model import World


def announced_by(world: World) -> RoutingTable:
    """Every address of the world. Autonomous systems have names only where they are operators'."""
    names = {operator.asn: operator.name for operator in world.operators}
    servers: list[tuple[tuple[str, ...], int, str]] = [
        *((site.addresses, site.asn, site.country) for site in world.sites),
        *(((*one.ipv4, *one.ipv6), one.asn, one.country) for one in world.resolvers),
        *(((*one.ipv4, *one.ipv6), one.asn, one.country) for one in world.hosts if one.asn),
    ]
    return RoutingTable.of(
        [
            (prefix, AutonomousSystem(operator.asn, operator.name, operator.country))
            for operator in world.operators
            for prefix in (operator.prefix4, operator.prefix6)
        ]
        + [
            (ip_network(address), AutonomousSystem(asn, names.get(asn, ""), country))
            for addresses, asn, country in servers
            for address in addresses
        ]
    )
