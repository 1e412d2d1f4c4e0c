"""The kernel's own account of a built world, by iproute2 and not by what built it."""

import errno
import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from testbed.errors import InvalidRunError, UnsupportedError
from testbed.world import netlink
from testbed.world.build import build
from testbed.world.enter import isolated_call
from testbed.world.netns import inside
from testbed.world.plan import plan

from .worlds import small

pytestmark = pytest.mark.world

FIXED = {"PERMANENT", "NOARP"}  # NOARP: multicast


def ip(*words: str) -> list[dict[str, Any]]:
    """What `ip -json` prints."""
    shown = subprocess.run(["ip", "-json", *words], capture_output=True, text=True, check=True).stdout
    return json.loads(shown or "[]")


def account() -> dict[str, Any]:
    """For each namespace: links, global addresses, learned neighbours, sources of the default routes."""
    built = build(plan(small()))
    found = {}
    for name, namespace in built.namespaces.items():
        with inside(namespace):
            links = [link for link in ip("-details", "link") if link["link_type"] == "ether"]
            addresses = [address for link in ip("addr") for address in link["addr_info"]]
            default = [ip(version, "route", "show", "default")[0] for version in ("-4", "-6")]
            found[name] = {
                "links": Counter(link["linkinfo"]["info_kind"] for link in links),
                "addresses": {a["local"] for a in addresses if a["scope"] == "global"},
                "learned": [n for n in ip("neigh") if not FIXED & set(n["state"])],
                "sources": [route.get("prefsrc") for route in default],
            }
    return found


def test_nothing_but_the_planned_cables_and_addresses() -> None:
    planned, found = plan(small()), isolated_call(account)
    assert set(found) == {node.name for node in planned.nodes}
    ends = Counter(end.node for link in planned.links for end in (link.a, link.b))
    for node in planned.nodes:
        assert found[node.name]["links"] == {"veth": ends[node.name]}, node.name
        own = {str(address) for address in node.addresses} | set(node.served)
        own |= {address for _, address in node.further}
        assert own <= found[node.name]["addresses"], node.name
        assert found[node.name]["addresses"] == own, node.name
        assert not found[node.name]["learned"], node.name
        # a program that makes its own packets finds its address here, unless it is on a router
        expected = [None, None] if node.forwards else [str(address) for address in node.addresses]
        assert found[node.name]["sources"] == expected, node.name


def refused(*requests: netlink.Request) -> None:
    isolated_call(lambda: netlink.send(requests, "mts"))


def test_a_refused_step_is_named_with_its_node_and_the_kernels_reason() -> None:
    first, second = netlink.address("192.0.2.1", netlink.LOOPBACK), netlink.route("192.0.2.0/24", 77)
    with pytest.raises(InvalidRunError, match=r"^building mts: route 192\.0\.2\.0/24: .*No such device"):
        refused(first, second, first)
    with pytest.raises(InvalidRunError, match=r"^building mts: address 192\.0\.2\.1: .*File exists"):
        refused(first, first, second)


def test_what_the_kernel_lacks_is_unsupported() -> None:
    known = netlink.token_bucket(netlink.LOOPBACK, "lo", 1e6, 3000, 15_000)
    refused(netlink.up(netlink.LOOPBACK, "lo"), known)
    unknown = netlink.Request(known.what, known.message.replace(b"tbf\0", b"tbx\0"), lacking=errno.ENOENT)
    with pytest.raises(UnsupportedError, match=r"^building mts: qdisc tbf of lo: .*kind is unknown"):
        refused(unknown)


def test_more_requests_than_one_system_call_takes() -> None:
    def main() -> list[str]:
        netlink.send([netlink.address(f"192.0.2.{n}", netlink.LOOPBACK) for n in range(1, 201)], "mts")
        return [address["local"] for address in ip("-4", "addr")[0]["addr_info"]]

    assert isolated_call(main) == ["127.0.0.1", *(f"192.0.2.{n}" for n in range(1, 201))]


def test_pyroute2_is_whole_for_others() -> None:
    ours = "import sys, testbed.world.netlink; assert 'pyroute2' not in sys.modules"
    subprocess.run([sys.executable, "-c", f"{ours}; from pyroute2 import IPRoute, NDB"], check=True)
