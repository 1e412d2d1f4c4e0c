"""The kernel's own account of a built world, asked by another program than the one that built it."""

from collections import Counter
from typing import Any

import pytest
from pyroute2 import IPRoute

from testbed.world.build import build
from testbed.world.enter import isolated_call
from testbed.world.netns import inside
from testbed.world.plan import plan

from .worlds import small

pytestmark = pytest.mark.world

FIXED = 0x80 | 0x40  # NUD_PERMANENT, NUD_NOARP (multicast)
ETHERNET = 1  # ARPHRD_ETHER


def account() -> dict[str, Any]:
    """For each namespace: interfaces that lead somewhere, addresses of global scope, learned neighbours."""
    built = build(plan(small()))
    found = {}
    for name, namespace in built.namespaces.items():
        with inside(namespace), IPRoute() as netlink:
            links = [link for link in netlink.get_links() if link["ifi_type"] == ETHERNET]
            found[name] = {
                "links": Counter(link.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_KIND") for link in links),
                "addresses": {a.get_attr("IFA_ADDRESS") for a in netlink.get_addr() if a["scope"] == 0},
                "learned": [
                    n for n in netlink.get_neighbours() if not n["state"] & FIXED and n["ifindex"] > 1
                ],
            }
    return found


def test_nothing_but_the_planned_cables_and_addresses() -> None:
    planned, found = plan(small()), isolated_call(account)
    assert set(found) == {node.name for node in planned.nodes}
    ends = Counter(end.node for link in planned.links for end in (link.a, link.b))
    for node in planned.nodes:
        assert found[node.name]["links"] == {"veth": ends[node.name]}, node.name
        own = {str(address) for address in node.addresses} | set(node.served)
        assert own <= found[node.name]["addresses"], node.name
        assert found[node.name]["addresses"] - own <= {"127.0.0.1", "::1"}, node.name
        assert not found[node.name]["learned"], node.name
