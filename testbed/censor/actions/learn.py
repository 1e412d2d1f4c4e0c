"""Put the server on a list, which other rules look at: blocking in two stages, lists learned across flows."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from testbed.censor.actions.base import Action, Context
from testbed.censor.bounded import evicted
from testbed.censor.decision import Decision, Event
from testbed.censor.handover import PASS_ON
from testbed.censor.learned import ListName, ServerPlace
from testbed.censor.units import Between, InOrder, Seconds, Span

_Times = Annotated[tuple[Seconds, Seconds], InOrder()]


@dataclass(frozen=True, slots=True)
class Learn(Action[None]):
    """The flow passes, and its server comes on the list `into` later (ASBI: recognise, log, list, block).

    A rule with `learned:` and the list's name says what then happens, also to flows that are open by then.
    """

    key: ClassVar[str] = "learn"

    into: ListName  # the list's name
    entry: Literal["address-port", "address"] = "address-port"  # ASBI: an IP:port list; N4P#111: all ports
    flows: Annotated[int, Between(1, 1_000_000)] = 1  # that must show it; our choice
    after: _Times = (Seconds(300), Seconds(900))  # drawn for each server; ASBI: 5-15 min
    lasts: Span = Seconds(900)  # from then on, and from each later flow; N4P#111: back after about 15 min

    def on_match(self, ctx: Context[None]) -> Decision:
        """Count the flow; the one that completes the number decides when the list has the server."""
        key = ctx.flow.key
        server = ServerPlace(key.outside, key.outside_port if self.entry == "address-port" else 0)
        entry, full = ctx.flow.lists.see(self.into, server, ctx.now, self.lasts)
        if entry.flows == self.flows:
            least, most = self.after
            entry.begins = ctx.now + least + ctx.draw("learn") * (most - least)
        if entry.flows >= self.flows:
            entry.ends = max(entry.begins, ctx.now) + self.lasts
        events = evicted(key, self.key) if full else ()
        if entry.flows == self.flows:
            detail = {"list": self.into, "entry": self.entry, "begins": entry.begins, "ends": entry.ends}
            events = (*events, Event("learn", "", str(key), detail))
        return Decision(handover=PASS_ON, events=events)

    @property
    def learns(self) -> tuple[str, ...]:
        """The list."""
        return (self.into,)
