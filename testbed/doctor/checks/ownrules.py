"""What programs that bring their own rules need, as subscribers: nfqws, tpws, redsocks."""

from functools import partial

from testbed.doctor.feature import Absent, Feature, Need
from testbed.model.abilities import ABILITIES, Ability
from testbed.world.capable import tried_here

_ELSEWHERE = ("users", "tun", "nft-queue")  # features of their own names


def has(ability: Ability) -> str:
    """Try it, as a recipe that needs it does."""
    if why := tried_here(ability):
        raise Absent(why)
    return "set"


FEATURES = tuple(
    Feature(f"own-{one.name}", one.title, Need.OPTIONAL, one.cost, one.remedy, partial(has, one))
    for one in ABILITIES.values()
    if one.name not in _ELSEWHERE
)
