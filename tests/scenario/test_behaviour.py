"""Behaviour, certificates, HTTPS records, zones and STUN in world and scenario files."""

import pytest

from testbed.model import ORDINARY, Behaviour
from tests.scenario.conftest import Desk

TWITTER = "{names: [twitter.com, t.co], ipv4: 104.244.42.1"


def with_sites(desk: Desk, lines: str) -> None:
    text = desk.path.read_text()
    desk.path.write_text(text.replace("phases:\n", f"sites:\n{lines}\nphases:\n", 1))


def with_behaviour(desk: Desk, given: str) -> None:
    world = desk.path.with_name("small.yaml")
    world.write_text(world.read_text().replace(TWITTER, f"{TWITTER}, {given}"))


def test_a_world_gives_behaviour_to_a_site(desk: Desk) -> None:
    with_behaviour(
        desk,
        "behaviour: {redirect: 'https://vk.com/', wait: 2 s, pace: 64 kbit/s, size: 9 kB, refuses: RU, "
        "headers: ['X-Cache: HIT', 'Server:'], early_answer: 413, window: 200, mss: 88}, "
        "certificate: expired, https_record: [h3, h2], ech: AAT+DQAA",
    )
    twitter, vk, _ = desk.load().world.sites
    assert twitter.behaviour == Behaviour(
        redirect="https://vk.com/",
        wait=2.0,  # type: ignore[arg-type]
        pace=64_000.0,  # type: ignore[arg-type]
        size=9000,  # type: ignore[arg-type]
        refuses=("RU",),
        headers=("X-Cache: HIT", "Server:"),
        early_answer=413,
        window=200,
        mss=88,
    )
    assert (twitter.certificate, twitter.https_record) == ("expired", ("h3", "h2"))
    assert (twitter.ech, vk.ech) == ("AAT+DQAA", "")
    assert (vk.behaviour, vk.certificate, vk.https_record) == (ORDINARY, "trusted", ())


def test_a_scenario_gives_behaviour_to_a_site_of_its_world(desk: Desk) -> None:
    with_behaviour(desk, "certificate: expired")
    with_sites(desk, "  t.co: {behaviour: {status: 451}}\n  vk.com: {certificate: incomplete}")
    twitter, vk, _ = desk.load().world.sites
    assert (twitter.behaviour, twitter.certificate) == (Behaviour(status=451), "expired")
    assert (vk.behaviour, vk.certificate) == (ORDINARY, "incomplete")


@pytest.mark.parametrize(
    ("given", "message", "remedy"),
    [
        ("  twiter.com: {}", "no site of the world is called 'twiter.com'", "did you mean 'twitter.com'?"),
        ("  t.co: {behaviour: {status: 99}}", "99", ""),
        ("  t.co: {behaviour: {refuses: ru}}", "'ru' is not a country", "write one like RU"),
        ("  t.co: {behaviour: {headers: [X-Cache]}}", "is not a header", "write one like x-cache: HIT"),
        ("  t.co: {behaviour: {mss: 40}}", "40", ""),
        ("  t.co: {behaviour: {pace: 64}}", "it has no unit", "140 kbit/s"),
        ("  t.co: {certificate: revoked}", "revoked", ""),
        ("  t.co: {https_record: spdy}", "spdy", ""),
        ("  t.co: {ech: 'no key'}", "'no key' is no ECHConfigList", "in base64"),
        ("  t.co: {ech: AAX+DQAA}", "is no ECHConfigList", "in base64"),
    ],
)
def test_what_cannot_be_is_refused(desk: Desk, given: str, message: str, remedy: str) -> None:
    with_sites(desk, given)
    (problem,) = desk.problems()
    assert problem.place.startswith("scenario.yaml:") or "sites" in problem.place
    assert message in problem.message
    assert remedy in problem.remedy


HOST = """\
hosts:
  tunnel:
    names: ns.tunnel.example
    ipv4: 95.216.1.10
    ipv6: "2a01:4f9:0:1::10"
    asn: 24940
    zones: ZONE
    behaviour: {status: 403}
    services: [dns, {web: {https: null}}]
phases:
"""


def with_host(desk: Desk, zone: str) -> None:
    desk.path.write_text(desk.path.read_text().replace("phases:\n", HOST.replace("ZONE", zone), 1))


def test_a_zone_is_delegated_to_a_host(desk: Desk) -> None:
    with_host(desk, "t.example")
    (host,) = desk.load().world.hosts
    assert (host.zones, host.behaviour) == (("t.example",), Behaviour(status=403))


def test_a_zone_cannot_be_a_name_of_another_server(desk: Desk) -> None:
    with_host(desk, "t.co")
    (problem,) = desk.problems()
    assert "'t.co' belongs to twitter.com already" in problem.message
