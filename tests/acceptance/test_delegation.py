"""A zone of the world's DNS that a host abroad serves, asked through the operator's own resolver."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import Done

pytestmark = pytest.mark.world

SCENARIO = f"""
title: A delegated zone
period: any
sources: [our choice]
operators: [mts]
hosts:
  tunnel:
    names: ns.tunnel.example
    ipv4: 95.216.1.10
    ipv6: "2a01:4f9:0:1::10"
    asn: 24940
    ZONES
    services: [command: {{run: {sys.executable} server.py, ready: {{udp: 53}}}}]
phases: {{p: {{}}}}
default_phase: p
controls: ["https://vk.com/"]
"""

SERVER = """
import socket
import dns.flags, dns.message, dns.rrset

listening = socket.create_server(("95.216.1.10", 53))
bound = socket.socket(type=socket.SOCK_DGRAM)
bound.bind(("95.216.1.10", 53))
while True:
    query, client = bound.recvfrom(4096)
    asked = dns.message.from_wire(query)
    name = asked.question[0].name
    reply = dns.message.make_response(asked)
    reply.flags |= dns.flags.AA
    text = f'"{client[0]}, recursion {bool(asked.flags & dns.flags.RD)}"'
    reply.answer.append(dns.rrset.from_text(name, 0, "IN", "TXT", text))
    bound.sendto(reply.to_wire(), client)
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[[str], str]:
    """Write the scenario with these zones; gives its path."""

    def write(zones: str) -> str:
        (tmp_path / "server.py").write_text(SERVER)
        (tmp_path / "own.yaml").write_text(SCENARIO.replace("ZONES", zones))
        return str(tmp_path / "own.yaml")

    return write


def test_the_resolver_asks_the_zones_server(
    testbed: Callable[..., Done], scenario: Callable[[str], str]
) -> None:
    dig = ("--", "dig", "+short", "data.t.example", "TXT")
    done = testbed(scenario("zones: t.example"), "--vantage", "mts", *dig)
    assert (done.status, done.out) == (0, '"91.76.0.53, recursion False"\n'), done.err


def test_the_twin_without_a_delegation(testbed: Callable[..., Done], scenario: Callable[[str], str]) -> None:
    done = testbed(scenario(""), "--vantage", "mts", "--", "dig", "data.t.example", "TXT")
    assert "status: NXDOMAIN" in done.out
