"""The shape of `circumvention:` in a scenario file, and of a recipe file.

circumvention:
  - name: another-resolver
    recipe: {resolver: udp://9.9.9.9}        # or the name of a file in recipes/
    phase: everywhere
    vantage: ertelecom
    target: https://www.linkedin.com/
  - {name: openvpn, recipe: openvpn, vantage: mts, target: "https://twitter.com/", fails_by: vpn-data}
"""

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, create_model
from pydantic_core import CoreSchema

from testbed.measurement.passage import PROXY_FORMS, RESOLVER_FORMS
from testbed.model.clientway import ClientWay, ways_known
from testbed.scenario.addresses import Address4, Address6, Asn
from testbed.scenario.part import Part
from testbed.scenario.values import Key, OneOrMore, Text, parameters_of


class PassagePart(Part):
    """How a client goes, where it does not go directly."""

    resolver: str = Field("", description=f"whom it asks for names: {RESOLVER_FORMS}")
    proxy: str = Field("", description=f"through which it connects: {PROXY_FORMS}")
    server_name: str = Field("", description="what its ClientHello says instead of the target's name")
    hello: Literal["", "padded"] = Field("", description="padded: longer than a segment")
    quic: Literal["", "decoy", "draft-29"] = Field(
        "", description="decoy: another datagram before the first Initial; draft-29: that version of QUIC"
    )


class _ServicesSchema:
    """The schema of services, whose models are slow to build: only when it is asked for."""

    @staticmethod
    def __get_pydantic_json_schema__(_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        from pydantic import TypeAdapter

        from testbed.scenario.serviceparts import ServicePart

        return handler(TypeAdapter(list[ServicePart]).core_schema)


Services = Annotated[list[Any], _ServicesSchema]


Variable = Annotated[str, Field(pattern="^[A-Z][A-Z0-9_]{0,30}$")]
Choices = Annotated[list[str], Field(min_length=1, max_length=1000)]


class _StartPart(PassagePart):
    """How a tool is started and used."""

    title: str = ""
    client: Services = Field([], description="services beside the client, as those of hosts")
    server: Services = Field([], description="services on a server, started before the client's")
    programs: OneOrMore = Field([], description="that must be installed")
    modules: OneOrMore = Field([], description="of $TESTBED_PYTHON, that must be installed: selenium")
    devices: OneOrMore = Field([], description="files that must be there: /dev/net/tun")
    needs: OneOrMore = Field([], description="what the machine must be able to do: names of `testbed doctor`")
    changes_user: bool = Field(default=False, description="its programs become another user or group")
    together: bool = Field(default=True, description="one server may have several clients at once")
    grid: dict[Variable, Choices] = Field(
        {}, description="options: each a variable of the commands, with the values that it may have"
    )
    strategy: str = Field("", description="what it does to packets, as testbed.evade writes it: $CUT $DECOY")


def _parameters(kind: type[ClientWay], written: object) -> object:
    """A single value is the first parameter."""
    if written is None:
        return {}
    return written if isinstance(written, dict) else {dataclasses.fields(kind)[0].name: written}


def _way_field(kind: type[ClientWay]) -> Any:
    said = Field(None, description=(kind.__doc__ or "").strip())
    model = parameters_of(kind) | None
    short = BeforeValidator(partial(_parameters, kind), json_schema_input_type=model | str | int)
    return Annotated[model, short], said


if TYPE_CHECKING:
    RecipePart = _StartPart
else:  # the ways of clients are found, one file each
    RecipePart = create_model(
        "RecipePart",
        __base__=_StartPart,
        __doc__=_StartPart.__doc__,
        **{key: _way_field(kind) for key, kind in ways_known().items()},
    )


class SpotPart(Part):
    """Where a recipe's server is."""

    ipv4: Address4
    ipv6: Address6
    asn: Asn = 24940
    country: str = "FI"


class ComparedPart(PassagePart):
    """The way that a tool is compared with."""

    target: str = Field("", description="its target, if it is another one")


class WayPart(Part):
    """One circumvention, for every combination of the listed phases, vantages and targets."""

    name: Key
    recipe: str | dict[str, Any] = Field(description="a file in recipes/, or the same keys here")
    phase: OneOrMore = Field(["all"], description="phases; default: all")
    vantage: OneOrMore = Field(["all"], description="operators; default: all")
    target: OneOrMore = Field(description="https://, http://, h3://")
    fails_by: str = Field("", description="the rule by which it must fail; default: it must get through")
    direct: Literal["blocked", "ok"] = Field("blocked", description="what the direct way must be there")
    instead_of: ComparedPart | None = Field(None, description="what it is compared with; default: directly")
    server: Literal["abroad", "domestic"] | SpotPart = Field("abroad", description="where its server is")
    notes: Text | None = None
