"""Through a tunnel device of the tool."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from testbed.censor.units import Form
from testbed.model.clientway import Argv, ClientWay, Step

_TABLE: Final = "51820"  # our choice: no number that Linux has a name for
_FIRST: Final = 9000  # preference of our rules: before the main table's, 32766


@dataclass(frozen=True, slots=True)
class TunnelDevice(ClientWay):
    """All that the subscriber sends goes by the tool's device, except to the tool's own server.

    By rules and a routing table of its own: the subscriber's routes stay as they are. `routes: tool` if the
    tool does this itself.
    """

    key: ClassVar[str] = "tun"

    device: Annotated[str, Form(r"[a-zA-Z][a-zA-Z0-9_.-]{0,14}", "a device", "tun0")]
    routes: Annotated[str, Form("testbed|tool", "who sets the routes", "testbed")] = "testbed"

    @property
    def needs(self) -> tuple[str, ...]:
        """The device."""
        return ("tun",)

    def steps(self, ipv: int, servers: Sequence[str]) -> tuple[Step, ...]:
        """Two rules, one for each server, and the route."""
        if self.routes == "tool":
            return ()
        ip = ("ip", f"-{ipv}")
        route = ("default", "dev", self.device, "table", _TABLE)
        rules: list[Argv] = [("to", server, "lookup", "main") for server in servers]
        # Destinations that the subscriber reaches without its default route: its own link.
        rules += [("lookup", "main", "suppress_prefixlength", "0"), ("lookup", _TABLE)]
        numbered = [("pref", str(_FIRST + number), *rule) for number, rule in enumerate(rules)]
        return (
            Step((*ip, "route", "add", *route), (*ip, "route", "del", *route)),
            *(Step((*ip, "rule", "add", *rule), (*ip, "rule", "del", *rule)) for rule in numbered),
        )
