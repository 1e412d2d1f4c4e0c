"""Servers that other rules of the box have put on a list."""

from testbed.censor.flow import Flow
from testbed.censor.learned import ListName
from testbed.censor.match.key import HistoryKey
from testbed.censor.packet import Packet


class Learned(HistoryKey[str]):
    """The far host is on a list that a rule with the action `learn` has filled."""

    name = "learned"
    shape = ListName
    written = "the list's name: `vpn`"
    whenever = True

    def holds(self, compiled: str, packet: Packet, flow: Flow, now: float) -> bool:
        """Whether the list has the server now."""
        return flow.lists.has(compiled, flow.key.outside, flow.key.outside_port, now)

    def reads(self, value: str) -> tuple[str, ...]:
        """The list."""
        return (value,)
