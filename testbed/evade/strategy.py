"""What a strategy is, and the ones there are: one file each in `strategies/`, found by their keys. Pure.

A strategy is written KEY or KEY:VALUE: `records:name`, `segments:3`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import ClassVar

from testbed.errors import InputError, nearest
from testbed.evade import strategies

Pieces = tuple[bytes, ...]
"""What leaves, in this order, each piece in a TCP segment of its own."""


@dataclass(frozen=True, slots=True)
class Strategy(ABC):
    """One idea with its parameter. Objects have no other state."""

    key: ClassVar[str] = ""
    value: str = ""  # as it was written after the colon; "" for the strategy's own choice

    @abstractmethod
    def cut(self, piece: bytes) -> Pieces:
        """In which pieces `piece` leaves: the first bytes of a client, or a part of them.

        Without a strategy for plain bytes, what is no ClientHello MUST stay as it is.
        """


@dataclass(frozen=True, slots=True)
class CutPlan:
    """Strategies one after another: each is applied to the pieces of those before it."""

    steps: tuple[Strategy, ...] = ()

    def pieces(self, first: bytes) -> Pieces:
        """How what the client sends first leaves."""
        pieces: Pieces = (first,)
        for step in self.steps:
            pieces = tuple(out for piece in pieces for out in step.cut(piece))
        return pieces


def parse_plan(texts: Sequence[str]) -> CutPlan:
    """The strategies that `texts` name. InputError with the nearest name for one that there is not."""
    known = {kind.key: kind for kind in _found()}
    steps = []
    for text in texts:
        key, _, value = text.partition(":")
        if key not in known:
            raise InputError.at("strategy", f"there is no strategy {key!r}", nearest(key, known))
        try:
            steps.append(known[key](value))
        except ValueError as error:
            raise InputError.at("strategy", f"{text!r} cannot be", str(error)) from None
    return CutPlan(tuple(steps))


def _found() -> Iterator[type[Strategy]]:
    for module in iter_modules(strategies.__path__):
        name = f"{strategies.__name__}.{module.name}"
        for found in vars(import_module(name)).values():
            own = isinstance(found, type) and found.__module__ == name
            if own and issubclass(found, Strategy) and found.key:
                yield found
