"""What a circumvention tool did besides its task: facts, and how each is called. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

ToolEnding = Literal["", "crash", "hang", "other port"]
FAILED: Final = "failed"
NO_END: Final = "no end"
FLOOD: Final = 50_000  # packets in one try; our choice: a megabyte each way needs 2,000


@dataclass(frozen=True, slots=True)
class Fetched:
    """How a client of the recipe's own ended: its exit status, None if it was stopped, and its last words."""

    status: int | None
    said: str = ""
    limit: float = 0.0  # seconds that it had

    @property
    def label(self) -> str:
        """`ok`, `no end`, or `failed`: why, only the client knows."""
        if self.status is None:
            return NO_END
        return "ok" if self.status == 0 else FAILED

    @property
    def why(self) -> str:
        """Why it came to nothing; "" if it did not."""
        if self.status is None:
            return f"its client had not ended after {self.limit:g} s"
        return "" if self.status == 0 else self.said or f"its client ended with exit status {self.status}"


@dataclass(frozen=True, slots=True)
class ToolRun:
    """A tool at one vantage. All that it left behind has been removed."""

    ending: ToolEnding = ""  # "": it became ready, and ran until it was asked to stop
    why: str = ""  # in its own words
    packets: int = 0  # that left the subscriber meanwhile
    rules: tuple[str, ...] = ()  # of a firewall, left behind
    processes: tuple[str, ...] = ()  # left behind, by their names
    routes: tuple[str, ...] = ()  # routes, rules for routing and devices that it left, or took away
    resolvers: str = ""  # what resolv.conf says since, on its machine

    @property
    def flooded(self) -> bool:
        """Whether it sent more than any try takes."""
        return self.packets > FLOOD

    @property
    def misdeeds(self) -> tuple[str, ...]:
        """What it did that a tool must not, each in a sentence."""
        found = [
            f"it flooded the network: {self.packets} packets" if self.flooded else "",
            f"it left firewall rules: {', '.join(self.rules)}" if self.rules else "",
            f"it left processes: {', '.join(self.processes)}" if self.processes else "",
            f"it left routes otherwise: {', '.join(self.routes)}" if self.routes else "",
            f"it changed resolv.conf: {self.resolvers!r}" if self.resolvers else "",
        ]
        return tuple(filter(None, found))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ToolRun":
        """From its fields, with lists for tuples. TypeError for anything else."""
        found: dict[str, Any] = {
            name: tuple(one) if isinstance(one, list) else one for name, one in values.items()
        }
        return cls(**found)


BEHAVED: Final = ToolRun()
