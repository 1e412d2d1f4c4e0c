"""The plan: pure."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from testbed.errors import InputError
from testbed.model import Host, LinkQuality, Site
from testbed.world.plan import plan
from testbed.world.transit import GATEWAY

from .worlds import HOUSED4, KEYS, SITE4, SITE6, operator, small


def changed(world, **fields):
    return type(world)(
        **{name: fields.get(name, getattr(world, name)) for name in world.__dataclass_fields__}
    )


def walk(laid, start, goal):
    """Follow the routes like a packet; the nodes it passes, and None where one answers "unreachable"."""
    owner = {a: n.name for n in laid.nodes for a in (*n.addresses, *n.served)}
    peer = {(near.node, near.name): far for link in laid.links for near, far in link.ends}
    tables = {(each.node, each.arriving): each.table for each in laid.lookups}
    passed, here, arrived = [start], start, ""
    while owner.get(goal) != here:
        table = tables.get((here, arrived), 0)
        at_hand = [r for r in laid.routes if (r.node, r.table) == (here, table)]
        fitting = [r for r in at_hand if ip_address(goal) in ip_network(r.to)]
        best = max(fitting, key=lambda r: ip_network(r.to).prefixlen)
        if not best.dev:
            return [*passed, None]
        end = peer[here, best.dev]
        hops = GATEWAY if end.node == here else next(n.addresses for n in laid.nodes if n.name == end.node)
        assert best.via in {"", *hops}
        here, arrived = end.node, end.name
        passed.append(here)
        if here == "far" and goal not in owner:
            return passed
        assert len(passed) < 60, f"a loop: {passed}"
    return passed


CHAIN = ["transit"] * 7


def test_names_and_interfaces_are_those_everybody_uses():
    laid = plan(small(1, hops=4))
    names = {
        "mts",
        "mts.hop1",
        "mts.hop2",
        "mts.hop3",
        "mts.hop4",
        "mts.resolver",
        "backbone",
        "transit",
        "far",
        "domestic",
        "outside",
    }
    assert {node.name for node in laid.nodes} == names
    ends = {str(end) for link in laid.links for end in (link.a, link.b)}
    assert {"mts.hop1:in", "mts.hop1:out", "mts.hop4:in", "mts.hop4:out", "mts.hop4:dns"} <= ends
    assert {node.name for node in laid.nodes if node.forwards} == {n for n in names if "hop" in n} | {
        "backbone",
        "transit",
    }


def test_operators_can_be_chosen():
    laid = plan(small(4), ["beeline", "outside"])
    core = {"backbone", "transit", "far", "domestic", "outside"}
    assert {n.name.partition(".")[0] for n in laid.nodes} == {"beeline", *core}
    assert [o.key for o in plan(small(4)).operators] == list(KEYS)


@pytest.mark.parametrize("version", [0, 1])
def test_every_pair_of_nodes_has_a_way_there_and_back(version):
    laid = plan(small(2))
    ends = [n for n in laid.nodes if not n.forwards]
    for a in ends:
        for b in ends:
            way = walk(laid, a.name, b.addresses[version])
            assert way == walk(laid, b.name, a.addresses[version])[::-1]
    hops = [f"mts.hop{i}" for i in range(1, 6)]
    assert walk(laid, "mts", laid.vantage_address("outside")[version]) == [
        "mts",
        *hops,
        "backbone",
        *CHAIN,
        "outside",
    ]


def test_servers_are_far_even_in_an_operators_own_range():
    laid = plan(small(2))
    for goal in (SITE4, HOUSED4, "8.8.8.8"):
        for vantage in ("mts", "beeline"):
            assert walk(laid, vantage, goal)[-9:] == ["backbone", *CHAIN, "far"]
            assert walk(laid, "far", laid.vantage_address(vantage)[0])[:9] == ["far", *CHAIN, "backbone"]


@pytest.mark.parametrize("count", [1, 2, 12])
def test_servers_at_home_are_nearer_whatever_the_number_of_transit_routers(count):
    world = small(1)
    site = Site(("vk.com",), "87.240.132.78", "2a00:bdc0::1", 47541, "RU")
    laid = plan(replace(world, sites=(*world.sites, site), transit=count))
    hops = ["mts", *(f"mts.hop{i}" for i in range(1, 6)), "backbone"]
    for version, goal in enumerate((site.ipv4, site.ipv6)):
        home = laid.vantage_address("mts")[version]
        outside = laid.vantage_address("outside")[version]
        assert walk(laid, "mts", goal) == [*hops, "domestic"]
        assert walk(laid, "domestic", home) == [*hops, "domestic"][::-1]
        assert walk(laid, "mts", outside) == [*hops, *["transit"] * count, "outside"]
        assert walk(laid, "outside", goal) == ["outside", *["transit"] * count, "backbone", "domestic"]
        assert walk(laid, "domestic", outside) == walk(laid, "outside", goal)[::-1]


def test_home_is_where_most_operators_are():
    world = small(2)
    french = replace(operator(2, "sfr"), country="FR")
    world = replace(world, operators=(*world.operators, french))
    sites = (
        Site(("a.ru",), "87.240.132.78", "2a00:bdc0::1", 1, "RU"),
        Site(("b.fr",), "80.125.160.10", "2a02::1", 1, "FR"),
    )
    laid = plan(replace(world, sites=sites))
    assert walk(laid, "sfr", sites[0].ipv4)[-1] == walk(laid, "mts", sites[0].ipv4)[-1] == "domestic"
    assert walk(laid, "sfr", sites[1].ipv4)[-1] == walk(laid, "mts", sites[1].ipv4)[-1] == "far"


@pytest.mark.parametrize("count", [0, 31])
def test_the_number_of_transit_routers_has_bounds(count):
    with pytest.raises(InputError, match=f"{count} transit routers"):
        plan(replace(small(1), transit=count))


def test_an_address_nobody_has_ends_at_the_last_hop_and_loops_nowhere():
    laid = plan(small(1))
    assert walk(laid, "mts", "213.87.0.77")[-2:] == ["mts.hop5", None]
    assert walk(laid, "far", "2a00:1fa0::77")[-2:] == ["mts.hop5", None]
    assert walk(laid, "mts", "1.2.3.4")[-1] == "far"  # which does not forward: no answer, as from a dead host


def test_addresses_come_from_the_operators_prefixes():
    laid = plan(small(1))
    assert laid.vantage_address("mts") == ("213.87.0.100", "2a00:1fa0::100")
    assert laid.resolver_address("mts") == ("213.87.0.53", "2a00:1fa0::53")
    chosen = laid.operators[0]
    for node in laid.nodes:
        if node.name.startswith("mts"):
            assert ip_address(node.addresses[0]) in chosen.prefix4
            assert ip_address(node.addresses[1]) in chosen.prefix6
    every = [a for n in laid.nodes for a in (*n.addresses, *n.served)]
    assert len(every) == len(set(every))
    macs = [end.mac for link in laid.links for end in (link.a, link.b)]
    assert len(macs) == len(set(macs))


def test_qualities_go_where_they_belong():
    access, backbone = LinkQuality(delay=0.02), LinkQuality(delay=0.005)
    laid = plan(small(1, access=access, backbone=backbone))
    by_ends = {(str(link.a), str(link.b)): link.quality for link in laid.links}
    assert by_ends.pop(("mts:eth0", "mts.hop1:in")) == access
    assert by_ends.pop(("mts.hop5:out", "backbone:mts")) == backbone
    assert set(by_ends.values()) == {LinkQuality()}


SITE = Site(("x.org",), "5.6.7.8", "2a00::1", 1)


@pytest.mark.parametrize(
    ("world", "said"),
    [
        (
            changed(small(1), operators=(operator(0), operator(0, "beeline"))),
            "overlaps 213.87.0.0/24 of operator 'mts'",
        ),
        (
            changed(small(1), sites=(SITE, Site(("y.org",), "5.6.7.8", "2a00::2", 1))),
            "5.6.7.8 belongs to x.org already",
        ),
        (
            changed(small(1), sites=(Site(("y.org",), "213.87.0.53", "2a00::2", 1),)),
            "213.87.0.53 belongs to mts.resolver already",
        ),
        (
            changed(small(1), sites=(Site(("y.org",), "8.8.8.8", "2a00::2", 1),)),
            "8.8.8.8 belongs to y.org already",
        ),
        (changed(small(1), sites=(Site(("y.org",), "1.2.3", "2a00::2", 1),)), "'1.2.3' is not an IP address"),
        (changed(small(1), sites=(Site(("y.org",), "2a00::3", "2a00::2", 1),)), "not an IPv4 address"),
        (small(1, prefix4=ip_network("95.216.0.0/16")), "holds 95.216.0.100 of every world's outside"),
        (small(1, prefix4=ip_network("213.87.0.0/26")), "too small"),
        (small(1, prefix6=ip_network("2a00::/120")), "too small"),
        (small(1, hops=60), "60 hops"),
        (changed(small(1), operators=(operator(0, "far"),)), "'far' is a reserved word"),
        (
            changed(small(1), operators=(operator(0, "a-key-that-is-too-long"),)),
            "is not a valid key for an operator",
        ),
    ],
)
def test_what_cannot_be_laid_out_is_named(world, said):
    with pytest.raises(InputError, match=said):
        plan(world)


def test_an_unknown_operator_gets_a_suggestion():
    with pytest.raises(InputError, match="no operator 'beelin'; did you mean 'beeline'"):
        plan(small(2), ["beelin"])


def test_all_problems_are_said_at_once():
    with pytest.raises(InputError) as caught:
        plan(changed(small(1), operators=(operator(0, hops=0), operator(0, "far"))))
    assert len(caught.value.problems) >= 3


VPN = Host(
    "vpn", ("vpn.example.net",), ("95.216.1.1", "95.216.1.2"), ("2a01:4f9:0:1::1", "2a01:4f9:0:1::2"), 24940
)


@pytest.mark.parametrize("goal", [*VPN.ipv4, *VPN.ipv6])
def test_a_host_abroad_is_reached_at_all_its_addresses_and_answers(goal):
    laid = plan(changed(small(2), hosts=(VPN,)), ["mts"])
    assert walk(laid, "mts", goal)[-9:] == ["backbone", *CHAIN, "vpn"]
    assert walk(laid, "outside", goal) == ["outside", "transit", "vpn"]
    home = laid.vantage_address("mts")[":" in goal]
    assert walk(laid, "vpn", home)[:9] == ["vpn", *CHAIN, "backbone"]
    assert walk(laid, "vpn", home)[-1] == "mts"


@pytest.mark.parametrize("goal", [*VPN.ipv4, *VPN.ipv6])
def test_a_host_at_home_is_at_the_backbone(goal):
    laid = plan(changed(small(2), hosts=(replace(VPN, country="RU"),)), ["mts"])
    assert walk(laid, "mts", goal)[-2:] == ["backbone", "vpn"]
    assert walk(laid, "outside", goal) == ["outside", *CHAIN, "backbone", "vpn"]
    home = laid.vantage_address("mts")[":" in goal]
    assert walk(laid, "vpn", home)[:2] == ["vpn", "backbone"]


def test_a_host_at_a_vantage_needs_no_node_of_its_own():
    world = small(2)
    assert plan(changed(world, hosts=(Host("helper", at="mts"),))).nodes == plan(world).nodes


@pytest.mark.parametrize("goal", ["95.216.0.7", "2a01:4f9::7"])
def test_addresses_that_outside_adds_to_itself_are_routed_there(goal):
    laid = plan(small(1))
    outside = laid.node("outside")
    added = replace(outside, served=(goal,))
    laid = replace(laid, nodes=tuple(added if node is outside else node for node in laid.nodes))
    assert walk(laid, "mts", goal)[-2:] == ["transit", "outside"]


@pytest.mark.parametrize("goal", ["95.216.0.9", "2a01:4f9::9"])
def test_a_site_in_the_range_of_outside_is_on_the_far_side(goal):
    world = small(1)
    site = Site(("a.example",), "95.216.0.9", "2a01:4f9::9", 1)
    laid = plan(changed(world, sites=(*world.sites, site)))
    assert walk(laid, "mts", goal)[-2:] == ["transit", "far"]


def test_a_hosts_address_is_used_once():
    with pytest.raises(
        InputError, match=r"hosts.vpn.ipv4\[0\]: the address 104.244.42.1 belongs to twitter.com already"
    ):
        plan(changed(small(1), hosts=(replace(VPN, ipv4=(SITE4,)),)))


@pytest.mark.parametrize("version", [0, 1])
def test_a_twin_is_a_second_subscriber_on_the_first_hop(version):
    """Its packets take the way of the subscriber's, and the answers come back to it."""
    laid, site = plan(small(2), twins=True), (SITE4, SITE6)[version]
    without = {node.name for node in plan(small(2)).nodes}
    twins = {"mts.twin", "beeline.twin", "outside.twin"}
    assert {node.name for node in laid.nodes} - without == twins
    assert walk(laid, "mts.twin", site)[1:] == walk(laid, "mts", site)[1:]
    for twin in twins:
        address = laid.node(twin).addresses[version]
        vantage = twin.removesuffix(".twin")
        back = walk(laid, "far", laid.node(vantage).addresses[version])
        assert address != laid.node(vantage).addresses[version]
        assert walk(laid, "far", address) == [*back[:-1], twin]
    ends = {str(end) for link in laid.links for end in (link.a, link.b)}
    assert {"mts.hop1:in-twin", "mts.twin:eth0"} <= ends
