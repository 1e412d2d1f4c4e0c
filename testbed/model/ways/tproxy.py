"""Through a transparent proxy by TPROXY: it gets the client's connections with their addresses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from testbed.censor.units import Between
from testbed.model.clientway import AnyPort, ClientWay, Step, iptables

_MARK, _TABLE, _PRIORITY = "0x100000/0x100000", "51821", "9010"  # our choice: numbers that nobody else uses
PacketMark = Annotated[int, Between(0, 0xFFFFFFFF)]


@dataclass(frozen=True, slots=True)
class TransparentlyProxied(ClientWay):
    """The subscriber's TCP connections reach the tool by TPROXY, with their addresses, except its own.

    The tool listens with IP_TRANSPARENT (kernel, Documentation/networking/tproxy.rst). It is known by the
    user or group as which it runs, or by the mark of what it sends (SO_MARK).
    """

    key: ClassVar[str] = "tproxy"

    to: AnyPort  # where the tool listens
    user: str = ""  # as whom it runs: a name or a number
    group: str = ""  # or in which group
    mark: PacketMark = 0  # or what its own packets are marked with
    ports: tuple[AnyPort, ...] = (80, 443)  # of servers

    def __post_init__(self) -> None:
        """ValueError if the tool's own connections would come back to it."""
        if sum(map(bool, (self.user, self.group, self.mark))) != 1:
            raise ValueError("say as which user, in which group, or with which mark the tool sends")

    @property
    def needs(self) -> tuple[str, ...]:
        """TPROXY, and what spares the tool."""
        return ("tproxy",) if self.mark else ("tproxy", "owner", "users")

    def steps(self, ipv: int, servers: Sequence[str]) -> tuple[Step, ...]:
        """A table of routes that leads home, for packets that one rule marks and another hands over."""
        ports = ("-p", "tcp", "-m", "multiport", "--dports", ",".join(map(str, self.ports)))
        if self.mark:
            spared = ("-m", "mark", "!", "--mark", f"{self.mark:#x}/{self.mark:#x}")
        else:
            owner = ("--uid-owner", self.user) if self.user else ("--gid-owner", self.group)
            spared = ("-m", "owner", "!", *owner)
        ip = ("ip", f"-{ipv}")
        way = ("local", "default", "dev", "lo", "table", _TABLE)
        led = ("pref", _PRIORITY, "fwmark", _MARK, "lookup", _TABLE)
        taken = ("-i", "lo", *ports, "-m", "mark", "--mark", _MARK)
        over = ("-j", "TPROXY", "--on-port", str(self.to), "--tproxy-mark", _MARK)
        return (
            Step((*ip, "route", "add", *way), (*ip, "route", "del", *way)),
            Step((*ip, "rule", "add", *led), (*ip, "rule", "del", *led)),
            iptables(ipv, "mangle", "PREROUTING", (*taken, *over)),
            iptables(ipv, "mangle", "OUTPUT", (*ports, *spared, "-j", "MARK", "--set-xmark", _MARK)),
        )
