"""How a client's connections come to a circumvention tool: values, one kind a file in `ways/`. Pure.

A way says by which URL the probe connects, what has to be set up on the subscriber's machine for that, and
what the machine must be able to do. `testbed.run` carries it out, and takes it back afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated, ClassVar

from testbed.censor.units import Between
from testbed.model import ways

Argv = tuple[str, ...]
AnyPort = Annotated[int, Between(1, 65535)]


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the subscriber's machine, and what takes it back; each a program with its arguments."""

    do: Argv
    undo: Argv


@dataclass(frozen=True, slots=True)
class ClientWay:
    """One way. Objects have no other state than their parameters."""

    key: ClassVar[str] = ""  # in a recipe file
    needs_tool: ClassVar[bool] = True  # whether something has to run beside the client

    @property
    def proxy(self) -> str:
        """URL of the proxy that the probe connects through; "" for none."""
        return ""

    @property
    def command(self) -> str:
        """The client, where it is not the probe: a shell command that fetches $TESTBED_TARGET."""
        return ""

    @property
    def container(self) -> str:
        """The image of the container in which that command runs; "" for the subscriber's machine."""
        return ""

    @property
    def limit(self) -> float:
        """Seconds that this client has."""
        return 0.0

    @property
    def needs(self) -> tuple[str, ...]:
        """What the machine must be able to do: names of `testbed.world.abilities`."""
        return ()

    def steps(self, ipv: int, servers: Sequence[str]) -> tuple[Step, ...]:
        """What is set up once the tool serves, for this IP version; `servers`: addresses of the far end."""
        return ()


def iptables(ipv: int, table: str, chain: str, rule: Sequence[str]) -> Step:
    """A rule of the subscriber's firewall, at the end of a chain."""
    program = "iptables-nft" if ipv == 4 else "ip6tables-nft"
    place = (program, "-w", "-t", table)
    return Step((*place, "-A", chain, *rule), (*place, "-D", chain, *rule))


@cache
def ways_known() -> Mapping[str, type[ClientWay]]:
    """Every kind of way by its key in a recipe file; a proxy is known by its URL."""
    found: dict[str, type[ClientWay]] = {}
    for module in iter_modules(ways.__path__):
        content = vars(import_module(f"{ways.__name__}.{module.name}"))
        for kind in content.values():
            if isinstance(kind, type) and issubclass(kind, ClientWay) and kind.key not in ("", "proxy"):
                found[kind.key] = kind
    return found
