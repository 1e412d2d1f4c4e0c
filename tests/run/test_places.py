"""Which place each censor has at its hop, while phases come and go."""

from testbed.censor.policy import Policy
from testbed.censor.profiles import PROFILES
from testbed.middlebox.marks import MAX_CENSORS, Position
from testbed.model import Placement
from testbed.run.places import Places


def censor(name: str, hop: int = 2) -> Placement:
    return Placement("mts", Policy(name, PROFILES["t22"], ()), hop)


A, B, C = map(censor, "abc")


def walk(*phases: list[Placement]) -> list[list[Position]]:
    """The places in each of these phases, one after another."""
    places = Places(phases)
    found: list[list[Position]] = []
    here: list[Placement] = []
    for phase in phases:
        places.leave([one for one in here if one not in phase])
        places.take(phase)
        found.append([places[one] for one in phase])
        here = phase
    return found


def test_a_censor_that_stays_keeps_its_place_and_the_hop_has_the_order_of_the_phase():
    first, second, third = walk([A], [B, A], [C, B])
    assert first == [Position(0, MAX_CENSORS, (0,))]
    assert second == [Position(1, MAX_CENSORS, (1, 0)), Position(0, MAX_CENSORS, (1, 0))]
    assert third == [Position(0, MAX_CENSORS, (0, 1)), Position(1, MAX_CENSORS, (0, 1))]


def test_a_hop_that_never_has_several_stays_simple():
    assert walk([A], [], [B], [A, censor("far", hop=5)]) == [
        [Position()], [], [Position()], [Position(), Position()],
    ]  # fmt: skip


def test_a_world_that_does_not_change_has_the_places_that_it_needs():
    assert walk([A, B]) == [[Position(0, 2, (0, 1)), Position(1, 2, (0, 1))]]
