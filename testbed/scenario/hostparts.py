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

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError

from testbed.model import Host
from testbed.scenario.addresses import Address4, Address6, Asn
from testbed.scenario.document import Document
from testbed.scenario.problems import Problems, explain
from testbed.scenario.serverpart import ServerPart, server_fields
from testbed.scenario.serviceparts import ServicePart, service_of
from testbed.scenario.values import Text, as_list


class HostPart(ServerPart):
    """A machine with services. Without `at` it is abroad and has addresses of its own."""

    at: str = Field("", description="the operator whose subscriber runs the services, or outside")
    names: Annotated[list[Text], BeforeValidator(as_list)] = Field([], description="in the world's DNS")
    ipv4: Annotated[list[Address4], BeforeValidator(as_list)] = Field([], description="the main one first")
    ipv6: Annotated[list[Address6], BeforeValidator(as_list)] = Field([], description="the main one first")
    asn: Asn | None = None
    country: str = "US"
    zones: Annotated[list[Text], BeforeValidator(as_list)] = Field(
        [], description="zones of the world's DNS that are delegated to it"
    )
    services: Annotated[list[ServicePart], Field(min_length=1)]


def hosts_of(given: Mapping[str, object], document: Document, problems: Problems) -> tuple[Host, ...]:
    """The hosts of a file; notes what cannot be read. One with such a problem is not among them."""
    made = []
    for key, value in given.items():
        try:
            part = HostPart.model_validate(value)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                problems.add(document, ("hosts", key, *detail["loc"]), *explain(detail, HostPart))
        else:
            host = _host(key, part, document, problems)
            made += [host] if host else []
    return tuple(made)


VantageServices = Annotated[list[ServicePart], Field(min_length=1)]


def at_vantages(given: Mapping[str, object], document: Document, problems: Problems) -> tuple[Host, ...]:
    """What `vantages:` has run at subscribers: a host for each, whose services start in their order."""
    model: TypeAdapter[list[BaseModel]] = TypeAdapter(VantageServices)
    made = []
    for vantage, value in given.items():
        loc = ("vantages", vantage)
        try:
            parts = model.validate_python(value)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                problems.add(document, (*loc, *detail["loc"]), *explain(detail, HostPart))
            continue
        services = [service_of(part, document, (*loc, index), problems) for index, part in enumerate(parts)]
        known = tuple(service for service in services if service is not None)
        if len(known) == len(services):
            made.append(Host(f"beside-{vantage}", at=vantage, services=known, in_order=True))
    return tuple(made)


def _host(key: str, part: HostPart, document: Document, problems: Problems) -> Host | None:
    services = [
        service_of(each, document, ("hosts", key, "services", index), problems)
        for index, each in enumerate(part.services)
    ]
    known = tuple(service for service in services if service is not None)
    if len(known) < len(services):
        return None
    return Host(
        key,
        tuple(part.names),
        tuple(map(str, part.ipv4)),
        tuple(map(str, part.ipv6)),
        part.asn or 0,
        part.country,
        at=part.at,
        services=known,
        zones=tuple(part.zones),
        **server_fields(part),
    )
