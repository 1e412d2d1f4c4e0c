"""What a data set is to be, as a value: with its seed it says every byte."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from random import Random
from types import MappingProxyType
from typing import Any, Final

from testbed import __version__
from testbed.errors import InputError

PART: Final = 1000  # flows of a part: a file of each table, and a row group; our choice
BLOCK: Final = 100  # flows of one phase under the same names; our choice
SPLITS: Final = ("train", "validation", "test")
MOST_FLOWS: Final = 100_000_000
OPTIONS: Final = MappingProxyType(
    {"scenarios": "NAME", "clients": "--client", "pcap": "packets"}
    | {name: f"--{name}" for name in ("flows", "seed", "ipv")}
)  # what the user calls what a plan has


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetPlan:
    """Which flows. It is plan.json, and a data set goes on only with the same."""

    scenarios: tuple[str, ...]
    flows: int
    seed: int = 0
    clients: tuple[str, ...]
    ipv: tuple[int, ...] = (4, 6)
    pcap: bool = True
    version: str = __version__  # of the testbed that makes it
    digests: tuple[str, ...] = ()  # of the scenarios, when it was begun

    def __post_init__(self) -> None:
        if not 1 <= self.flows <= MOST_FLOWS:
            raise InputError.at("--flows", f"{self.flows} is out of range", f"give 1 to {MOST_FLOWS}")

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    def parts(self) -> Iterator["DatasetPart"]:
        """Its parts, each of a split of its own draw; those with few flows have a part of each split."""
        size = min(PART, max(1, -(-self.flows // 10)))
        for number, first in enumerate(range(0, self.flows, size)):
            chance = Random(f"{self.seed} split {number // 10}")
            ten = [*SPLITS[:1] * 8, *SPLITS[1:]]
            chance.shuffle(ten)
            yield DatasetPart(number, first, min(size, self.flows - first), ten[number % 10])


@dataclass(frozen=True, slots=True)
class DatasetPart:
    """A part: so many flows, all of one split, under names and addresses that no other part has."""

    number: int
    first: int  # the number of its first flow
    flows: int
    split: str

    def file(self, table: str, ending: str) -> str:
        """Its file of a table, in the folder of the data set."""
        return f"{table}/split={self.split}/part-{self.number:06}.{ending}"
