"""OpenVPN and WireGuard sessions under the rules of August 2023: they begin, and fall silent."""

import socket
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from testbed.censor.actions.data_drop import is_data
from testbed.censor.decision import Direction
from testbed.censor.packet import parse
from testbed.censor.parsers import Protocol
from testbed.internet.authority import self_signed
from testbed.scenario.loader import load
from tests.clients import tunnel
from tests.clients.hellos import crossings
from tests.clients.lab import Ran, Rule, Server, as_subscriber, listening, needs, python

pytestmark = [
    pytest.mark.slow,
    pytest.mark.world("tun", "ping"),
    needs("openvpn", "openvpn"),
    needs("wireguard-go", "wireguard-go"),
    needs("wg", "wireguard-tools"),
]
FOREIGN, DOMESTIC = "www.wikipedia.org", "vk.com"
HOME: Rule = {"name": "home", "match": {"ip": "country:RU"}, "action": "allow"}
PORTS = {"openvpn": tunnel.OPENVPN, "openvpn-tcp": tunnel.OPENVPN, "wireguard": tunnel.WIREGUARD}
PROTOCOLS: dict[str, Protocol] = {"openvpn": "openvpn", "openvpn-tcp": "openvpn", "wireguard": "wireguard"}
LIMITS = {"openvpn": 15, "openvpn-tcp": 15, "wireguard": 2}  # data packets, both ways together
kinds = pytest.mark.parametrize("kind", list(PORTS))


def dropping(kind: str) -> Rule:
    protocol = PROTOCOLS[kind]
    return {"name": kind, "match": {"protocol": protocol}, "action": {"data-drop": {"protocol": protocol}}}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return new_keys(tmp_path / "keys")


def new_keys(folder: Path) -> Path:
    """Both ends' keys for both kinds of tunnel, in a new folder."""
    folder.mkdir(parents=True)
    for end in ("server", "client"):
        certificate, key = self_signed([end])
        (folder / f"{end}.crt").write_text(certificate, "ascii")
        shown = x509.load_pem_x509_certificate(certificate.encode()).fingerprint(SHA256())
        (folder / f"{end}.fingerprint").write_text(shown.hex(":"), "ascii")
        private = subprocess.run(["wg", "genkey"], check=True, capture_output=True).stdout
        public = subprocess.run(["wg", "pubkey"], input=private, check=True, capture_output=True).stdout
        (folder / f"{end}.public").write_bytes(public)
        (folder / f"{end}.wg").write_bytes(private)
        (folder / f"{end}.key").write_text(key, "ascii")
    return folder


def session(folder: Path, keys: Path, kind: str, name: str, rules: list[Rule], profile: str = "t23") -> Ran:
    """A tunnel to a server at the address of the site `name`, and pings through it."""
    site = load("free-network").world.site_of(name)
    assert site is not None
    kept = [str(keys), site.ipv4]
    transport = socket.SOCK_STREAM if kind == "openvpn-tcp" else socket.SOCK_DGRAM
    serving = listening("" if kind == "wireguard" else site.ipv4, PORTS[kind], transport)
    server = Server("vpn", python("tunnel.py", kind, "server", *kept), serving)
    client = python("tunnel.py", kind, "client", *kept)
    return as_subscriber(folder, client, rules, profile=profile, servers=[server], capture=True)


def data_passed(ran: Ran, kind: str) -> int:
    """How many data packets of the tunnel left the box on the far side of where they came in."""
    return sum(
        is_data(PROTOCOLS[kind], packet)
        for way, capture in ((Direction.UP, ran.beyond), (Direction.DOWN, ran.capture))
        for _, direction, raw in crossings(capture)
        if direction is way and (packet := parse(raw)) and PORTS[kind] in (packet.sport, packet.dport)
    )


def stays_up(ran: Ran) -> bool:
    """The first pings may find OpenVPN's server not ready for data yet."""
    seen = ran.answers()
    return bool(seen["up"] and seen["replies"] >= tunnel.PINGS - 2)


@kinds
def test_a_session_abroad_begins_and_falls_silent(kind: str, keys: Path, tmp_path: Path) -> None:
    met = session(tmp_path / "met", keys, kind, FOREIGN, [HOME, dropping(kind)])
    seen = met.answers()
    assert seen["up"], f"the handshake completes\n{met.err}"
    assert seen["replies"] <= LIMITS[kind] // 2, "a ping and its reply are two packets"
    assert data_passed(met, kind) == LIMITS[kind]
    assert met.rules[f"mts/box/{kind}"] > 0
    assert len(met.matched(kind)) >= 1


@kinds
def test_the_twin_without_the_rule_stays_up(kind: str, keys: Path, tmp_path: Path) -> None:
    free = session(tmp_path / "free", keys, kind, FOREIGN, [])
    assert stays_up(free)
    assert data_passed(free, kind) >= 2 * (tunnel.PINGS - 2)


@kinds
def test_a_session_at_home_stays_up(kind: str, keys: Path, tmp_path: Path) -> None:
    met = session(tmp_path / "home", keys, kind, DOMESTIC, [HOME, dropping(kind)])
    assert stays_up(met)
    assert met.rules.get(f"mts/box/{kind}", 0) == 0
    assert data_passed(met, kind) >= 2 * (tunnel.PINGS - 2)


@kinds
def test_the_other_protocols_rule_does_not_touch_it(kind: str, keys: Path, tmp_path: Path) -> None:
    other = "openvpn" if kind == "wireguard" else "wireguard"
    met = session(tmp_path / "other", keys, kind, FOREIGN, [dropping(other)])
    assert stays_up(met)
    assert met.rules == {}
