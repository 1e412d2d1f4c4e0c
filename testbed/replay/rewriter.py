"""The capture as it would have been with the censor in the path."""

from typing import IO, Final

from testbed.capture.link import framed
from testbed.capture.writer import PcapngWriter
from testbed.censor.decision import Decision, Verdict
from testbed.censor.releasequeue import ReleaseQueue
from testbed.replay.effects import Effect
from testbed.replay.play import Frame
from testbed.replay.totals import Totals

LINE, DROPPED, INJECTED = "line", "dropped", "injected"
"""The interfaces of the new capture: packets forwarded, dropped and injected by the censor."""

MAX_HELD: Final = 16_384  # packets delayed at a time, as in the middlebox

_Packet = tuple[str, int, int, bytes, int, str]  # the writer's arguments


class Rewriter:
    """Writes the new capture; observes every packet.

    Dropped packets stay in the file, on an interface of their own with a comment, so that a reader sees what
    happened; `frame.interface_name != "dropped"` shows the packets beyond the censor.
    """

    def __init__(self, file: IO[bytes], totals: Totals, comment: str) -> None:
        self._out = PcapngWriter(file, comment)
        self._totals = totals
        self._waiting: ReleaseQueue[_Packet] = ReleaseQueue(MAX_HELD)

    def packet(self, frame: Frame, decision: Decision, found: tuple[Effect, ...], now: float) -> None:
        """Write what is due by now, the packet, and what was injected."""
        if self._waiting.heap:
            self._release(frame.time)
        what = comment(found)
        data, wire = frame.data, frame.wire
        if decision.verdict is Verdict.REPLACE and decision.packet is not None:
            data = framed(frame.link, data[: frame.at], decision.packet, reply=False)
            wire = len(data)
        interface = DROPPED if decision.verdict is Verdict.DROP else LINE
        if interface == DROPPED or not self._held(frame, decision, now, (frame.link, data, wire, what)):
            self._out.packet(interface, frame.link, frame.time, data, wire, what)
        self._inject(frame, decision, found)

    def _held(
        self, frame: Frame, decision: Decision, now: float, packet: tuple[int, bytes, int, str]
    ) -> bool:
        """Whether the packet is delayed."""
        if decision.release_at is None or decision.release_at <= now:
            return False
        due = frame.time + round((decision.release_at - now) * 1e9)
        link, data, wire, what = packet
        if self._waiting.push(due, (LINE, link, due, data, wire, what)):
            return True
        self._totals.released_early += 1
        return False

    def close(self) -> None:
        """Write the packets that are still delayed, with their due times."""
        self._release(None)

    def _release(self, now: int | None) -> None:
        while (packet := self._waiting.pop_due(float("inf") if now is None else now)) is not None:
            self._out.packet(*packet)

    def _inject(self, frame: Frame, decision: Decision, found: tuple[Effect, ...]) -> None:
        by = next((effect.rule for effect in found if effect.what == "injected"), "")
        what, interface = (f"censor: injected by {by}", INJECTED) if by else ("censor: released", LINE)
        for injection in decision.inject:
            reply = injection.toward is not frame.direction
            data = framed(frame.link, frame.data[: frame.at], injection.packet, reply=reply)
            self._out.packet(interface, frame.link, frame.time, data, len(data), what)


def comment(found: tuple[Effect, ...]) -> str:
    """The comment on a packet."""
    parts = [str(effect) for effect in found if effect.what not in ("injected", "released")]
    return f"censor: {'; '.join(parts)}" if parts else ""
