"""Whether anybody changed the rule set of a router while a run used it."""

from collections.abc import Iterable

from testbed.middlebox import netfilter
from testbed.world.netns import Namespace, inside


class RuleSets:
    """The routers' rule sets as they were once everything was ready.

    The kernel numbers the generations of each: whoever adds, removes or flushes anything counts it up.
    """

    def __init__(self) -> None:
        self._noted: dict[str, tuple[Namespace, int]] = {}

    def note(self, routers: Iterable[Namespace]) -> None:
        """Remember them, instead of what was remembered."""
        self._noted = {one.name: (one, _generation(one)) for one in routers}

    def changed(self) -> list[str]:
        """A sentence for each that is another one now. They are forgotten then."""
        noted, self._noted = self._noted, {}
        return [
            problem_of(name)
            for name, (namespace, generation) in noted.items()
            if _generation(namespace) != generation
        ]


def problem_of(router: str) -> str:
    """What a run says of a router whose rule set was changed."""
    return f"the nftables rules of router {router} were changed during the run: censors may not have acted"


def _generation(namespace: Namespace) -> int:
    with inside(namespace):
        return netfilter.generation()
