"""What DNS says of a site: not there, other addresses by resolver, the same ones in turn; and the usual."""

from dataclasses import replace

import dns.message
import dns.rdatatype
import pytest

from testbed.internet.zone import Zone, answer
from tests.internet.emulated import TWITTER, WORLD

EDGES = ("104.244.43.1", "104.244.43.2", "2606:1f80:f000:2::1")


def asked(egress: str, times: int = 1, **changes: object) -> list[list[str]]:
    """The A records that the resolver at `egress` gives, time after time; [] if there is no such name."""
    site = replace(TWITTER, **changes)  # type: ignore[arg-type]
    world = replace(WORLD, sites=tuple(site if one == TWITTER else one for one in WORLD.sites))
    zone = Zone.from_world(world).seen_from(egress)
    query = dns.message.make_query("twitter.com", "A").to_wire()
    replies = [dns.message.from_wire(answer(query, zone) or b"") for _ in range(times)]
    return [[record.address for rrset in reply.answer for record in rrset] for reply in replies]


def test_all_addresses_are_given() -> None:
    assert asked("8.8.8.8", edges=EDGES) == [[TWITTER.ipv4, *EDGES[:2]]]


def test_a_site_may_be_unknown_to_dns() -> None:
    assert asked("8.8.8.8", in_dns=False) == [[]]


def test_each_resolver_has_an_address_of_its_own() -> None:
    given = {tuple(asked(f"8.8.8.{n}", edges=EDGES, answers="by resolver")[0]) for n in range(1, 40)}
    assert given == {(TWITTER.ipv4,), (EDGES[0],), (EDGES[1],)}
    assert asked("8.8.8.8", 3, edges=EDGES, answers="by resolver") == 3 * asked(
        "8.8.8.8", edges=EDGES, answers="by resolver"
    )


def test_addresses_come_in_turn() -> None:
    first, second, third, fourth = asked("8.8.8.8", 4, edges=EDGES, answers="rotating")
    assert {one[0] for one in (first, second, third)} == {TWITTER.ipv4, *EDGES[:2]}
    assert (sorted(first), fourth) == (sorted(second), first)


def test_each_resolver_takes_its_own_turns() -> None:
    """Also those that one process serves: what another is asked changes nothing."""
    site = replace(TWITTER, edges=EDGES, answers="rotating")
    world = replace(WORLD, sites=tuple(site if one == TWITTER else one for one in WORLD.sites))
    known = Zone.from_world(world)
    zones = [known.seen_from(egress) for egress in ("8.8.8.8", "91.76.0.53")]
    query = dns.message.make_query("twitter.com", "A").to_wire()
    turns = [[answer(query, zone) for _ in range(2)] for zone in (zones[0], zones[1], zones[0])]
    assert turns[0] == turns[1] != turns[2]


@pytest.mark.parametrize("version", [4, 6])
def test_hosts_serve_at_every_address(version: int) -> None:
    from testbed.internet.hosts import far_hosts

    site = replace(TWITTER, edges=EDGES)
    world = replace(WORLD, sites=(site,))
    [host] = [one for one in far_hosts(world) if one.key == "twitter.com"]
    wanted = [one for one in site.addresses if (":" in one) == (version == 6)]
    assert list(host.ipv6 if version == 6 else host.ipv4) == wanted
