"""`hosts:` of world and scenario files: servers abroad, and programs at a subscriber's.

hosts:
vpn:                            # a server abroad, in a namespace of its own
names: vpn.example.net
ipv4: 95.216.1.10
ipv6: "2a01:4f9:0:1::10"
asn: 24940
services:
- echo
- command: {run: openssl s_server -port 4433 …, ready: {tcp: 4433}}
helper:
at: mts                       # in the namespace of that operator's subscriber
services: [command: ./proxy]
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError

from testbed.internet.services import Service
from testbed.internet.services.command import Command
from testbed.model import FIXED, OUTSIDE, Host, World
from testbed.scenario.addresses import Address4, Address6, Asn
from testbed.scenario.document import Document
from testbed.scenario.hostfield import HOST_KEY, HOST_NAME, RESERVED_KEYS
from testbed.scenario.part import Part
from testbed.scenario.problems import Loc, Problems, explain, nearest
from testbed.scenario.serviceparts import ServicePart, service_of
from testbed.scenario.values import Text, as_list


class HostPart(Part):
    """A machine with services. Without `at` it is abroad and has addresses of its own."""

    at: str = Field("", description="the operator whose subscriber runs the services, or outside")
    names: Annotated[list[Text], BeforeValidator(as_list)] = Field([], description="in the world's DNS")
    ipv4: Annotated[list[Address4], BeforeValidator(as_list)] = Field([], description="the main one first")
    ipv6: Annotated[list[Address6], BeforeValidator(as_list)] = Field([], description="the main one first")
    asn: Asn | None = None
    country: str = "US"
    certificate: Literal["trusted", "self-signed"] = "trusted"
    services: Annotated[list[ServicePart], Field(min_length=1)]


def hosts_of(
    given: Mapping[str, object], document: Document, world: World, problems: Problems
) -> tuple[Host, ...]:
    """The hosts of a file, added to those of `world`: checked against it, and problems noted."""
    taken = _Taken(world)
    made = []
    for key, value in given.items():
        try:
            part = HostPart.model_validate(value)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                problems.add(document, ("hosts", key, *detail["loc"]), *explain(detail, HostPart))
        else:
            made.append(_host(key, part, document, world, taken, problems))
    return (*world.hosts, *made)


class _Taken:
    """Addresses and names that are already taken."""

    def __init__(self, world: World) -> None:
        self.addresses = {text: f"every world's {node}" for node, pair in FIXED.items() for text in pair}
        self.names: dict[str, str] = {}
        self.keys = {host.key: f"the host {host.key!r} of the world" for host in world.hosts}
        self.keys |= {operator.key: f"the operator {operator.key!r}" for operator in world.operators}
        owners: list[tuple[str, tuple[str, ...], tuple[str, ...]]]
        owners = [(site.name, site.names, (site.ipv4, site.ipv6)) for site in world.sites]
        owners += [(each.name, (each.name,), (*each.ipv4, *each.ipv6)) for each in world.resolvers]
        owners += [(f"host {each.key}", each.names, (*each.ipv4, *each.ipv6)) for each in world.hosts]
        for owner, names, addresses in owners:
            self.names |= dict.fromkeys(names, owner)
            self.addresses |= dict.fromkeys(map(str, map(ip_address, addresses)), owner)


def _host(
    key: str, part: HostPart, document: Document, world: World, taken: _Taken, problems: Problems
) -> Host:
    loc: Loc = ("hosts", key)

    def wrong(path: Iterable[str | int], message: str, remedy: str = "") -> None:
        problems.add(document, (*loc, *path), message, remedy)

    for path, message, remedy in (
        *_key_faults(key, taken),
        *(_place_faults(part, world) if part.at else _address_faults(part, world, taken)),
        *_name_faults(part, taken),
    ):
        wrong(path, message, remedy)
    services = [
        service_of(each, document, (*loc, "services", index), problems)
        for index, each in enumerate(part.services)
    ]
    for path, message, remedy in _port_faults(services):
        wrong(path, message, remedy)
    host = Host(
        key,
        tuple(part.names),
        tuple(map(str, part.ipv4)),
        tuple(map(str, part.ipv6)),
        part.asn or 0,
        part.country,
        part.certificate,
        part.at,
        tuple(service for service in services if service is not None),
    )
    taken.keys[key] = f"the host {key!r}"
    taken.names |= dict.fromkeys(host.names, f"host {key}")
    taken.addresses |= dict.fromkeys((*host.ipv4, *host.ipv6), f"host {key}")
    return host


_Fault = tuple[tuple[str | int, ...], str, str]  # path inside the host, message, remedy


def _key_faults(key: str, taken: _Taken) -> Iterator[_Fault]:
    if key in RESERVED_KEYS:
        yield (), f"{key!r} is a reserved word", "choose another key"
    elif not HOST_KEY.fullmatch(key):
        yield (), f"{key!r} cannot be a host's key", "use at most 15 of a-z, 0-9 and -, a letter first"
    elif key in taken.keys:
        yield (), f"{key!r} is {taken.keys[key]} already", "choose another key"


def _place_faults(part: HostPart, world: World) -> Iterator[_Fault]:
    vantages = [*(operator.key for operator in world.operators), OUTSIDE]
    if part.at not in vantages:
        yield ("at",), f"unknown vantage {part.at!r}", nearest(part.at, vantages)
    for field in ("ipv4", "ipv6", "asn"):
        if field in part.model_fields_set:
            yield (field,), f"a host at {part.at!r} has the addresses of its subscriber", f"remove {field!r}"


def _address_faults(part: HostPart, world: World, taken: _Taken) -> Iterator[_Fault]:
    for field in ("ipv4", "ipv6", "asn"):
        if not getattr(part, field):
            remedy = f"add it: '{field}: …', or 'at: OPERATOR' for a host at a subscriber"
            yield (), f"the key {field!r} is missing", remedy
    for field, addresses in (("ipv4", part.ipv4), ("ipv6", part.ipv6)):
        for index, address in enumerate(addresses):
            if str(address) in taken.addresses or address in addresses[:index]:
                owner = taken.addresses.get(str(address), "this host")
                yield (field, index), f"the address {address} belongs to {owner} already", "give it another"
            for operator in world.operators:
                for prefix in (operator.prefix4, operator.prefix6):
                    if address in prefix:
                        message = f"the address {address} lies inside {prefix} of operator {operator.key!r}"
                        yield (field, index), message, "hosts abroad are outside the operators' networks"


def _name_faults(part: HostPart, taken: _Taken) -> Iterator[_Fault]:
    for index, name in enumerate(part.names):
        if name in taken.names:
            yield (
                ("names", index),
                f"the name {name!r} belongs to {taken.names[name]} already",
                "choose another",
            )
        elif name in part.names[:index]:
            yield ("names", index), f"the name {name!r} is there twice", "remove one"
        if not HOST_NAME.fullmatch(name):
            remedy = "write it in lower case, without a dot at the end"
            yield ("names", index), f"{name!r} is not a host name", remedy


def _port_faults(services: Iterable[Service | None]) -> Iterator[_Fault]:
    """Two services on one port, and a readiness that another service would show."""
    owners: dict[tuple[str, int], str] = {}
    for index, service in enumerate(services):
        for listener in service.ports() if service else ():
            if listener in owners:
                message = f"{owners[listener]!r} listens on {listener[0].upper()} port {listener[1]} already"
                yield ("services", index), message, "give one of them another port"
            owners.setdefault(listener, service.key if service else "")
    for index, service in enumerate(services):
        if isinstance(service, Command):
            for listener in (("tcp", service.ready.tcp or 0), ("udp", service.ready.udp or 0)):
                if listener in owners:
                    where = f"{listener[0].upper()} port {listener[1]}"
                    message = f"its readiness cannot be seen: {owners[listener]!r} listens on {where}"
                    yield ("services", index), message, "let the command listen on another port"
