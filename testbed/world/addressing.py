"""Who has which address. Pure.

Inside an operator's prefix (our choice): hop i is number i, the resolver number 53, the subscriber number 100
(hexadecimal in IPv6, so that it reads the same: …::53).
"""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from testbed.errors import InputError, Problem
from testbed.model import FIXED, OUTSIDE, OUTSIDE_HOST, Addresses, Host, Operator, World

OUTSIDE_RANGE: Addresses = ("95.216.0.0/24", "2a01:4f9::/64")  # routed there: it may add addresses to itself
OUTSIDE_ASN = 24940

_MOST_HOPS = 50
_KEY = re.compile(r"[a-z][a-z0-9_-]{0,14}")  # also the name of an interface: at most 15 characters
_TAKEN = {OUTSIDE, "backbone", "far", "lo"}


def numbered(operator: Operator) -> dict[str, Addresses]:
    """Node name -> addresses, for every node of an operator."""

    def pair(number: int, number6: int) -> Addresses:
        return str(operator.prefix4[number]), str(operator.prefix6[number6])

    hops = {f"{operator.key}.hop{i}": pair(i, i) for i in range(1, operator.hops + 1)}
    return {
        operator.key: (operator.subscriber4, operator.subscriber6),
        **hops,
        f"{operator.key}.resolver": (operator.resolver4, operator.resolver6),
    }


def addresses_of(host: Host, world: World) -> tuple[str, ...]:
    """Where `host` is reached, IPv4 first: its own addresses, or those of the vantage that it is at."""
    if not host.at:
        return (*host.ipv4, *host.ipv6)
    if host.at == OUTSIDE:
        return OUTSIDE_HOST
    operator = world.operator(host.at)
    return operator.subscriber4, operator.subscriber6


def check(world: World, chosen: Sequence[str] | None) -> None:
    """Raise one InputError with everything in `world` that cannot be laid out."""
    problems = [
        *_unknown(world, chosen or ()),
        *(problem for operator in world.operators for problem in _wrong(operator)),
        *_overlaps(world),
    ]
    if not problems:
        problems += _duplicates(world)
    if problems:
        raise InputError(*problems)


def _unknown(world: World, chosen: Sequence[str]) -> Iterator[Problem]:
    keys = [operator.key for operator in world.operators]
    for key in chosen:
        if key not in keys and key != OUTSIDE:
            near = get_close_matches(key, keys, 1)
            remedy = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(keys)}"
            yield Problem(f"world {world.name}", f"no operator '{key}'", remedy)


def _wrong(operator: Operator) -> Iterator[Problem]:
    place = f"operator {operator.key}"
    if not _KEY.fullmatch(operator.key) or operator.key in _TAKEN:
        yield Problem(
            place,
            "this key cannot be used",
            "a-z, 0-9, - and _, at most 15, and not " + ", ".join(sorted(_TAKEN)),
        )
    if not 1 <= operator.hops <= _MOST_HOPS:
        yield Problem(place, f"{operator.hops} hops", f"between 1 and {_MOST_HOPS}")
    for prefix, longest in ((operator.prefix4, 25), (operator.prefix6, 119)):
        if prefix.prefixlen > longest:
            yield Problem(place, f"prefix {prefix} is too small", f"at most /{longest}")


def _overlaps(world: World) -> Iterator[Problem]:
    seen: list[tuple[str, IPv4Network | IPv6Network]] = []
    for operator in world.operators:
        for prefix in (operator.prefix4, operator.prefix6):
            for other, theirs in seen:
                # two overlapping networks: one holds the other's first address
                if prefix.version == theirs.version and (prefix[0] in theirs or theirs[0] in prefix):
                    yield Problem(f"operator {operator.key}", f"prefix {prefix} overlaps {theirs} of {other}")
            seen.append((operator.key, prefix))
    for name, pair in FIXED.items():
        for other, prefix in seen:
            for address in map(ip_address, pair):
                if address in prefix:
                    yield Problem(
                        f"operator {other}", f"prefix {prefix} holds the address {address} of {name}"
                    )


def _duplicates(world: World) -> Iterator[Problem]:
    owners: dict[IPv4Address | IPv6Address, str] = {}
    for owner, version, text in _all(world):
        try:
            address = ip_address(text)
        except ValueError:
            yield Problem(owner, f"'{text}' is not an IP address")
            continue
        if version and address.version != version:
            yield Problem(owner, f"{address} is not an IPv{version} address")
        if address in owners:
            yield Problem(owner, f"address {address} is already that of {owners[address]}", "give it another")
        owners.setdefault(address, owner)


def _all(world: World) -> Iterator[tuple[str, int, str]]:
    fixed = dict(FIXED)
    for operator in world.operators:
        fixed |= numbered(operator)
    for node, pair in fixed.items():
        yield from ((node, 0, text) for text in pair)
    for site in world.sites:
        yield from (
            (f"site {site.name}", version, text) for version, text in ((4, site.ipv4), (6, site.ipv6))
        )
    for resolver in world.resolvers:
        place = f"resolver {resolver.name}"
        yield from ((place, 4, text) for text in resolver.ipv4)
        yield from ((place, 6, text) for text in resolver.ipv6)
    for host in world.hosts:
        place = f"host {host.key}"
        yield from ((place, 4, text) for text in host.ipv4)
        yield from ((place, 6, text) for text in host.ipv6)
