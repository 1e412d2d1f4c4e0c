"""Steps of many packets: how many of them come through."""

from dataclasses import dataclass, replace
from typing import Literal

from testbed.conformance.ground import Who
from testbed.conformance.packets import read, with_ttl
from testbed.conformance.steps import Finding
from testbed.conformance.talk import Header, Talk, seen

Outcome = Literal["all pass", "nothing passes", "some pass, then none"]


@dataclass(frozen=True, slots=True)
class Volley:
    """`count` data packets of `size` bytes, from one side or in turn from both ("LR"); how they fare.

    "some pass, then none" means that the first `least` to `most` arrive and no later one.
    """

    who: Literal["L", "R", "LR"]
    count: int
    size: int
    expected: Outcome = "all pass"
    least: int = 0
    most: int = 0
    lead: bytes = b""  # what each packet's payload begins with
    every: float = 0.0  # s by the censor's clock before each packet

    def run(self, talk: Talk) -> Finding:
        """See `steps.Step`."""
        fates = self._fates(talk)
        words = self._told(fates, talk)
        if self._met(fates):
            return Finding(held=True, seen=words)
        meant = f" ({self.least} to {self.most})" if self.most else ""
        return Finding(held=False, seen=f"{words} (expected: {self.expected}{meant})")

    def free(self, talk: Talk) -> Finding:
        """See `steps.Step`."""
        return replace(self, expected="all pass").run(talk)

    def _fates(self, talk: Talk) -> str:
        """A letter per packet: "." untouched, "r" reset, "-" lost, "?" anything else."""
        made: list[str] = []
        sides: list[Who] = [
            ("L" if self.who[number % len(self.who)] == "L" else "R") for number in range(self.count)
        ]
        for who in sides:
            if self.every:
                talk.ground.wait(self.every)
            payload = self.lead.ljust(self.size, b"\xa5")
            it = seen(talk, who, talk.packet(who, payload, "PA", Header()))
            made.append("." if it.untouched else "-" if it.silent else "r" if it.as_reset else "?")
        return "".join(made)

    def _met(self, fates: str) -> bool:
        passed = fates.rstrip("-")
        return {
            "all pass": set(fates) == {"."},
            "nothing passes": set(fates) == {"-"},
            "some pass, then none": set(passed) <= {"."}
            and self.least <= len(passed) <= self.most < self.count,
        }[self.expected]

    def _told(self, fates: str, talk: Talk) -> str:
        whose = {"L": "L's", "R": "R's", "LR": "both sides'"}[self.who]
        passed = len(fates.rstrip("-"))
        if set(fates) == {".", "-"} and set(fates[:passed]) == {"."}:
            return f"of {whose} next {self.count} packets the first {passed} passed, then none"
        counts = {"passed": ".", "became RST/ACK": "r", "were lost": "-", "came changed": "?"}
        parts = [f"{fates.count(letter)} {word}" for word, letter in counts.items() if letter in fates]
        return f"of {whose} next {self.count} packets {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Burst:
    """`count` packets of one side as fast as can be: what a policer's bucket holds comes through."""

    who: Who
    count: int
    size: int
    least: int  # packets that must arrive
    most: int

    def run(self, talk: Talk) -> Finding:
        """See `steps.Step`."""
        return self._judged(talk, self.least, self.most)

    def free(self, talk: Talk) -> Finding:
        """See `steps.Step`."""
        return self._judged(talk, self.count, self.count)

    def _judged(self, talk: Talk, least: int, most: int) -> Finding:
        packets = [talk.packet(self.who, bytes(self.size), "PA", Header()) for _ in range(self.count)]
        wire = talk.ground.send(self.who, packets)
        left = talk.ground.routers
        due = {with_ttl(packet, packet[8] - left) for packet in packets}
        heard = wire.at["R" if self.who == "L" else "L"]
        whole = [raw for raw in heard if raw in due]
        views = [view for raw in heard if (view := read(raw))]
        resets = sum(view.is_reset for view in views)
        words = f"of {self.who}'s {self.count} packets of {self.size} bytes at once {len(whole)} arrived"
        words += f", {resets} as RST/ACK" if resets else ""
        held = len(whole) == len(heard) and least <= len(whole) <= most
        return Finding(held, words if held else f"{words} (expected: {least} to {most} untouched)")
