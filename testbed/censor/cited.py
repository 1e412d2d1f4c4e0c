"""A constant with its source, so that every number about behaviour names one."""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

T = TypeVar("T")
Confidence = Literal["H", "M", "L"]


@dataclass(frozen=True, slots=True)
class Cited(Generic[T]):
    """A value, where it was measured, and how sure that is.

    `source` is a key of docs/sources.md with its section ("IMC21 §6.2"), or "our choice" where sources
    disagree or there are none. `confidence` is H (primary source, precise), M (one measurement or a
    second-hand figure) or L (anecdote, inference, our choice).
    """

    value: T
    source: str
    confidence: Confidence


def carried_over(earlier: Cited[T], measured: str) -> Cited[T]:
    """A value measured in an earlier era only: that it has not changed since is an inference."""
    return Cited(earlier.value, f"{earlier.source}, {measured} only; kept since: our choice", "L")


def our_choice(value: T) -> Cited[T]:
    """A value for which no source was found."""
    return Cited(value, "our choice", "L")
