"""Steps that measure a rate: paced or window-driven senders between the two ends."""

from dataclasses import dataclass, field

from testbed.conformance.backend import Who
from testbed.conformance.exchange import Exchange, Header, observe
from testbed.conformance.packets import with_ttl
from testbed.conformance.steps import StepResult

_PAYLOAD = 1400  # bytes of data per packet
_TICK = 0.05  # s between a paced sender's bursts
_TIME_OUT = 0.2  # s; Linux's minimum RTO
_DUPLICATES = 3  # acknowledgements that trigger fast retransmit (RFC 5681 §3.2)
_OTHER: dict[Who, Who] = {"L": "R", "R": "L"}


@dataclass(slots=True)
class _Direction:
    """One direction's packets, retransmitted until they have arrived."""

    who: Who
    size: int = _PAYLOAD
    waiting: dict[bytes, bytes] = field(default_factory=dict)  # as it must arrive -> as it is sent
    arrived: int = 0
    sent: int = 0

    def fill(self, exchange: Exchange, octets: int) -> None:
        for _ in range(-(-octets // self.size)):
            packet = exchange.packet(self.who, bytes(self.size), "PA", Header())
            self.waiting[with_ttl(packet, packet[8] - exchange.backend.routers)] = packet

    def offer(self, exchange: Exchange, count: int) -> int:
        """Send the first `count` packets that have not arrived; return how many now did."""
        chosen = list(self.waiting.values())[:count]
        if not chosen:
            return 0
        self.sent += len(chosen)
        wire = exchange.backend.send(self.who, chosen)
        arrived = [raw for raw in wire.at[_OTHER[self.who]] if self.waiting.pop(raw, None) is not None]
        self.arrived += len(arrived)
        return len(arrived)


@dataclass(frozen=True, slots=True)
class Transfer:
    """`octets` of data one way or both, offered at a steady rate; lost packets are retransmitted.

    `seconds`: how long it may take (least, most); `lossless`: whether a lost packet is a failure.
    """

    ways: tuple[Who, ...]
    octets: int
    offered: float  # bytes of data per second
    seconds: tuple[float, float]
    lossless: bool = False
    packet: int = _PAYLOAD  # bytes of data in each

    def run(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`."""
        return self._compared(exchange, self.seconds, lossless=self.lossless)

    def run_twin(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`: at the offered rate, without loss."""
        due = self.octets / self.offered
        return self._compared(exchange, (0.5 * due, 1.5 * due + 0.5), lossless=True)

    def _compared(self, exchange: Exchange, seconds: tuple[float, float], *, lossless: bool) -> StepResult:
        streams = [_Direction(who, self.packet) for who in self.ways]
        for stream in streams:
            stream.fill(exchange, self.octets)
        began = exchange.backend.clock()
        ends: dict[Who, float] = {}
        limit = 3 * seconds[1]
        for tick in range(1, 1_000_000):
            elapsed = exchange.backend.clock() - began
            for stream in streams:
                owed = int(self.offered * elapsed / self.packet) + 1 - stream.sent
                if stream.waiting and owed > 0:
                    stream.offer(exchange, owed)
                if not stream.waiting:
                    ends.setdefault(stream.who, exchange.backend.clock() - began)
            if len(ends) == len(streams) or elapsed > limit:
                break
            exchange.backend.pause(max(0.0, tick * _TICK - (exchange.backend.clock() - began)))
        held, parts = True, []
        for stream in streams:
            took = ends.get(stream.who)
            lost = stream.sent - stream.arrived
            way = "download" if stream.who == "R" else "upload"
            if took is None:
                held = False
                parts.append(f"{way} of {self.octets / 1000:.0f} KB not done after {limit:.0f} s")
                continue
            held &= seconds[0] <= took <= seconds[1] and (lost == 0) >= lossless
            rate = self.octets * 8 / took / 1000
            parts.append(
                f"{way} of {self.octets / 1000:.0f} KB took {took:.1f} s ({rate:.0f} kbit/s of data), "
                f"{lost} of {stream.sent} packets lost"
            )
        text = "; ".join(parts)
        return StepResult(held, text if held else f"{text} (expected: {seconds[0]:g} to {seconds[1]:g} s)")


@dataclass(frozen=True, slots=True)
class Window:
    """A download by a sender that halves its window on loss.

    Otherwise the window doubles (before the first loss) or grows by one packet per round trip.

    `rate`: bytes of data per second that must result (least, most).
    """

    octets: int
    round_trip: float  # s
    rate: tuple[float, float]
    most: int = 256  # packets in flight

    def run(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`."""
        return self._compared(exchange, self.rate, lossless=False)

    def run_twin(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`: nothing lost."""
        return self._compared(exchange, (1.0, float("inf")), lossless=True)

    def _compared(self, exchange: Exchange, rate: tuple[float, float], *, lossless: bool) -> StepResult:
        stream = _Direction("R")
        stream.fill(exchange, self.octets)
        began, window, doubling, idle = exchange.backend.clock(), 10.0, True, 0
        while stream.waiting and idle < 10:
            flight = min(int(window), len(stream.waiting))
            came = stream.offer(exchange, flight)
            doubling &= came == flight
            timed_out = came < flight and came < _DUPLICATES
            window = (2 * window if doubling else window + 1) if came == flight else window / 2
            window = 1.0 if timed_out else min(max(window, 1.0), self.most)
            idle = 0 if came else idle + 1
            exchange.backend.pause(_TIME_OUT * 2 ** min(idle, 6) if timed_out else self.round_trip)
        took = exchange.backend.clock() - began
        reached = stream.arrived * _PAYLOAD / took
        lost = (stream.sent - stream.arrived) / stream.sent
        text = f"download at {self.round_trip * 1000:g} ms RTT: {reached / 1000:.0f} KB/s, "
        text += f"{lost:.1%} of packets lost"
        held = not stream.waiting and rate[0] <= reached <= rate[1] and (not lost or not lossless)
        limits = f" (expected: {rate[0] / 1000:g} to {rate[1] / 1000:g} KB/s)"
        return StepResult(held, text if held else text + limits)


@dataclass(frozen=True, slots=True)
class Later:
    """One packet that arrives as it was sent, after this much real time and not before half of it."""

    who: Who
    payload: bytes
    seconds: float

    def run(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`."""
        packet = exchange.packet(self.who, self.payload, "PA", Header())
        at_once = observe(exchange, self.who, packet)
        exchange.backend.pause(self.seconds / 2)
        early = self._arrived(exchange)
        exchange.backend.pause(self.seconds)
        arrived = self._arrived(exchange)
        due = with_ttl(packet, packet[8] - exchange.backend.routers)
        held = at_once.silent and not early and arrived == [due]
        text = f"{self.who}'s packet arrived after {self.seconds / 2:g} to {self.seconds * 1.5:g} s"
        return StepResult(
            held, text if held else f"{self.who}'s packet {at_once}, later {len(early + arrived)} arrived"
        )

    def run_twin(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`."""
        it = observe(exchange, self.who, exchange.packet(self.who, self.payload, "PA", Header()))
        return StepResult(it.untouched, f"{self.who}'s packet {it}")

    def _arrived(self, exchange: Exchange) -> list[bytes]:
        return exchange.backend.late().at["R" if self.who == "L" else "L"]
