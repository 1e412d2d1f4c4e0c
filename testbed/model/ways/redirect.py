"""Through a transparent proxy at the subscriber: the kernel turns the client's connections round."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from testbed.model.clientway import AnyPort, ClientWay, Step, iptables


@dataclass(frozen=True, slots=True)
class Redirected(ClientWay):
    """The subscriber's TCP connections are redirected to the tool's port, except those of the tool itself.

    The tool is known by its owner (iptables-extensions(8), REDIRECT and owner): it runs as another user, or
    in another group.
    """

    key: ClassVar[str] = "redirect"

    to: AnyPort  # where the tool listens
    user: str = ""  # as whom it runs: a name or a number
    group: str = ""  # or in which group
    ports: tuple[AnyPort, ...] = (80, 443)  # of servers

    def __post_init__(self) -> None:
        """ValueError if the tool's own connections would come back to it."""
        if bool(self.user) is bool(self.group):
            raise ValueError("say as which user, or in which group, the tool runs: to spare its connections")

    @property
    def needs(self) -> tuple[str, ...]:
        """Redirection, the match, and somebody else to be."""
        return ("redirect", "owner", "users")

    def steps(self, ipv: int, servers: Sequence[str]) -> tuple[Step, ...]:
        """One rule of the table nat."""
        ports = ",".join(map(str, self.ports))
        owner = ("--uid-owner", self.user) if self.user else ("--gid-owner", self.group)
        match = ("-p", "tcp", "-m", "multiport", "--dports", ports, "-m", "owner", "!", *owner)
        return (iptables(ipv, "nat", "OUTPUT", (*match, "-j", "REDIRECT", "--to-ports", str(self.to))),)
