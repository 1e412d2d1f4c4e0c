"""The kernel's own account of a built world, by iproute2 and not by what built it."""

import errno
import json
import subprocess
from collections import Counter
from importlib import import_module
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


A, B = netlink.LinkEnd(7, 3, "eth0", "02:00:00:00:00:01"), netlink.LinkEnd(9, 2, "out", "02:00:00:00:00:02")


def end(one: netlink.LinkEnd) -> dict[str, Any]:
    attrs = [("IFLA_IFNAME", one.name), ("IFLA_ADDRESS", one.mac), ("IFLA_NET_NS_FD", one.namespace)]
    return {"index": one.index, "attrs": attrs}


def linked(a: netlink.LinkEnd, b: netlink.LinkEnd) -> dict[str, Any]:
    data = {"attrs": [("VETH_INFO_PEER", end(b))]}
    info = {"attrs": [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", data)]}
    return {**end(a), "attrs": [*end(a)["attrs"], ("IFLA_LINKINFO", info)]}


def routed(family: int, attrs: list[tuple[str, Any]], **fields: int) -> dict[str, Any]:
    return {"family": family, "table": 254, "proto": 3, "type": 1, "attrs": attrs, **fields}


IPV4, IPV6 = 2, 10
MESSAGES = [  # ours; the class of pyroute2's that describes such a message, and what it is to say
    (netlink.veth(A, B, "x"), "ifinfmsg", linked(A, B)),
    (netlink.up(3, "eth0"), "ifinfmsg", {"index": 3, "flags": 1, "change": 1, "attrs": []}),
    (
        netlink.address("192.0.2.1", 4),
        "ifaddrmsg",
        {
            "family": IPV4,
            "prefixlen": 32,
            "index": 4,
            "attrs": [("IFA_LOCAL", "192.0.2.1"), ("IFA_ADDRESS", "192.0.2.1")],
        },
    ),
    (
        netlink.address("2001:db8::1", 4),
        "ifaddrmsg",
        {
            "family": IPV6,
            "prefixlen": 128,
            "index": 4,
            "flags": 2,
            "attrs": [("IFA_LOCAL", "2001:db8::1"), ("IFA_ADDRESS", "2001:db8::1")],
        },
    ),
    (
        netlink.neighbour("2001:db8::2", A.mac, 3),
        "ndmsg",
        {
            "family": IPV6,
            "ifindex": 3,
            "state": 0x80,
            "attrs": [("NDA_DST", "2001:db8::2"), ("NDA_LLADDR", A.mac)],
        },
    ),
    (
        netlink.route("0.0.0.0/0", 2, "192.0.2.9", "192.0.2.1"),
        "rtmsg",
        routed(
            IPV4,
            [("RTA_OIF", 2), ("RTA_GATEWAY", "192.0.2.9"), ("RTA_PREFSRC", "192.0.2.1")],
            flags=4,
        ),
    ),
    (
        netlink.route("10.0.0.0/8"),
        "rtmsg",
        routed(IPV4, [("RTA_DST", "10.0.0.0")], dst_len=8, type=7),
    ),
    (
        netlink.route("192.0.2.7/32", 3),
        "rtmsg",
        routed(IPV4, [("RTA_DST", "192.0.2.7"), ("RTA_OIF", 3)], dst_len=32, scope=253),
    ),
    (
        netlink.route("2001:db8:1::/48", 3, table=100),
        "rtmsg",
        routed(IPV6, [("RTA_DST", "2001:db8:1::"), ("RTA_OIF", 3)], dst_len=48, table=100),
    ),
    (
        netlink.lookup("in", 77)[1],
        "fibmsg",
        {"family": IPV6, "table": 77, "action": 1, "attrs": [("FRA_IIFNAME", "in")]},
    ),
]


@pytest.mark.parametrize(("ours", "kind", "values"), MESSAGES, ids=[one.what for one, _, _ in MESSAGES])
def test_a_message_is_pyroute2_s(ours: netlink.Request, kind: str, values: dict[str, Any]) -> None:
    described = getattr(import_module(f"pyroute2.netlink.rtnl.{kind}"), kind)()
    described.update(values)
    described.encode()
    head = 16  # octets of every message's header
    assert ours.message[head:] == bytes(described.data[head:])


def test_a_token_bucket_is_what_tc_makes() -> None:
    """pyroute2's carries a table that only kernels of before 2.6.32 need."""

    def main() -> list[dict[str, Any]]:
        found = []
        netlink.send([netlink.up(netlink.LOOPBACK, "lo")], "mts")
        for command in (None, "tc qdisc add dev lo root tbf rate 10mbit burst 6250 limit 125000"):
            if command:
                subprocess.run(command.split(), check=True)
            else:
                netlink.send([netlink.token_bucket(netlink.LOOPBACK, "lo", 10e6, 6250, 125_000)], "mts")
            shown = subprocess.run(
                ["tc", "-json", "-details", "qdisc", "show", "dev", "lo"],
                capture_output=True,
                check=True,
            ).stdout
            found.append({**json.loads(shown)[0], "handle": None})
            netlink.send([netlink.no_token_bucket(netlink.LOOPBACK, "lo")], "mts")
        return found

    ours, tcs = isolated_call(main)
    assert ours["kind"] == "tbf"
    assert ours == tcs
