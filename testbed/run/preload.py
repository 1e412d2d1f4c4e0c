"""Loading once, before the processes of many operators are forked, what each of them needs."""

import gc
from importlib import import_module
from typing import TYPE_CHECKING, Final

from testbed.model import World

if TYPE_CHECKING:
    from testbed.internet.zone import Zone

FEW: Final = 2  # operators whose processes load it themselves, side by side: two cores take less time so
_LOADED: Final = ("testbed.middlebox.loop", "testbed.middlebox.resolver")


def preload(world: World) -> "Zone":
    """Load what serves in censors and resolvers; what resolvers of this world know. They share its memory.

    A hundred operators take 12 MB each of their own, and 20 if each loads it.
    """
    for name in _LOADED:
        import_module(name)
    from testbed.internet.dns import Zone

    zone = Zone.from_world(world)
    gc.freeze()  # a collection would write to every object, and so copy its page
    return zone
