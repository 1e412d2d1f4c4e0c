"""Through a tool that takes the client's packets from an NFQUEUE of its own and sends others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from testbed.censor.units import Between
from testbed.model.clientway import AnyPort, ClientWay, Step, iptables

_ANY_MARK = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Queued(ClientWay):
    """The first packets of the subscriber's connections go to the tool's queue, instead of out.

    What the tool sends itself carries a mark and is spared. Without the tool nothing gets out: a tool that
    has ended is no way through.
    """

    key: ClassVar[str] = "queue"

    number: Annotated[int, Between(0, 65535)]
    ports: tuple[AnyPort, ...] = (80, 443)  # of servers
    first: Annotated[int, Between(1, 1000)] = 8  # so many of the client's packets in each connection
    answers: Annotated[int, Between(0, 1000)] = 0  # and of the server's
    udp: bool = False  # datagrams, too
    mark: Annotated[int, Between(1, _ANY_MARK)] = 0x40000000  # that of zapret's programs

    @property
    def needs(self) -> tuple[str, ...]:
        """The queue, and counting packets of connections."""
        return ("queue", "connbytes")

    def steps(self, ipv: int, servers: Sequence[str]) -> tuple[Step, ...]:
        """Rules of the table mangle, for each transport and direction."""
        found = []
        for transport in ("tcp", "udp") if self.udp else ("tcp",):
            found.append(self._rule(ipv, transport, "POSTROUTING", "--dports", "original", self.first))
            if self.answers:
                found.append(self._rule(ipv, transport, "PREROUTING", "--sports", "reply", self.answers))
        return tuple(found)

    def _rule(self, ipv: int, transport: str, chain: str, side: str, direction: str, most: int) -> Step:
        mark = f"{self.mark:#x}/{self.mark:#x}"
        match = ("-p", transport, "-m", "multiport", side, ",".join(map(str, self.ports)))
        early = ("-m", "connbytes", "--connbytes", f"1:{most}", "--connbytes-dir", direction)
        packets = ("--connbytes-mode", "packets", "-m", "mark", "!", "--mark", mark)
        target = ("-j", "NFQUEUE", "--queue-num", str(self.number))
        return iptables(ipv, "mangle", chain, (*match, *early, *packets, *target))
