"""What happens to one packet: the core decides, the decision becomes a verdict, a mark and raw packets."""

import socket
import time
from typing import Protocol

from netfilterqueue import Packet

from testbed.censor.decision import DOWN, PASS, UP, Decision, Direction, Verdict
from testbed.censor.handover import PASSED
from testbed.censor.policy import Policy
from testbed.censor.releasequeue import ReleaseQueue
from testbed.middlebox.actlog import ActLog
from testbed.middlebox.copies import Copies
from testbed.middlebox.eventstream import EventStream
from testbed.middlebox.inject import Injector
from testbed.middlebox.marks import Marks, Position
from testbed.middlebox.receipts import Receipts
from testbed.middlebox.ruleset import ALONE

MTU = 1500  # bytes, of every link in a world
MAX_HELD = 16_384  # packets; our choice, far more than any shaper's queue


class Clock:
    """Real time (monotonic seconds) and the censor's, which runs `scale` times faster."""

    def __init__(self, started_at: float, scale: float) -> None:
        self._started = started_at
        self._skipped = 0.0  # seconds of the censor's time that nobody lived through
        self.scale = scale

    def skip_to(self, total: float) -> float:
        """The censor's clock has leapt over `total` seconds in all; how many of these are new."""
        new, self._skipped = total - self._skipped, total
        return new

    def elapsed(self) -> float:
        """Real seconds since the run's start."""
        return time.monotonic() - self._started

    def now(self) -> float:
        """The censor's time."""
        return (time.monotonic() - self._started) * self.scale + self._skipped

    def real(self, censor_time: float) -> float:
        """The monotonic time at which the censor's clock shows `censor_time`."""
        return self._started + (censor_time - self._skipped) / self.scale


class Core(Protocol):
    """What the loop needs of `testbed.censor.core.Censor`."""

    @property
    def evictions(self) -> int:
        """Flows forgotten because a table was full."""
        ...

    def process(self, raw: bytes, direction: Direction, now: float) -> Decision:
        """Decide about one packet."""
        ...


class Interrupted(Exception):  # noqa: N818 (a way out of the binding's loop, not an error)
    """Asked for something while packets keep coming; all that were read have their verdicts."""


class Middlebox:
    """Carries out decisions and keeps count of them."""

    def __init__(
        self,
        core: Core,
        policy: Policy,
        stream: EventStream,
        clock: Clock,
        name: str,
        position: Position = ALONE,
        log: ActLog | None = None,
        copies: Copies | None = None,
    ) -> None:
        """`copies`: of packets that have passed already."""
        self.receipts = Receipts(name, policy)
        self.hold: ReleaseQueue[tuple[Packet, Decision]] = ReleaseQueue(MAX_HELD)
        self.stopping = False
        self.interrupted = False  # something else than packets wants the loop's attention
        self._core = core
        self._stream = stream
        self._log = log
        self._copies = copies
        self._clock = clock
        self._marks = Marks(policy, position)
        self._injector = Injector(self._marks)
        self._passes_at_once = position.count == 1  # else the next censor of the hop must see it
        self._passed = 0 if log is not None else self._marks.verdict(PASSED)
        self._inside = {number for number, name in socket.if_nameindex() if name.startswith("in")}

    def on_packet(self, packet: Packet) -> None:
        """Get a verdict for one packet: the binding's callback, and the only hot path."""
        if self.hold.heap:
            self.release_due()
        now = self._clock.now()
        if self._copies is not None:
            self.overhear(now)
        self.receipts.packets += 1
        direction = UP if packet.indev in self._inside else DOWN
        try:
            raw = packet.get_payload()
            decision = self._core.process(raw, direction, now)
            if decision is PASS and self._passes_at_once:
                packet.accept()
            elif decision is PASSED and self._passed:  # as below, of most first packets with data
                packet.set_mark(self._passed)
                packet.repeat()
            else:
                self._carry_out(decision, packet, raw)
        except (Exception, SystemExit) as error:  # an action may be anybody's Python
            self._fail_open(packet, error)
        if self.interrupted:
            raise Interrupted

    def overhear(self, now: float | None = None) -> None:
        """Learn of the packets that have passed since; nothing may be done about them any more.

        `now`: the censor's time, if it is known.
        """
        try:
            process, inside, now = self._core.process, self._inside, now or self._clock.now()
            for raw, link in self._copies.read() if self._copies is not None else ():
                self.receipts.packets += 1
                decision = process(raw, UP if link in inside else DOWN, now)
                if decision is not PASS:
                    self._overdue(decision)
        except (Exception, SystemExit) as error:  # an action may be anybody's Python
            self._fault(error)

    def release_due(self) -> None:
        """Release packets that are due."""
        while (held := self.hold.pop_due(time.monotonic())) is not None:
            self._repeat(*held)

    def release_all(self) -> None:
        """Release every held packet, in order."""
        while (held := self.hold.pop_due(float("inf"))) is not None:
            self._repeat(*held)

    def close(self) -> None:
        """Close the sockets."""
        self._injector.close()

    def _carry_out(self, decision: Decision, packet: Packet, raw: bytes) -> None:
        if self._log is not None:
            self._log.write(decision, raw, self._clock.elapsed(), self._clock.now())
        for injection in decision.inject:  # before the verdict: a forged answer must win the race
            self._injector.send(injection.packet, None if injection.released else decision.rule)
        if decision.rule is not None:
            self.receipts.claims[decision.rule].add_sent(decision)
            self.receipts.acts.note(decision, raw)
        for event in decision.events:
            self._stream.write(event, self._clock.elapsed())
        word = self._marks.verdict(decision)
        if decision.verdict is Verdict.REPLACE and decision.packet is not None:
            packet.set_payload(decision.packet)
            if _cannot_leave(decision.packet):  # though the kernel counts it
                what = f"a replacement of {len(decision.packet)} bytes, more than a link takes ({MTU})"
                self._stream.fault(what, self._clock.elapsed())
        if not word:
            packet.accept()
            return
        packet.set_mark(word)
        if decision.release_at is None:
            self._repeat(packet, decision)
            return
        if not self.hold.push(self._clock.real(decision.release_at), (packet, decision)):
            self._repeat(packet, decision)
            self._stream.fault(f"more than {MAX_HELD} packets held at a time", self._clock.elapsed())

    def _overdue(self, decision: Decision) -> None:
        """What the core says of a packet that has passed. A handover waits for the flow's next."""
        for event in decision.events:
            self._stream.write(event, self._clock.elapsed())
        if decision.rule is not None:
            self._stream.fault("a rule would have acted on a packet that had passed", self._clock.elapsed())

    def _repeat(self, packet: Packet, decision: Decision) -> None:
        """Let the kernel carry the verdict out, which counts it at once; so do we."""
        if decision.rule is not None:
            self.receipts.claims[decision.rule].add_verdict(decision)
        packet.repeat()

    def _fail_open(self, packet: Packet, error: Exception | SystemExit) -> None:
        """As the real box does when it fails; the count makes the run invalid."""
        self._fault(error)
        try:
            packet.set_mark(0)
            packet.accept()
        except RuntimeError:  # it has its verdict already
            return

    def _fault(self, error: Exception | SystemExit) -> None:
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        line = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else ""
        self._stream.fault(f"{type(error).__name__} at {line}", self._clock.elapsed(), error)


def _cannot_leave(packet: bytes) -> bool:
    """Whether it is too long for a link and must not be cut up: IPv6, or IPv4 that says so."""
    return len(packet) > MTU and (packet[0] >> 4 == 6 or bool(packet[6] & 0x40))
