"""What sites, hosts and a scenario's `sites:` have in common: how a server departs from an ordinary one."""

from base64 import b64decode
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from testbed.model import ORDINARY, Behaviour, DnsAnswers, ShownCertificate
from testbed.scenario.addresses import Address4, Address6
from testbed.scenario.part import Part
from testbed.scenario.problems import fault, shown
from testbed.scenario.values import as_list, for_hint, given

if TYPE_CHECKING:
    BehaviourField = Behaviour
else:
    BehaviourField = for_hint(Behaviour)


def _check_ech(value: object) -> object:
    """An ECHConfigList begins with its length and has one configuration or more (RFC 9849, section 4)."""
    if not isinstance(value, str):
        return value
    try:
        decoded = b64decode(value, validate=True)
    except ValueError:
        decoded = b""
    if len(decoded) < 6 or int.from_bytes(decoded[:2], "big") != len(decoded) - 2:
        raise fault(f"{shown(value)} is no ECHConfigList", "write that of your server's key, in base64")
    return value


class ServerPart(Part):
    """How a server departs from an ordinary one."""

    certificate: ShownCertificate = "trusted"
    behaviour: BehaviourField = Field(ORDINARY, description="of its web servers")
    https_record: Annotated[list[Literal["h3", "h2"]], BeforeValidator(as_list)] = Field(
        [], description="protocols of its HTTPS record in DNS"
    )
    ech: Annotated[str, BeforeValidator(_check_ech)] = Field(
        "", description="ECHConfigList in its HTTPS record, in base64"
    )


class SiteChangePart(ServerPart):
    """The same of a site, with what DNS says of it."""

    in_dns: bool = Field(default=True, description="false: its names do not exist, for anybody")
    edges: Annotated[list[Address4 | Address6], BeforeValidator(as_list)] = Field(
        [], description="further addresses where the same is served"
    )
    answers: DnsAnswers = Field("all", description="which of its addresses resolvers give")


def server_fields(part: ServerPart) -> dict[str, Any]:
    """What was given, as fields of `Site` and `Host`."""
    own = {name: value for name, value in given(part).items() if name in SiteChangePart.model_fields}
    if "edges" in own:
        own["edges"] = [str(address) for address in own["edges"]]
    return {name: tuple(value) if isinstance(value, list) else value for name, value in own.items()}
