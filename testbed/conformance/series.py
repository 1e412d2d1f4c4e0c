"""Steps of many packets or many flows: how many of them get through."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from testbed.conformance.backend import Who
from testbed.conformance.exchange import Exchange, Header, observe, passes_untouched
from testbed.conformance.packets import TCP, UDP, read, with_ttl
from testbed.conformance.steps import StepResult

_DEVIATIONS = 4.0  # standard deviations; a correct box fails one run in 16,000

_OPENING: tuple[tuple[Who, str], ...] = (("L", "S"), ("R", "SA"), ("L", "A"))

SeriesOutcome = Literal["all pass", "nothing passes", "some pass, then none"]


@dataclass(frozen=True, slots=True)
class Series:
    """`count` data packets of `size` bytes, from one side or alternately from both ("LR"), and which arrive.

    "some pass, then none" means that the first `least` to `most` arrive and no later one.
    """

    who: Literal["L", "R", "LR"]
    count: int
    size: int
    expected: SeriesOutcome = "all pass"
    least: int = 0
    most: int = 0
    prefix: bytes = b""  # of each packet's payload
    every: float = 0.0  # s on the censor's clock before each packet

    def run(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`."""
        results = self._results(exchange)
        text = self._summary(results, exchange)
        if self._holds(results):
            return StepResult(held=True, seen=text)
        limits = f" ({self.least} to {self.most})" if self.most else ""
        return StepResult(held=False, seen=f"{text} (expected: {self.expected}{limits})")

    def run_twin(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`."""
        return replace(self, expected="all pass").run(exchange)

    def _results(self, exchange: Exchange) -> str:
        """A letter per packet: "." untouched, "r" reset, "-" lost, "?" anything else."""
        made: list[str] = []
        sides: list[Who] = [
            ("L" if self.who[number % len(self.who)] == "L" else "R") for number in range(self.count)
        ]
        for who in sides:
            if self.every:
                exchange.backend.wait(self.every)
            payload = self.prefix.ljust(self.size, b"\xa5")
            it = observe(exchange, who, exchange.packet(who, payload, "PA", Header()))
            made.append("." if it.untouched else "-" if it.silent else "r" if it.became_reset else "?")
        return "".join(made)

    def _holds(self, results: str) -> bool:
        passed = results.rstrip("-")
        return {
            "all pass": set(results) == {"."},
            "nothing passes": set(results) == {"-"},
            "some pass, then none": set(passed) <= {"."}
            and self.least <= len(passed) <= self.most < self.count,
        }[self.expected]

    def _summary(self, results: str, exchange: Exchange) -> str:
        whose = {"L": "L's", "R": "R's", "LR": "both sides'"}[self.who]
        passed = len(results.rstrip("-"))
        if set(results) == {".", "-"} and set(results[:passed]) == {"."}:
            return f"of {whose} next {self.count} packets the first {passed} passed, then none"
        counts = {"passed": ".", "became RST/ACK": "r", "were lost": "-", "arrived changed": "?"}
        parts = [f"{results.count(letter)} {word}" for word, letter in counts.items() if letter in results]
        return f"of {whose} next {self.count} packets {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Burst:
    """`count` packets of one side at once: as many get through as a policer's bucket allows."""

    who: Who
    count: int
    size: int
    least: int  # packets that must arrive
    most: int

    def run(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`."""
        return self._compared(exchange, self.least, self.most)

    def run_twin(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`."""
        return self._compared(exchange, self.count, self.count)

    def _compared(self, exchange: Exchange, least: int, most: int) -> StepResult:
        packets = [exchange.packet(self.who, bytes(self.size), "PA", Header()) for _ in range(self.count)]
        wire = exchange.backend.send(self.who, packets)
        left = exchange.backend.routers
        due = {with_ttl(packet, packet[8] - left) for packet in packets}
        arrived = wire.at["R" if self.who == "L" else "L"]
        whole = [raw for raw in arrived if raw in due]
        views = [view for raw in arrived if (view := read(raw))]
        resets = sum(view.is_reset for view in views)
        text = f"of {self.who}'s {self.count} packets of {self.size} bytes at once {len(whole)} arrived"
        text += f", {resets} as RST/ACK" if resets else ""
        held = len(whole) == len(arrived) and least <= len(whole) <= most
        return StepResult(held, text if held else f"{text} (expected: {least} to {most} untouched)")


def bounds(share: float, trials: int) -> tuple[float, float]:
    """Limits of the share of successes in this many trials (normal approximation, four deviations)."""
    spread = _DEVIATIONS * math.sqrt(share * (1 - share) / trials)
    return max(0.0, share - spread), share + spread


@dataclass(frozen=True, slots=True)
class Trials:
    """`count` flows: L sends `payload`, R answers; a success is a flow that stays untouched."""

    payload: bytes
    count: int
    least: float  # share of successes
    most: float
    answers: int = 1  # packets of R that must pass for a success
    protocol: int = TCP
    flags: str = "PA"

    def run(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`."""
        return self._compared(exchange, self.least, self.most)

    def run_twin(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`."""
        return replace(self, count=200)._compared(exchange, 1.0, 1.0)

    def _compared(self, exchange: Exchange, least: float, most: float) -> StepResult:
        passed = 0
        first = exchange.sport
        plain = Header()
        for number in range(self.count):
            exchange.renew(protocol=self.protocol, sport=1024 + (first + number) % 64000)
            sent = exchange.packet("L", self.payload, self.flags, plain)
            success = passes_untouched(exchange, "L", sent)
            for _ in range(self.answers):
                answer = exchange.packet("R", b"data", "PA", plain)
                success = passes_untouched(exchange, "R", answer) and success
                if not success:
                    break
            passed += success
        share = passed / self.count
        text = f"{passed} of {self.count} flows got through ({share:.3%})"
        held = least <= share <= most
        return StepResult(held, text if held else f"{text} (expected: {least:.3%} to {most:.3%})")


@dataclass(frozen=True, slots=True)
class Pairs:
    """One flow to each of many servers, twice: both times the same ones must be filtered."""

    payload: bytes
    servers: tuple[str, ...]
    least: float  # share that is not filtered
    most: float
    rest: bytes = b""  # a second segment

    def run(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`."""
        first, second = self._once(exchange), self._once(exchange)
        free = sum(first) / len(first)
        same = sum(a == b for a, b in zip(first, second, strict=True))
        text = f"{sum(first)} of {len(first)} servers reached unfiltered; {same} the same a second time"
        held = self.least <= free <= self.most and same == len(first)
        return StepResult(
            held, text if held else f"{text} (expected: {self.least:.1%} to {self.most:.1%}, all)"
        )

    def run_twin(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`."""
        passed = self._once(exchange)
        return StepResult(all(passed), f"{sum(passed)} of {len(passed)} servers reached unfiltered")

    def _once(self, exchange: Exchange) -> list[bool]:
        results: list[bool] = []
        for server in self.servers:
            exchange.renew(protocol=TCP, right=server)
            for who, flags in _OPENING:
                observe(exchange, who, exchange.packet(who, b"", flags, Header()))
            for part in filter(None, (self.payload, self.rest)):
                observe(exchange, "L", exchange.packet("L", part, "PA", Header()))
            results.append(observe(exchange, "R", exchange.packet("R", b"data", "PA", Header())).untouched)
        return results


@dataclass(frozen=True, slots=True)
class Protocols:
    """One packet of TCP and one of UDP to each of many servers: chance decides whether both fare alike."""

    servers: tuple[str, ...]
    least: float  # share of the servers to which both pass or neither does
    most: float

    def run(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`."""
        by_tcp, by_udp = self._passed(exchange, TCP), self._passed(exchange, UDP)
        alike = sum(a == b for a, b in zip(by_tcp, by_udp, strict=True))
        text = f"{sum(by_tcp)} of {len(by_tcp)} servers reached by TCP, {sum(by_udp)} by UDP, {alike} alike"
        held = self.least <= alike / len(by_tcp) <= self.most
        return StepResult(held, text if held else f"{text} (expected: {self.least:.1%} to {self.most:.1%})")

    def run_twin(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`."""
        passed = [*self._passed(exchange, TCP), *self._passed(exchange, UDP)]
        return StepResult(all(passed), f"{sum(passed)} of {len(passed)} packets passed")

    def _passed(self, exchange: Exchange, protocol: int) -> list[bool]:
        results = []
        for server in self.servers:
            exchange.renew(protocol=protocol, right=server)
            packet = exchange.packet("L", b"", "S", Header())
            results.append(observe(exchange, "L", packet).untouched)
        return results
