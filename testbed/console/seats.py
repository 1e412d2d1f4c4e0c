"""Who may use a console: a token opens a world's page once, for one browser. Pure but for random numbers.

Each world has one seat. A token is exchanged for a session and is used up; a new token, which only the owner
of the console can get, takes the seat over from the browser that has it.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest


@dataclass(slots=True)
class _Seat:
    tokens: set[str] = field(default_factory=set)  # that have not been used
    session: str = ""  # "": nobody has come yet


class Seats:
    """The seats of all worlds."""

    def __init__(self) -> None:
        self._seats: dict[str, _Seat] = {}
        self._left: Callable[[str], object] = lambda _: None

    def on_left(self, call: Callable[[str], object]) -> None:
        """From now on `call` is given a world whose browser has lost its seat."""
        self._left = call

    def issue(self, world: str, token: str = "") -> str:
        """A token for the world (`token`: this one), in place of one that nobody has used."""
        seat = self._seats.setdefault(world, _Seat())
        seat.tokens = {token or secrets.token_urlsafe(32)}
        return next(iter(seat.tokens))

    def exchange(self, world: str, token: str) -> str | None:
        """The session that the token opens, which takes the seat; None for a token that is wrong or used."""
        seat = self._seats.get(world)
        if seat is None or not any(_same(token, one) for one in seat.tokens):
            return None
        before, seat.session, seat.tokens = seat.session, secrets.token_urlsafe(32), set()
        if before:
            self._left(world)
        return seat.session

    def holds(self, world: str, session: str | None) -> bool:
        """Whether this session has the world's seat."""
        seat = self._seats.get(world)
        return (
            seat is not None and bool(seat.session) and bool(session) and _same(session or "", seat.session)
        )

    def taken(self, world: str) -> bool:
        """Whether a browser has the seat."""
        return world in self._seats and bool(self._seats[world].session)


def _same(one: str, other: str) -> bool:
    return compare_digest(one.encode(), other.encode())
