"""Who has which address. Pure.

Inside an operator's prefix (our choice): hop i is number i, the resolver number 53, the subscriber number
100, its twin number 99 (hexadecimal in IPv6, so that it reads the same: …::53).
"""

from collections import Counter

from testbed.model import OUTSIDE, OUTSIDE_HOST, Addresses, Host, Operator, World
from testbed.model.parsed import parsed_address

OUTSIDE_RANGE: Addresses = ("95.216.0.0/24", "2a01:4f9::/64")  # routed there: it may add addresses to itself
OUTSIDE_ASN = 24940
TWIN_OUTSIDE: Addresses = ("95.216.0.99", "2a01:4f9::99")


def numbered(operator: Operator) -> dict[str, Addresses]:
    """Node name -> addresses, for every node of an operator."""

    def pair(number: int, number6: int) -> Addresses:
        return str(operator.prefix4[number]), str(operator.prefix6[number6])

    hops = {f"{operator.key}.hop{i}": pair(i, i) for i in range(1, operator.hops + 1)}
    return {
        operator.key: (operator.subscriber4, operator.subscriber6),
        twin(operator.key): pair(99, 0x99),
        **hops,
        f"{operator.key}.resolver": (operator.resolver4, operator.resolver6),
    }


def twin(vantage: str) -> str:
    """The node of a vantage's twin: a second subscriber, which no command runs at, for the controls."""
    return f"{vantage}.twin"


def twin_addresses(world: World, vantage: str) -> Addresses:
    """The twin's IPv4 and IPv6 address."""
    return TWIN_OUTSIDE if vantage == OUTSIDE else numbered(world.operator(vantage))[twin(vantage)]


def addresses_of(host: Host, world: World) -> tuple[str, ...]:
    """Where `host` is reached, IPv4 first: its own addresses, or those of the vantage that it is at."""
    if not host.at:
        return (*host.ipv4, *host.ipv6)
    if host.at == OUTSIDE:
        return OUTSIDE_HOST
    operator = world.operator(host.at)
    return operator.subscriber4, operator.subscriber6


def is_domestic(country: str, world: World) -> bool:
    """Whether a server there is at home, where most operators are: no transit routers lead to it."""
    countries = Counter(operator.country for operator in world.operators).most_common(1)
    return any(country == home for home, _ in countries)


def served_addresses(world: World, *, domestic: bool) -> tuple[str, ...]:
    """The addresses of all sites and public resolvers at home, or abroad."""
    owners: list[tuple[str, tuple[str, ...]]] = [(each.country, each.addresses) for each in world.sites]
    owners += [(each.country, (*each.ipv4, *each.ipv6)) for each in world.resolvers]
    at_home = {country: is_domestic(country, world) for country in {one for one, _ in owners}}
    return tuple(
        str(parsed_address(address))
        for country, addresses in owners
        if at_home[country] is domestic
        for address in addresses
    )
