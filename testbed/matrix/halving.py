"""Successive halving: many candidates a few times, the better half more often. Pure.

Source: K. Jamieson, A. Talwalkar, Non-stochastic best arm identification and hyperparameter optimization,
AISTATS 2016. Here a candidate that has failed every time goes at once, and cost decides between equals.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Ranked(Generic[C]):
    """A candidate with what its tries came to."""

    candidate: C
    worked: int
    tried: int
    cost: float


@dataclass(frozen=True, slots=True)
class Halved(Generic[C]):
    """`best` in order: by share, then by cost. `dropped` says, one line each, what was not tried further."""

    best: tuple[Ranked[C], ...]
    dropped: tuple[str, ...]


def halve(
    candidates: Sequence[C],
    cost: Callable[[C], float],
    tries: Callable[[Sequence[C], int, int], Sequence[int]],
    rounds: Sequence[int],
    fewest: int = 10,
) -> Halved[C]:
    """Try all in rounds of so many tries each, and after each keep the better half, but not below `fewest`.

    `tries(some, begin, count)`: how many of the tries number `begin` to `begin + count` worked, for each.
    """
    left = [Ranked(one, 0, 0, cost(one)) for one in candidates]
    dropped: list[str] = []
    for number, count in enumerate(rounds):
        begin = sum(rounds[:number])
        found = tries([one.candidate for one in left], begin, count)
        left = [
            Ranked(one.candidate, one.worked + more, one.tried + count, one.cost)
            for one, more in zip(left, found, strict=True)
        ]
        left.sort(key=lambda one: (-one.worked / one.tried, one.cost))
        working = [one for one in left if one.worked]
        if len(working) < len(left):
            dropped.append(f"{len(left) - len(working)} never worked in {_tries(begin + count)}")
        last = number == len(rounds) - 1
        keep = len(working) if last else max(fewest, -(-len(working) // 2))
        if keep < len(working):
            some = f"{len(working) - keep} were not tried further after {_tries(begin + count)}"
            dropped.append(f"{some}: others worked at least as often and cost less")
        left = working[:keep]
    return Halved(tuple(left), tuple(dropped))


def _tries(count: int) -> str:
    return f"{count} {'try' if count == 1 else 'tries'}"
