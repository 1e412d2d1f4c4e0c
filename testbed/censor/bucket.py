"""A token bucket that behaves as the kernel's `limit` expression does, for where there is no kernel."""

from dataclasses import dataclass

from testbed.censor.units import BitsPerSecond, Octets


@dataclass(slots=True)
class TokenBucket:
    """Tokens of one direction of a flow or of an inside host; a packet that finds too few costs none.

    That is net/netfilter/nft_limit.c: the bucket holds one second of the rate if the burst is less, starts
    full, and what is dropped is not charged.
    """

    rate: float  # bytes per second of the clock behind `now`
    size: float  # bytes
    filled: float  # bytes there at time `seen`
    seen: float

    @classmethod
    def full(cls, rate: BitsPerSecond, burst: Octets, now: float, time_scale: float = 1.0) -> "TokenBucket":
        """A bucket nobody has used yet. `time_scale`: seconds of `now` in a real second, as in `Context`."""
        octets = max(1, round(rate / 8))  # the kernel counts whole bytes per second
        size = float(max(burst, octets))
        return cls(octets / time_scale, size, size, now)

    def take(self, octets: int, now: float) -> bool:
        """Whether a packet of so many bytes may go on at time `now`; if so, its tokens are gone."""
        self.filled = min(self.size, self.filled + (now - self.seen) * self.rate)
        self.seen = now
        if octets > self.filled:
            return False
        self.filled -= octets
        return True
