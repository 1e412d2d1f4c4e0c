"""Hosts from the command line: `--serve HOST='COMMAND'`. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address

from testbed.errors import InputError, Problem
from testbed.internet.services.command import Command, Readiness
from testbed.model import OUTSIDE, Host, Scenario, World
from testbed.model.faults import KEY, RESERVED_KEYS, world_faults

# Our choice: ranges of Hetzner (AS24940), beside those of the outside vantage.
SERVED4, SERVED6 = IPv4Network("95.216.1.0/24"), IPv6Network("2a01:4f9:0:1::/64")
ASN, COUNTRY = 24940, "FI"

_OPTION = "--serve"
_FORM = re.compile(r"([^\s=:/]+)(?::([0-9]{1,5})(?:/(tcp|udp))?)?=(.*)", re.DOTALL)


def with_served(scenario: Scenario, texts: Sequence[str]) -> Scenario:
    """The scenario with the commands of `texts` added to its hosts.

    Each text is HOST=COMMAND, HOST:PORT=COMMAND or HOST:PORT/udp=COMMAND. HOST is a vantage (the command runs
    at its subscriber), a host of the scenario, or the name of a new host abroad, which gets that name in the
    world's DNS and the next addresses of `SERVED4` and `SERVED6`. With PORT the command is ready when it
    listens there (TCP unless /udp is given), without when it listens anywhere. InputError with every text
    that is wrong.
    """
    world = scenario.world
    problems: list[Problem] = []
    for text in texts:
        try:
            world = _with_one(world, text)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    return replace(scenario, world=world)


def _with_one(world: World, text: str) -> World:
    found = _FORM.fullmatch(text)
    if found is None:
        raise _wrong(
            f"{text!r} does not say what to serve where", "write HOST='COMMAND' or HOST:PORT='COMMAND'"
        )
    name, port, transport, line = found.groups()
    if port and not 1 <= int(port) <= 65535:
        raise _wrong(f"{text!r}: there is no port {port}", "write a number from 1 to 65535")
    number = int(port) if port else None
    ready = Readiness(udp=number) if transport == "udp" else Readiness(tcp=number)
    if not line.strip():
        raise _wrong(f"{text!r} has no command", f"write {name}='COMMAND'")
    command = Command(line, ready)
    host = _known(world, name) or _new(world, name)
    served = replace(host, services=(*host.services, command))
    return replace(world, hosts=(*(each for each in world.hosts if each.key != host.key), served))


def _known(world: World, name: str) -> Host | None:
    """The host of that key or name, or a new one at the vantage of that key."""
    for host in world.hosts:
        if name == host.key or name in host.names:
            return host
    if name in (*(operator.key for operator in world.operators), OUTSIDE):
        return Host(name, at=name)
    return None


def _new(world: World, name: str) -> Host:
    if name in world.left_out:
        vantages = ", ".join((*(operator.key for operator in world.operators), OUTSIDE))
        remedy = f"its vantages are: {vantages}; give a new host another name"
        raise _wrong(f"the scenario does without the operator {name!r}", remedy)
    if name in RESERVED_KEYS:
        raise _wrong(f"{name!r} is a reserved word", "give the new host another name")
    ipv4, ipv6 = _free_addresses(world)
    host = Host(_key(world, name), (name,), (ipv4,), (ipv6,), ASN, COUNTRY)
    for fault in world_faults(replace(world, hosts=(*world.hosts, host))):
        raise _wrong(fault.message, "give the new host a name such as vpn or vpn.example.net")
    return host


def _key(world: World, name: str) -> str:
    """The first label if it can be a key, else the next of served1, served2, …"""
    taken = {*RESERVED_KEYS, *(host.key for host in world.hosts), *(each.key for each in world.operators)}
    candidates = (name.partition(".")[0], *(f"served{number}" for number in range(1, 300)))
    return next(key for key in candidates if KEY.fullmatch(key) and key not in taken)


def _free_addresses(world: World) -> tuple[str, str]:
    taken = set(map(ip_address, _addresses(world)))
    for number in range(1, 255):
        pair = SERVED4[number], SERVED6[number]
        if not taken & set(pair):
            return str(pair[0]), str(pair[1])
    raise _wrong("there are no more addresses for new hosts", "serve several commands on one host")


def _addresses(world: World) -> Iterator[str]:
    for site in world.sites:
        yield from (site.ipv4, site.ipv6)
    owners: Iterable[tuple[tuple[str, ...], tuple[str, ...]]]
    owners = [(each.ipv4, each.ipv6) for each in world.resolvers]
    owners = [*owners, *((each.ipv4, each.ipv6) for each in world.hosts)]
    for ipv4, ipv6 in owners:
        yield from (*ipv4, *ipv6)


def _wrong(message: str, remedy: str) -> InputError:
    return InputError(Problem(_OPTION, message, remedy))
