"""Hosts and services with which no run could work are refused by `check`, each with its place and remedy."""

import pytest

from tests.scenario.conftest import SCENARIO, Desk

HOST = """\
hosts:
  vpn:
    names: vpn.example.net
    ipv4: 95.216.9.10
    ipv6: "2a01:4f9:0:9::10"
    asn: 24940
    services: [echo]
"""
MINE = """\
from dataclasses import dataclass
from typing import ClassVar
from testbed.internet.services.base import Service
@dataclass(frozen=True, slots=True)
class Mine(Service):
    key: ClassVar[str] = "mine"
    def ports(self):
        return PORTS
    def shown_by(self):
        return SHOWN
    async def serve(self, place, ready):
        ready()
"""
RESERVED = "detectors take reserved addresses for signs of censorship: use a public one"
FORM = 'write (("tcp", 17), ("udp", 17)): a tuple of transports and ports from 1 to 65535'


def with_host(desk: Desk, old: str, new: str) -> None:
    assert old in HOST
    desk.path.write_text(SCENARIO.replace("censors:\n", HOST.replace(old, new) + "censors:\n"))


WRONG = {  # old, new, place below the host, message, remedy
    "zones without a server": (
        "services: [echo]",
        "zones: [com]\n    services: [echo]",
        ".zones",
        "resolvers ask 'vpn' about its zones on port 53, where none of its services listens",
        "add the service dns, or leave the zones out",
    ),
    "zones and a server elsewhere": (
        "services: [echo]",
        "zones: [com]\n    services: [dns: 5353]",
        ".zones",
        "resolvers ask 'vpn' about its zones on port 53, where none of its services listens",
        "add the service dns, or leave the zones out",
    ),
    "IPv4 in IPv6": ("2a01:4f9:0:9::10", "::ffff:95.216.9.10", ".ipv6", "in a reserved range", RESERVED),
    "a group": ("95.216.9.10", "224.0.0.1", ".ipv4", "'224.0.0.1' is in a reserved range", RESERVED),
    "a group of IPv6": (
        "2a01:4f9:0:9::10",
        "ff0e::1",
        ".ipv6",
        "'ff0e::1' is in a reserved range",
        RESERVED,
    ),
    "this machine": ("95.216.9.10", "127.0.0.1", ".ipv4", "'127.0.0.1' is in a reserved range", RESERVED),
    "a zone": ("9::10", "9::10%eth0", ".ipv6", "has the zone of one machine", "write it without '%…'"),
    "no such folder": (
        "[echo]",
        '[command: {run: "true", folder: nosuch}]',
        ".services[0].command",
        "there is no folder 'nosuch' beside the file",
        "make it, or leave 'folder' out",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_is_refused(case: str, desk: Desk) -> None:
    old, new, place, message, remedy = WRONG[case]
    with_host(desk, old, new)
    problem = desk.problem()
    assert problem.place.endswith(f" hosts.vpn{place}")
    assert message in problem.message
    assert problem.remedy == remedy


@pytest.mark.parametrize("services", ["[dns]", "[echo, dns]", "[command: ./serve]", '["mine.py:Mine"]'])
def test_zones_with_a_server(services: str, desk: Desk) -> None:
    (desk.folder / "mine.py").write_text(MINE.replace("PORTS", '(("udp", 53),)').replace("SHOWN", "()"))
    with_host(desk, "services: [echo]", f"zones: [t.example]\n    services: {services}")
    assert desk.load().world.hosts[0].zones == ("t.example",)


@pytest.mark.parametrize(
    "wrong", ['(("sctp", 17), ("tcp", 70000))', "17", '(("tcp", 0),)', '[("tcp", 17)]', '("tcp", 17)', "None"]
)
@pytest.mark.parametrize("method", ["ports", "shown_by"])
def test_ports_of_ones_own_service(method: str, wrong: str, desk: Desk) -> None:
    ports, shown = (wrong, "()") if method == "ports" else ("()", wrong)
    (desk.folder / "mine.py").write_text(MINE.replace("PORTS", ports).replace("SHOWN", shown))
    with_host(desk, "[echo]", '["mine.py:Mine"]')
    problem = desk.problem()
    assert problem.place.endswith(" hosts.vpn.services[0]")
    assert problem.message.startswith(f"mine.py:5: {method}() of Mine returns ")
    assert problem.remedy == FORM
