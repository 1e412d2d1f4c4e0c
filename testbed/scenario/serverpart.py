"""What sites, hosts and a scenario's `sites:` have in common: how a server departs from an ordinary one."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from testbed.model import ORDINARY, Behaviour, ShownCertificate
from testbed.scenario.part import Part
from testbed.scenario.values import as_list, for_hint, given

if TYPE_CHECKING:
    BehaviourField = Behaviour
else:
    BehaviourField = for_hint(Behaviour)


class ServerPart(Part):
    """How a server departs from an ordinary one."""

    certificate: ShownCertificate = "trusted"
    behaviour: BehaviourField = Field(ORDINARY, description="of its web servers")
    https_record: Annotated[list[Literal["h3", "h2"]], BeforeValidator(as_list)] = Field(
        [], description="protocols of its HTTPS record in DNS"
    )


def server_fields(part: ServerPart) -> dict[str, Any]:
    """What was given, as fields of `Site` and `Host`."""
    own = {name: value for name, value in given(part).items() if name in ServerPart.model_fields}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in own.items()}
