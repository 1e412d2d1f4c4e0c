"""Where each censor is among those of its hop, while phases come and go."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from testbed.middlebox.marks import MAX_CENSORS, Position
from testbed.model import Placement


class Places:
    """A place for each censor at a hop. One that stays over a change of phase keeps its place."""

    def __init__(self, phases: Sequence[Sequence[Placement]]) -> None:
        """`phases`: those that the world may go through. A hop that ever has several censors is shared."""
        self._most: dict[str, int] = {}  # by hop: the largest number of censors at once
        for places in phases:
            for hop, here in _by_hop(places).items():
                self._most[hop] = max(len(here), self._most.get(hop, 0))
        self._room = MAX_CENSORS if len(phases) > 1 else 0
        self._taken: list[tuple[Placement, Position]] = []

    def __getitem__(self, placement: Placement) -> Position:
        return next(position for place, position in self._taken if place == placement)

    def take(self, placements: Sequence[Placement]) -> None:
        """These are the phase's: those that are new get a place, and each hop its order."""
        for hop, here in _by_hop(placements).items():
            held = {place.name: place_of for place, place_of in self._taken if place in here}
            used = {position.index for position in held.values()}
            free = (index for index in range(MAX_CENSORS) if index not in used)
            count = max(self._room, len(here)) if self._most.get(hop, 1) > 1 else 1
            places = [held.get(one.name) or Position(next(free), count) for one in here]
            order = tuple(position.index for position in places)
            self._taken = [(one, at) for one, at in self._taken if one not in here]
            self._taken += [
                (one, replace(position, order=order if count > 1 else None))
                for one, position in zip(here, places, strict=True)
            ]

    def leave(self, placements: Sequence[Placement]) -> None:
        """These are gone."""
        self._taken = [(one, position) for one, position in self._taken if one not in placements]


def hop_of(placement: Placement) -> str:
    """The namespace of a censor's hop: "mts.hop2"."""
    return f"{placement.operator}.hop{placement.hop}"


def _by_hop(placements: Iterable[Placement]) -> dict[str, list[Placement]]:
    """The censors at hops, in their order from the subscriber outwards."""
    found: dict[str, list[Placement]] = {}
    for place in placements:
        if place.at == "hop":
            found.setdefault(hop_of(place), []).append(place)
    return found
