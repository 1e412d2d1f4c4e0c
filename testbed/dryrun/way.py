"""The way of packets through censors: each as it would be carried out, in the order of hops.

What a subscriber sends meets the censors first to last, what comes from outside in reverse. A censor is its
core and a soft kernel. Every act on a packet is noted with its rule.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from random import Random
from typing import Final, NamedTuple

from testbed.censor.core import Censor
from testbed.censor.decision import Direction, Injection, Verdict
from testbed.censor.packet import ICMP, ICMP6, Packet, parse
from testbed.censor.softkernel import Outcome, SoftKernel
from testbed.censor.wire import IpForm, icmp_time_exceeded
from testbed.dryrun.agenda import Agenda
from testbed.model import LinkQuality, Placement

ONE_WAY: Final = 0.0002  # seconds: links of the world have no delay of their own; measured, 0.1-0.4 ms
WAKES: Final = 0.001  # seconds until a program that waits for a packet runs; longer than a way. Our choice

_Deliver = Callable[[bytes], None]
Distance = Callable[[bytes], int]
"""How many hops an address is from the client; its first router is 1."""

read: Final = lru_cache(512)(parse)
"""A packet's headers, for those who change nothing in them: its receiver, and who looks at what passed."""


@dataclass(frozen=True, slots=True)
class DryAct:
    """What a rule did to one packet."""

    rule: str  # "mts/tspu/social-reset"
    direction: Direction  # of the packet, as the censor sees it
    what: str  # drop, replace, inject, delay; police: dropped beyond a rate
    at: float  # seconds


class WayPacket(NamedTuple):
    """A packet at the client's interface."""

    at: float  # seconds
    raw: bytes  # from its IP header
    up: bool  # the client sent it


class Station:
    """One censor on the way."""

    def __init__(self, place: Placement, seed: int, scale: float, *, inwards: bool) -> None:
        """`inwards`: it guards the server's end of the way, and what goes to the server comes down to it."""
        self.name, self.place, self.policy = place.name, place, place.policy
        policy = place.policy
        self.core = Censor(policy, seed, time_scale=scale)
        self.kernel = SoftKernel(self.core, policy, time_scale=scale)
        self.scale = scale
        self.inwards = inwards

    def direction(self, *, to_server: bool) -> Direction:
        """As this censor sees a packet on its way to the server, or back."""
        return Direction.UP if to_server is not self.inwards else Direction.DOWN

    def rule(self, index: int) -> str:
        """The name of a rule, "mts/tspu/social-reset"."""
        return f"{self.name}/{self.policy.rules[index].name}"


class DryLink:
    """What a link of the world does to packets of each direction; see `LinkQuality`."""

    def __init__(self, quality: LinkQuality, seed: int, before: Collection[bytes] = ()) -> None:
        """`before`: addresses on the client's side of the link, whose packets do not cross it."""
        self._quality, self._chance, self._before = quality, Random(seed) if quality.loss else None, before
        self._busy_until = {True: 0.0, False: 0.0}

    @property
    def acts(self) -> bool:
        """Whether it does anything to packets."""
        return self._quality.delayed or bool(self._quality.rate)

    @property
    def draws(self) -> bool:
        """Whether it leaves anything to chance."""
        return bool(self._quality.loss)

    def passes(self, raw: bytes, now: float, *, to_server: bool) -> float | None:
        """Seconds that a packet takes; None if it is lost."""
        given, size = self._quality, len(raw)
        if self._before and (_far_end(raw, to_server=to_server) in self._before):
            return 0.0
        if raw[0] >> 4 in given.dead:
            return None
        if self._chance is not None and self._chance.random() < given.loss:
            return None
        if not given.rate:
            return given.delay
        begins = max(now, self._busy_until[to_server])
        self._busy_until[to_server] = begins + 8 * size / given.rate
        return self._busy_until[to_server] - now + given.delay


class Way:
    """A client, a server's side, and the censors between them, the client's nearest first."""

    def __init__(
        self, agenda: Agenda, stations: Sequence[Station], links: Sequence[DryLink], distance: Distance
    ) -> None:
        """`links`: those that do anything to packets, wherever they are."""
        self.agenda, self.stations, self._links = agenda, list(stations), list(links)
        self._distance = distance
        self.acts: list[DryAct] = []
        self.to_client: _Deliver = _nowhere
        self.to_server: _Deliver = _nowhere
        self.seen: list[WayPacket] | None = None  # a list: what passes the client is noted there

    def up(self, raw: bytes) -> None:
        """A packet that the client sends."""
        if self.seen is not None:
            self.seen.append(WayPacket(self.agenda.now, raw, up=True))
        self._enter(raw, 0, to_server=True)

    def down(self, raw: bytes) -> None:
        """A packet that a server sends."""
        self._enter(raw, len(self.stations) - 1, to_server=False)

    def _enter(self, raw: bytes, place: int, *, to_server: bool) -> None:
        """The links first: what they do has no order with what the censors do. Our choice."""
        late, now = 0.0, self.agenda.now
        for link in self._links:
            took = link.passes(raw, now + late, to_server=to_server)
            if took is None:
                return
            late += took
        if not self.stations:  # the same in one step
            deliver = self.to_server if to_server else self._arrive
            self.agenda.at(now + late + ONE_WAY, partial(deliver, raw))
        elif late:
            self.agenda.after(late, partial(self._carry, raw, place, to_server=to_server))
        else:
            self._carry(raw, place, to_server=to_server)

    def _carry(self, raw: bytes, place: int, *, to_server: bool) -> None:
        """From the censor number `place` onwards."""
        step = 1 if to_server else -1
        while 0 <= place < len(self.stations):
            station = self.stations[place]
            direction, now = station.direction(to_server=to_server), self.agenda.now * station.scale
            outcome = station.kernel.process(raw, direction, now)
            decision = outcome.decision
            if decision.rule is not None:
                self._note(station, decision.rule, direction, _acts(outcome))
            for injection in decision.inject:
                self._inject(injection, place)
            if decision.verdict is Verdict.DROP:
                return
            if decision.verdict is Verdict.REPLACE:
                assert decision.packet is not None
                raw = decision.packet
            place += step
            if decision.release_at is not None:
                later = partial(self._carry, raw, place, to_server=to_server)
                self.agenda.at(decision.release_at / station.scale, later)
                return
        deliver = self.to_server if to_server else self._arrive
        self.agenda.after(ONE_WAY, partial(deliver, raw))

    def _arrive(self, raw: bytes) -> None:
        if self.seen is not None:
            self.seen.append(WayPacket(self.agenda.now, raw, up=False))
        self.to_client(raw)

    def _inject(self, injection: Injection, place: int) -> None:
        """A packet that a censor makes: no other censor of the same hop sees it."""
        here = self.stations[place].place
        to_server = (injection.toward is Direction.UP) is not self.stations[place].inwards
        step, at = (1 if to_server else -1), place
        while 0 <= at < len(self.stations) and (
            (there := self.stations[at].place).operator == here.operator and there.hop == here.hop
        ):
            at += step
        packet = parse(injection.packet)
        if packet is None or self._outlives(packet, place, to_server=to_server):
            self._carry(injection.packet, at, to_server=to_server)

    def _outlives(self, packet: Packet, place: int, *, to_server: bool) -> bool:
        """Whether a packet made at a censor gets to its end. If not, its seeming sender gets an ICMP error.

        A server is not: it has a connection, and ignores it.
        """
        end = self._distance(packet.destination if to_server else packet.source)
        hop = self._hop(self.stations[place], end)
        if packet.hop_limit >= (end - hop if to_server else hop):
            return True
        if to_server and packet.protocol not in (ICMP, ICMP6):  # RFC 1122 §3.2.2
            dies = hop + packet.hop_limit
            near = [one for one in self.stations if self._hop(one, end) < dies]
            # Whose address the router has is nothing to a client: the destination's, as a box borrows it.
            said = icmp_time_exceeded(packet, packet.destination, IpForm())
            self._carry(said, len(near) - 1, to_server=False)
        return False

    def _hop(self, station: Station, end: int) -> int:
        """Where a censor is, counted from the client, if the server is at `end`."""
        return end - station.place.hop if station.inwards else station.place.hop

    def _note(self, station: Station, index: int, direction: Direction, what: Sequence[str]) -> None:
        self.acts += [DryAct(station.rule(index), direction, one, self.agenda.now) for one in what]


def _far_end(raw: bytes, *, to_server: bool) -> bytes:
    """The address of a packet that is not the client's."""
    if raw[0] >> 4 == 4:
        return raw[16:20] if to_server else raw[12:16]
    return raw[24:40] if to_server else raw[8:24]


def _acts(outcome: Outcome) -> list[str]:
    decision = outcome.decision
    done = {Verdict.DROP: ["drop"], Verdict.REPLACE: ["replace"]}.get(decision.verdict, [])
    if outcome.by == "police":
        done = ["police"]
    done += ["inject"] * any(not one.released for one in decision.inject)
    return done + ["delay"] * (decision.release_at is not None)


def _nowhere(_: bytes) -> None:
    raise AssertionError("the way leads nowhere yet")
