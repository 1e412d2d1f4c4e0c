"""A step of one packet in IP fragments."""

from dataclasses import dataclass

from testbed.conformance.ground import Who
from testbed.conformance.packets import fragments, read, with_ttl
from testbed.conformance.steps import Finding
from testbed.conformance.talk import Header, Talk


@dataclass(frozen=True, slots=True)
class Fragmented:
    """One packet in fragments, sent in order; `held`: they must arrive together, after the last was sent."""

    who: Who
    size: int
    pieces: int
    arrive: bool
    payload: bytes = b""  # of TCP; otherwise UDP with `size` bytes
    first_ttl: int = 64
    later_ttl: int = 64
    withhold: int = 0  # so many of the last ones are never sent

    def run(self, talk: Talk) -> Finding:
        """See `Step`."""
        return self._judged(talk, arrive=self.arrive, held=True)

    def free(self, talk: Talk) -> Finding:
        """See `Step`. Without a box each fragment arrives at once, if its TTL lasts."""
        return self._judged(talk, arrive=True, held=False)

    def _judged(self, talk: Talk, *, arrive: bool, held: bool) -> Finding:
        whole = talk.packet(self.who, self.payload or bytes(self.size), "PA", Header())
        cut = fragments(whole, self.pieces)
        sent = [with_ttl(cut[0], self.first_ttl), *(with_ttl(one, self.later_ttl) for one in cut[1:])]
        sent = sent[: self.pieces - self.withhold]
        early: list[bytes] = []
        last: list[bytes] = []
        other: Who = "R" if self.who == "L" else "L"
        for number, one in enumerate(sent, 1):
            heard = talk.ground.send(self.who, [one]).at[other]
            (last if number == len(sent) else early).extend(heard)
        left = talk.ground.routers
        if held:
            due = [with_ttl(one, self.first_ttl - left) for one in cut] if arrive else []
        else:
            due = [with_ttl(one, one[8] - left) for one in sent if one[8] > left]
        good = sorted(early + last) == sorted(due) and not (held and early)
        views = [view for raw in early + last if (view := read(raw))]
        words = f"{len(sent)} fragments: {len(early)} arrived before the last was sent, {len(last)} after"
        if views:
            whole_ones = sum(not view.fragment for view in views)
            words += f", {whole_ones} put together, TTL {', '.join(map(str, sorted({v.ttl for v in views})))}"
        return Finding(good, words)
