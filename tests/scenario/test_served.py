"""`--serve HOST='COMMAND'`: what it adds to a scenario. Pure."""

from dataclasses import replace

import pytest

from testbed.errors import InputError, Problem
from testbed.internet.services.command import Command, Readiness
from testbed.internet.services.echo import Echo
from testbed.model import Host
from testbed.scenario.served import with_served
from tests.scenario.conftest import SCENARIO, Desk

VPN = Host("vpn", ("vpn.example.net",), ("95.216.1.1",), ("2a01:4f9:0:1::1",), 24940, services=(Echo(),))


def added(desk: Desk, *texts: str, hosts: tuple[Host, ...] = ()) -> tuple[Host, ...]:
    scenario = desk.load()
    scenario = replace(scenario, world=replace(scenario.world, hosts=hosts))
    return with_served(scenario, texts).world.hosts


def test_nothing_served_changes_nothing(desk: Desk) -> None:
    scenario = desk.load()
    assert with_served(scenario, ()) == scenario


def test_a_new_host_has_the_next_addresses_and_its_name(desk: Desk) -> None:
    assert added(desk, "vpn=./serve --port=1", "files.example.net=./other") == (
        Host(
            "vpn",
            ("vpn",),
            ("95.216.1.1",),
            ("2a01:4f9:0:1::1",),
            24940,
            "FI",
            services=(Command("./serve --port=1"),),
        ),
        Host(
            "files",
            ("files.example.net",),
            ("95.216.1.2",),
            ("2a01:4f9:0:1::2",),
            24940,
            "FI",
            services=(Command("./other"),),
        ),
    )


def test_addresses_in_use_are_skipped(desk: Desk) -> None:
    new = added(desk, "other=./serve", hosts=(VPN,))[1]
    assert (new.ipv4, new.ipv6) == (("95.216.1.2",), ("2a01:4f9:0:1::2",))


@pytest.mark.parametrize("name", ["vpn", "vpn.example.net"])
def test_a_host_of_the_scenario_gets_one_more_service(desk: Desk, name: str) -> None:
    (host,) = added(desk, f"{name}=./serve", hosts=(VPN,))
    assert host == replace(VPN, services=(Echo(), Command("./serve")))


@pytest.mark.parametrize("vantage", ["mts", "outside"])
def test_a_vantage_runs_it_at_its_subscriber(desk: Desk, vantage: str) -> None:
    assert added(desk, f"{vantage}=./a", f"{vantage}=./b") == (
        Host(vantage, at=vantage, services=(Command("./a"), Command("./b"))),
    )


@pytest.mark.parametrize(
    ("text", "ready"),
    [
        ("vpn=./serve", Readiness()),
        ("vpn:4433=./serve", Readiness(tcp=4433)),
        ("vpn:4433/tcp=./serve", Readiness(tcp=4433)),
        ("vpn:1194/udp=./serve", Readiness(udp=1194)),
    ],
)
def test_the_port_is_its_readiness(desk: Desk, text: str, ready: Readiness) -> None:
    assert added(desk, text)[0].services == (Command("./serve", ready),)


def test_keys_are_unique_and_fit_an_interface(desk: Desk) -> None:
    names = ["vpn.a.example", "vpn.b.example", "far.example", "1.example", "a-very-long-first-label.example"]
    hosts = added(desk, *(f"{name}=./serve" for name in names))
    assert [host.key for host in hosts] == ["vpn", "served1", "served2", "served3", "served4"]
    assert [host.names for host in hosts] == [(name,) for name in names]


def test_an_operator_that_the_scenario_does_without_is_no_new_host(desk: Desk) -> None:
    desk.path.write_text(SCENARIO.replace("world: small.yaml\n", "world: small.yaml\noperators: [mts]\n"))
    with pytest.raises(InputError) as caught:
        added(desk, "obit=./serve")
    assert caught.value.problems == (
        Problem(
            "--serve",
            "the scenario does without the operator 'obit'",
            "its vantages are: mts, outside; give a new host another name",
        ),
    )


WRONG = {
    "vpn": ("'vpn' does not say what to serve where", "write HOST='COMMAND' or HOST:PORT='COMMAND'"),
    "=./serve": (
        "'=./serve' does not say what to serve where",
        "write HOST='COMMAND' or HOST:PORT='COMMAND'",
    ),
    "vpn:x=./serve": (
        "'vpn:x=./serve' does not say what to serve where",
        "write HOST='COMMAND' or HOST:PORT='COMMAND'",
    ),
    "vpn:0=./serve": ("'vpn:0=./serve': there is no port 0", "write a number from 1 to 65535"),
    "vpn:70000=./serve": ("'vpn:70000=./serve': there is no port 70000", "write a number from 1 to 65535"),
    "vpn=  ": ("'vpn=  ' has no command", "write vpn='COMMAND'"),
    "twitter.com=./serve": (
        "the name 'twitter.com' belongs to twitter.com already",
        "give the new host a name such as vpn or vpn.example.net",
    ),
    "dns.google=./serve": (
        "the name 'dns.google' belongs to dns.google already",
        "give the new host a name such as vpn or vpn.example.net",
    ),
    "far=./serve": ("'far' is a reserved word", "give the new host another name"),
    "VPN=./serve": (
        "'VPN' is not a host name",
        "give the new host a name such as vpn or vpn.example.net",
    ),
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_text_is_refused(desk: Desk, text: str) -> None:
    with pytest.raises(InputError) as caught:
        added(desk, text)
    assert caught.value.problems == (Problem("--serve", *WRONG[text]),)


def test_every_wrong_text_is_named(desk: Desk) -> None:
    with pytest.raises(InputError) as caught:
        added(desk, "far=./a", "fine=./b", "vpn")
    assert [problem.message for problem in caught.value.problems] == [
        "'far' is a reserved word",
        "'vpn' does not say what to serve where",
    ]
