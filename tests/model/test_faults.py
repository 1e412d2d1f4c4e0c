"""The rules of a world, on worlds made in Python. Files: tests/scenario/test_world.py and test_hosts.py."""

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from testbed.errors import path_text
from testbed.internet.services.command import Command, Readiness
from testbed.internet.services.echo import Echo
from testbed.model import Host, Operator, PublicResolver, Site, World
from testbed.model.faults import world_faults
from testbed.scenario.library import find_world
from testbed.scenario.worldfile import load_world

PREFIX4, PREFIX6 = ip_network("213.87.0.0/24"), ip_network("2a00:1fa0::/48")
MTS = Operator("mts", "MTS", 8359, "RU", "mobile", PREFIX4, PREFIX6)
BEELINE = replace(MTS, key="beeline", prefix4=ip_network("91.76.0.0/16"), prefix6=ip_network("2a02:28::/32"))
TWITTER = Site(("twitter.com", "t.co"), "104.244.42.1", "2606:1f80:f000:1::1", 13414)
VK = Site(("vk.com",), "87.240.132.78", "2a00:bdc0::1", 47541)
GOOGLE = PublicResolver("dns.google", ("8.8.8.8",), ("2001:4860:4860::8888",), 15169)
VPN = Host("vpn", ("vpn.example",), ("95.216.1.1",), ("2a01:4f9:0:1::1",), 24940, services=(Echo(),))
PROXY = Host("proxy", ("proxy.example",), ("95.216.1.2",), ("2a01:4f9:0:1::2",), 24940, services=(Echo(),))
HELPER = Host("helper", at="mts", services=(Echo(),))
SOUND = World("small", (MTS,), (TWITTER,), (GOOGLE,), hosts=(VPN,))


def operator(**fields) -> World:
    return replace(SOUND, operators=(MTS, replace(BEELINE, **fields)))


def site(**fields) -> World:
    return replace(SOUND, sites=(TWITTER, replace(VK, **fields)))


def proxy(**fields) -> World:
    return replace(SOUND, hosts=(VPN, replace(PROXY, **fields)))


def helper(**fields) -> World:
    return replace(SOUND, hosts=(replace(HELPER, **fields),))


SOUND_WORLDS = {
    "small": SOUND,
    "the library's": load_world(find_world("runet", Path(), ""))[0],
    "a subscriber's services have the key of their vantage": helper(key="mts"),
    "a block page in the operator's range": site(ipv4="213.87.0.200", ipv6="2a00:1fa0::200"),
    "a block page at a host": replace(proxy(), operators=(replace(MTS, block_page="http://proxy.example/"),)),
}
WRONG = {
    "operators.mts: there is an operator 'mts' already": operator(key="mts"),
    "operators.far: 'far' is a reserved word": operator(key="far"),
    "operators.Big: 'Big' is not a valid key for an operator": operator(key="Big"),
    "operators.beeline.hops: a path of 3 hops cannot be": operator(hops=3),
    "operators.beeline.hops: a path of 21 hops cannot be": operator(hops=21),
    "operators.beeline.prefix4: 213.87.0.0/24 overlaps 213.87.0.0/24 of operator 'mts'": operator(
        prefix4=PREFIX4
    ),
    "operators.beeline.prefix6: 2a00::/16 overlaps 2a00:1fa0::/48 of operator 'mts'": operator(
        prefix6=ip_network("2a00::/16")
    ),
    "operators.beeline.prefix4: 91.76.0.0/26 is too small": operator(prefix4=ip_network("91.76.0.0/26")),
    "operators.beeline.prefix4: 95.216.0.0/24 holds 95.216.0.100 of every world's outside": operator(
        prefix4=ip_network("95.216.0.0/24")
    ),
    "operators.beeline.prefix6: '2001:db8::/32' is in a reserved range": operator(
        prefix6=ip_network("2001:db8::/32")
    ),
    "operators.beeline.sinkhole4[0]: '192.168.0.1' is in a reserved range": operator(
        sinkhole4=("192.168.0.1",)
    ),
    "operators.beeline.block_page: no site answers to 'page.com': the redirect could not be followed": (
        operator(block_page="http://page.com/")
    ),
    "sites[1].ipv4: the address 104.244.42.1 belongs to twitter.com already": site(ipv4="104.244.42.1"),
    "sites[1].ipv4: the address 213.87.0.53 belongs to mts.resolver already": site(ipv4="213.87.0.53"),
    "sites[1].ipv4: the address 87.245.192.2 belongs to every world's far already": site(ipv4="87.245.192.2"),
    "sites[1].ipv4: '192.0.2.1' is in a reserved range": site(ipv4="192.0.2.1"),
    "sites[1].ipv4: '1.2.3' is not an IP address": site(ipv4="1.2.3"),
    "sites[1].ipv6: '87.240.132.78' is not an IPv6 address": site(ipv6="87.240.132.78"),
    "sites[1].names[0]: 'Vk.com' is not a host name": site(names=("Vk.com",)),
    "sites[1].names[1]: the name 't.co' belongs to twitter.com already": site(names=("vk.com", "t.co")),
    "resolvers.dns.google: the name 'dns.google' belongs to dns.google already": site(names=("dns.google",)),
    "resolvers.dns.google.ipv4[0]: the address 8.8.8.8 belongs to vk.com already": site(ipv4="8.8.8.8"),
    "hosts.mts: there is an operator 'mts' already": proxy(key="mts"),
    "hosts.vpn: there is a host 'vpn' already": proxy(key="vpn"),
    "hosts.proxy: the key 'asn' is missing": proxy(asn=0),
    "hosts.proxy.ipv4[0]: the address 95.216.1.1 belongs to host 'vpn' already": proxy(ipv4=VPN.ipv4),
    "hosts.proxy.names[0]: the name 't.co' belongs to twitter.com already": proxy(names=("t.co",)),
    "hosts.helper.at: unknown vantage 'mtts'": helper(at="mtts"),
    "hosts.helper.asn: a host at 'mts' has the addresses of its subscriber": helper(asn=8359),
    "hosts.proxy.services[1]: 'echo' listens on TCP port 4000 already": proxy(
        services=(Echo(4000), Echo(4000))
    ),
    "hosts.proxy.services[0]: its readiness cannot be seen: 'echo' listens on UDP port 4000": proxy(
        services=(Command("./serve", Readiness(udp=4000)), Echo(4000))
    ),
}


@pytest.mark.parametrize("world", SOUND_WORLDS.values(), ids=SOUND_WORLDS)
def test_a_sound_world(world: World) -> None:
    assert [*world_faults(world)] == []


@pytest.mark.parametrize("said", WRONG)
def test_what_is_wrong_has_a_path_and_a_remedy(said: str) -> None:
    found = [*world_faults(WRONG[said])]
    assert said in [f"{path_text(fault.path)}: {fault.message}" for fault in found]
    assert all(fault.remedy for fault in found)
