"""A second subscriber at each vantage, for the controls beside a command. Pure.

A command may do anything to its own machine: firewall rules, routes, interfaces. The control comes from
another one on the same first hop, so its packets take the same way and meet the same censors.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.model import OUTSIDE, PERFECT, TRANSIT, Addresses, LinkQuality, Operator
from testbed.model.addressing import TWIN_OUTSIDE, numbered, twin
from testbed.world import transit
from testbed.world.transit import ANY

if TYPE_CHECKING:
    from testbed.world.plan import Draft

OUTSIDE_TWIN = "outside-twin"  # the last transit router's interface towards the twin of the outside vantage
_INWARD = "in-twin"  # the first hop's: "in" as the subscriber's own, for the censor there


def lay_twins(draft: "Draft", operators: Sequence[Operator]) -> None:
    """The twins of these operators' subscribers and of the outside vantage."""
    from testbed.world.plan import Node

    def lay(
        router: str, vantage: str, device: str, own: Addresses, via: Addresses, link: LinkQuality
    ) -> None:
        draft.nodes.append(Node(twin(vantage), own, "eth0", host=False))
        draft.link((twin(vantage), "eth0"), (router, device), link)
        draft.route(twin(vantage), ANY, "eth0", via)
        draft.route(router, own, device, own)

    lay(transit.NODE, OUTSIDE, OUTSIDE_TWIN, TWIN_OUTSIDE, TRANSIT[draft.world.transit - 1], PERFECT)
    for operator in operators:
        key, own = operator.key, numbered(operator)
        lay(f"{key}.hop1", key, _INWARD, own[twin(key)], own[f"{key}.hop1"], operator.access)
        for place in range(2, operator.hops + 1):
            draft.route(f"{key}.hop{place}", own[twin(key)], "in", own[f"{key}.hop{place - 1}"])
