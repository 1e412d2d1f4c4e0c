"""World files that cannot be: overlaps, doubles, reserved ranges."""

from pathlib import Path

import pytest

from testbed.scenario.library import find_world
from testbed.scenario.worldfile import load_world
from tests.scenario.conftest import Desk

CASES = {
    "prefixes overlap": (
        "95.161.144.0/20",
        "91.76.4.0/24",
        "small.yaml:4 operators.obit.prefix4",
        "91.76.4.0/24 overlaps 91.76.0.0/16 of operator 'mts'",
        "its own",
    ),
    "IPv6 prefixes overlap": (
        "2a03:8c00::/32",
        "2a02:28:1::/48",
        "small.yaml:4 operators.obit.prefix6",
        "2a02:28:1::/48 overlaps 2a02:28::/32 of operator 'mts'",
        "its own",
    ),
    "same address twice": (
        "ipv4: 87.240.132.78",
        "ipv4: 104.244.42.1",
        "small.yaml:7 sites[1].ipv4",
        "104.244.42.1 belongs to twitter.com already",
        "both names on one site",
    ),
    "resolver's address": (
        "ipv4: 87.240.132.78",
        "ipv4: 8.8.8.8",
        "small.yaml:10 resolvers.dns.google.ipv4[0]",
        "8.8.8.8 belongs to vk.com already",
        "",
    ),
    "site with a resolver's address": (
        "87.240.132.78",
        "91.76.0.53",
        "small.yaml:7 sites[1].ipv4",
        "91.76.0.53 belongs to mts.resolver already",
        "another",
    ),
    "same name twice": (
        "[vk.com]",
        "[vk.com, t.co]",
        "small.yaml:7 sites[1].names[1]",
        "'t.co' belongs to twitter.com already",
        "remove",
    ),
    "prefix with the backbone": (
        "95.161.144.0/20",
        "87.245.0.0/16",
        "small.yaml:4 operators.obit.prefix4",
        "87.245.0.0/16 holds 87.245.192.1 of every world's backbone and 87.245.192.2 of every world's far",
        "another prefix",
    ),
    "IPv6 prefix with the outside host": (
        "2a03:8c00::/32",
        "2a01:4f9::/48",
        "small.yaml:4 operators.obit.prefix6",
        "2a01:4f9::/48 holds 2a01:4f9::100 of every world's outside",
        "another prefix",
    ),
    "site with the backbone's address": (
        "87.240.132.78",
        "87.245.192.1",
        "small.yaml:7 sites[1].ipv4",
        "87.245.192.1 belongs to every world's backbone already",
        "another",
    ),
    "reserved address": (
        "87.240.132.78",
        "192.0.2.1",
        "small.yaml:7 sites[1].ipv4",
        "'192.0.2.1' is in a reserved range",
        "detectors",
    ),
    "private prefix": (
        "95.161.144.0/20",
        "10.0.0.0/16",
        "small.yaml:4 operators.obit.prefix4",
        "'10.0.0.0/16' is in a reserved range",
        "detectors",
    ),
    "host bits": (
        "95.161.144.0/20",
        "95.161.144.1/20",
        "small.yaml:4 operators.obit.prefix4",
        "'95.161.144.1/20' is not an IPv4 prefix",
        "'95.161.144.0/20'",
    ),
    "IPv6 for IPv4": (
        "87.240.132.78",
        '"2a00::1"',
        "small.yaml:7 sites[1].ipv4",
        "'2a00::1' is not an IPv4 address",
        "IPv4",
    ),
    "prefix too small": (
        "95.161.144.0/20",
        "95.161.144.0/26",
        "small.yaml:4 operators.obit.prefix4",
        "too small",
        "/25",
    ),
    "reserved key": (
        "obit:",
        "outside:",
        "small.yaml:4 operators.outside",
        "'outside' is a reserved word",
        "another",
    ),
    "key too long": (
        "obit:",
        "obit-of-saint-petersburg:",
        "small.yaml:4 operators.obit-of-saint-petersburg",
        "is not a valid key for an operator",
        "15",
    ),
    "block page without a site": (
        "http://page.ru/",
        "http://page.com/",
        "small.yaml:3 operators.mts.block_page",
        "no site answers to 'page.com'",
        "sites",
    ),
    "too few hops": (
        "name: OBIT,",
        "name: OBIT, hops: 3,",
        "small.yaml:4 operators.obit.hops",
        "3 is too small",
        "write 4 or more",
    ),
    "wrong unit": (
        "name: OBIT,",
        "name: OBIT, access: {delay: 20},",
        "small.yaml:4 operators.obit.access.delay",
        "20 is not a time",
        "75 s",
    ),
    "unknown key": (
        "kind: fixed",
        "kind: fixed, asm: 1",
        "small.yaml:4 operators.obit.asm",
        "unknown key 'asm'",
        "did you mean 'asn'?",
    ),
    "wrong kind": (
        "kind: fixed",
        "kind: wired",
        "small.yaml:4 operators.obit.kind",
        "'wired' is not one of",
        "",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_says_place_value_and_remedy(case: str, desk: Desk) -> None:
    old, new, place, message, remedy = CASES[case]
    desk.world(old, new)
    problem = desk.problem()
    assert problem.place == place
    assert message in problem.message
    assert remedy in problem.remedy


def test_links_have_units(desk: Desk) -> None:
    desk.world(
        "name: OBIT,", "name: OBIT, access: {rate: 20 Mbit/s, delay: 15 ms, jitter: 3 ms, loss: 0.5 %},"
    )
    access = desk.load().world.operator("obit").access
    assert (access.rate, access.delay, access.jitter, access.loss) == (20e6, 0.015, 0.003, 0.005)


def test_library_world_has_the_cast() -> None:
    """Every name of the episodes, with two addresses, and every operator with its AS."""
    world, _ = load_world(find_world("runet", Path(), ""))
    cast = (
        "twitter.com t.co abs.twimg.com pbs.twimg.com upload.twitter.com "
        "facebook.com static.xx.fbcdn.net instagram.com linkedin.com bbc.com "
        "dw.com meduza.io vk.com ok.ru wikipedia.org "
        "reddit.com microsoft.com example.com throttletwitter.com kremlin.ru "
        "gosuslugi.ru web.telegram.org youtube.com "
    )
    assert [name for name in cast.split() if world.site_of(name) is None] == []
    neutral, listed = world.site_of("speed.example.net"), world.site_of("abs.twimg.com")
    assert neutral is listed  # the same server under two names
    asns = {operator.key: operator.asn for operator in world.operators}
    assert asns == {
        "rostelecom": 12389,
        "mts": 8359,
        "beeline": 8402,
        "megafon": 31133,
        "tele2": 12958,
        "ertelecom": 50544,
        "obit": 8492,
        "yota": 31213,
        "triolan": 13188,
        "kyivstar": 15895,
        "sfr": 15557,
        "kpn": 1136,
        "tmobile-cz": 13036,
    }
    assert {resolver.name for resolver in world.resolvers} >= {
        "dns.google",
        "one.one.one.one",
        "dns.quad9.net",
    }
