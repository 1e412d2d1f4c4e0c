"""Loading once, before the processes of many operators are forked, what each of them needs."""

import gc
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Final

from testbed.censor.match import CompiledRule, compiled
from testbed.model import Placement, World

if TYPE_CHECKING:
    from testbed.internet.zone import Zone

FEW: Final = 2  # operators whose processes load it themselves, side by side: two cores take less time so


def preload(world: World, *, lying: bool) -> "Zone":
    """Load what serves in censors and resolvers; what resolvers of this world know. They share its memory.

    A hundred operators take 7 MB each of their own, and more if each loads it. `lying`: some resolvers do.
    """
    import_module("testbed.middlebox.loop")
    if lying:
        import_module("testbed.middlebox.resolver")
    from testbed.internet.dns import Zone

    zone = Zone.from_world(world)
    gc.freeze()  # a collection would write to every object, and so copy its page
    return zone


def compiled_once(placements: Iterable[Placement]) -> dict[int, list[CompiledRule]]:
    """The compiled rules of each policy that several of these censors have, by its id.

    They share its memory. What cannot be compiled is left to the censor, whose process says why.
    """
    policies = [placement.policy for placement in placements]
    often = Counter(map(id, policies))
    ready = dict[int, list[CompiledRule]]()
    for policy in {id(one): one for one in policies if often[id(one)] > 1}.values():
        with suppress(Exception):
            ready[id(policy)] = compiled(policy)
    return ready
