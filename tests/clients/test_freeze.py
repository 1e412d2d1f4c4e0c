"""Real clients under the freeze of 2025: HTTPS stops after 14 to 34 KB, SSH is spared."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from testbed.censor.decision import Direction
from testbed.censor.packet import TCP, parse
from testbed.scenario.loader import load
from tests.clients.hellos import crossings
from tests.clients.lab import FREE, Ran, Rule, Server, as_subscriber, found, listening, needs, python

pytestmark = [pytest.mark.slow, pytest.mark.world("curl")]
SSH: Rule = {"name": "ssh", "match": {"protocol": "ssh"}, "action": "allow"}
LIMITS = {"by packets": {"packets": 25}, "by bytes": {"octets": "20 KiB"}}  # both ways, headers included
limits = pytest.mark.parametrize("limit", list(LIMITS))
MEGABYTE, PORT = 1_000_000, 22
ARRIVES = range(14_000, 34_001)  # bytes, of which the tester of this freeze speaks
TIMED_OUT = 28  # curl's exit status
AS_ROOT = pytest.mark.skipif(
    os.geteuid() != 0, reason="sshd changes its user, which a namespace of one user does not allow: be root"
)


def address(name: str) -> str:
    site = load("free-network").world.site_of(name)
    assert site is not None
    return site.ipv4


def freezing(limit: str) -> list[Rule]:
    frozen = {"name": "hosting", "match": {"ip": f"site:{FREE}"}, "action": {"freeze": LIMITS[limit]}}
    return [SSH, frozen]


def arrived(ran: Ran) -> int:
    """Bytes of TCP payload that came down to the subscriber from port 443, each counted once."""
    pieces = {
        (packet.sport, packet.dport, packet.seq): len(packet.payload)
        for _, direction, raw in crossings(ran.capture)
        if direction is Direction.DOWN and (packet := parse(raw)) and packet.protocol == TCP
    }
    return sum(size for (port, _, _), size in pieces.items() if port == 443)


def https(folder: Path, count: int, rules: Sequence[Rule], name: str = FREE, profile: str = "t25") -> Ran:
    """HTTP/1.1: with HTTP/2's own frames the whole of 8 KB takes 28 packets, at the very edge of 25."""
    url = f"https://{name}/bytes/{count}"
    curl = ["curl", "--http1.1", "-4", "-sS", "-m", "4", "-o", "/dev/null", "-w", "%{size_download}", url]
    return as_subscriber(folder, curl, rules, profile=profile, capture=True)


@limits
def test_a_page_of_64_kilobytes_stops_half_way(limit: str, tmp_path: Path) -> None:
    met = https(tmp_path / "met", 65_536, freezing(limit))
    assert met.status == TIMED_OUT, met.err
    assert "reset" not in met.err.lower()
    assert arrived(met) in ARRIVES
    assert int(met.out) <= arrived(met), "curl counts whole TLS records, which may be none"
    assert met.rules["mts/box/hosting"] > 0


@limits
def test_a_page_of_8_kilobytes_completes(limit: str, tmp_path: Path) -> None:
    met = https(tmp_path / "met", 8192, freezing(limit))
    assert (met.status, met.out) == (0, "8192"), met.err


@limits
def test_64_kilobytes_from_elsewhere_complete(limit: str, tmp_path: Path) -> None:
    met = https(tmp_path / "met", 65_536, freezing(limit), "vk.com")
    assert (met.status, met.out, met.rules) == (0, "65536", {}), met.err


def test_the_twin_without_the_rule_completes(tmp_path: Path) -> None:
    free = https(tmp_path / "free", 65_536, [])
    assert (free.status, free.out) == (0, "65536"), free.err
    assert arrived(free) > 65_536


def poured(folder: Path, rules: Sequence[Rule], profile: str = "t25") -> Ran:
    """A megabyte of random bytes from the port where an SSH server would be."""
    there = address(FREE)
    pour = python("pour.py", "serve", there, str(PORT), str(MEGABYTE))
    server = Server("pour", pour, listening(there, PORT))
    return as_subscriber(
        folder, python("pour.py", "fetch", there, str(PORT), "3"), rules, profile=profile, servers=[server]
    )


@limits
def test_random_bytes_freeze_on_the_port_of_ssh_too(limit: str, tmp_path: Path) -> None:
    met = poured(tmp_path / "met", freezing(limit))
    assert 0 < met.answers() < ARRIVES.stop
    assert met.rules["mts/box/hosting"] > 0
    assert poured(tmp_path / "free", []).answers() == MEGABYTE


def over_ssh(folder: Path, rules: Sequence[Rule], profile: str = "t25") -> Ran:
    """A megabyte through an SSH session, from sshd's side to ours."""
    there = address(FREE)
    keys = folder.with_name(f"{folder.name}-keys")
    keys.mkdir(parents=True)
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / key)], check=True)
    settings = f"""\
ListenAddress {there}
HostKey {keys}/host
AuthorizedKeysFile {keys}/user.pub
StrictModes no
UsePAM no
PidFile none
PermitRootLogin prohibit-password
"""
    (keys / "sshd_config").write_text(settings, "ascii")
    sshd = f"mkdir -p /run/sshd && exec {found('sshd')} -D -e -f {keys}/sshd_config"
    client = f"""\
ssh -F none -i {keys}/user -o BatchMode=yes -o IdentitiesOnly=yes -o ServerAliveInterval=2 \
    -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@{there} \
    head -c {MEGABYTE} /dev/urandom | wc -c
"""
    server = Server("sshd", ["sh", "-c", sshd], listening(there, PORT))
    return as_subscriber(folder, ["sh", "-c", client], rules, profile=profile, servers=[server], longest=20)


@AS_ROOT
@needs("sshd", "openssh-server")
@needs("ssh", "openssh-client")
@limits
def test_a_megabyte_over_ssh_is_spared(limit: str, tmp_path: Path) -> None:
    met = over_ssh(tmp_path / "met", freezing(limit))
    assert (met.status, met.out.strip()) == (0, str(MEGABYTE)), met.err
    assert "mts/box/hosting" not in met.rules
    assert len(met.matched("ssh")) == 1
    unspared = over_ssh(tmp_path / "unspared", freezing(limit)[1:])
    assert int(unspared.out) < ARRIVES.stop, "the twin: without the rule for SSH it freezes like the rest"
    assert over_ssh(tmp_path / "free", []).out.strip() == str(MEGABYTE)
