"""What a strategy is, and the ones there are: one file each in `strategies/`, found by their keys. Pure.

A strategy is written KEY or KEY:VALUE: `records:name`, `segments:3`. It is a function from the packets that
would leave to those that do.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import ClassVar

from testbed.errors import InputError, nearest
from testbed.evade import strategies
from testbed.evade.cutplaces import checked_places
from testbed.evade.resolverurl import AskedResolver
from testbed.evade.segment import Flight, fitted, lay_out

Pieces = tuple[bytes, ...]
"""What leaves, in this order, each piece in a TCP segment of its own."""
MOST = 1448  # bytes in a segment: Ethernet's 1,500 without headers and timestamps, as Linux sends


@dataclass(frozen=True, slots=True)
class Strategy(ABC):
    """One idea with its parameter. Objects have no other state."""

    key: ClassVar[str] = ""
    ordinary: ClassVar[bool] = False  # whether an ordinary socket sends such packets, a write each
    value: str = ""  # as it was written after the colon; "" for the strategy's own choice

    def __post_init__(self) -> None:
        """ValueError, with what may be written, for a value that it does not take. Without this: for any."""
        if self.value:
            raise ValueError("write it without a value")

    @abstractmethod
    def send(self, flight: Flight) -> Flight:
        """What leaves instead of `flight`, the packets of a client's first bytes."""


@dataclass(frozen=True, slots=True)
class Cut(Strategy):
    """A strategy that cuts bytes: it sends nothing that an ordinary socket cannot send."""

    ordinary: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """ValueError for what is no place to cut."""
        checked_places(self.value)

    @abstractmethod
    def cut(self, piece: bytes) -> Pieces:
        """In which pieces `piece` leaves: the first bytes of a client, or a part of them.

        Without a strategy for plain bytes, what is no ClientHello MUST stay as it is.
        """

    def send(self, flight: Flight) -> Flight:
        """The pieces, one after the other."""
        return lay_out(out for one in flight for out in self.cut(one.data))


@dataclass(frozen=True, slots=True)
class OtherLookup(Strategy):
    """A strategy for what comes before the connection, whose packets stay: who is asked for the address."""

    ordinary: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """ValueError for what is no resolver."""
        _ = self.resolver

    @property
    @abstractmethod
    def resolver(self) -> AskedResolver:
        """Whom the client asks."""

    def send(self, flight: Flight) -> Flight:
        """The same."""
        return flight


@dataclass(frozen=True, slots=True)
class EvadePlan:
    """Strategies one after another: each is applied to the packets of those before it."""

    steps: tuple[Strategy, ...] = ()

    def flight(self, first: bytes) -> Flight:
        """How what the client sends first leaves."""
        flight = lay_out([first])
        for step in self.steps:
            flight = step.send(flight)
        return fitted(flight, MOST)

    @property
    def forged(self) -> str:
        """The first strategy whose packets an ordinary socket cannot send; "" if there is none."""
        return next((one.key for one in self.steps if not one.ordinary), "")

    @property
    def resolver(self) -> AskedResolver | None:
        """Whom the client asks for the server's address; None for the system's resolver."""
        return next((one.resolver for one in reversed(self.steps) if isinstance(one, OtherLookup)), None)

    def __str__(self) -> str:
        """As it is written: "segments:name disorder"."""
        return " ".join(f"{one.key}:{one.value}" if one.value else one.key for one in self.steps)


def parse_plan(texts: Sequence[str], place: str = "strategy") -> EvadePlan:
    """The strategies that `texts` name. InputError with the nearest name for one that there is not."""
    known = strategies_known()
    steps: list[Strategy] = []
    for text in texts:
        key, _, value = text.partition(":")
        if key not in known:
            raise InputError.at(place, f"there is no strategy {key!r}", nearest(key, known))
        sent = [one for one in steps if not isinstance(one, OtherLookup)]
        if issubclass(known[key], Cut) and sent and not isinstance(sent[-1], Cut):
            raise InputError.at(place, f"{text!r} cuts bytes", f"write it before {sent[-1].key!r}")
        try:
            steps.append(known[key](value))
        except ValueError as error:
            raise InputError.at(place, f"{text!r} cannot be", str(error)) from None
    return EvadePlan(tuple(steps))


def strategies_known() -> Mapping[str, type[Strategy]]:
    """Every strategy by its key."""
    return {kind.key: kind for kind in _found()}


def _found() -> Iterator[type[Strategy]]:
    for module in iter_modules(strategies.__path__):
        name = f"{strategies.__name__}.{module.name}"
        for found in vars(import_module(name)).values():
            own = isinstance(found, type) and found.__module__ == name
            if own and issubclass(found, Strategy) and found.key:
                yield found
