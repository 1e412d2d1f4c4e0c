"""HTTP/3 of real clients against the blanket rule of 2022 and the rules by name that followed."""

from pathlib import Path

import pytest

from testbed.censor.decision import Direction
from testbed.censor.packet import UDP, parse
from testbed.scenario.loader import load
from tests.clients.hellos import crossings
from tests.clients.lab import FREE, LISTED, Ran, as_subscriber, python

pytestmark = [pytest.mark.slow, pytest.mark.world]
pytest.importorskip("curl_cffi", reason="the Python package curl_cffi is missing (make test-all)")

DEAD = {"drop": {"residual": "420 s", "refresh": True}}
BLANKET = {"name": "blanket", "match": {"quic": {"version": 1, "min_payload": 1001}}, "action": DEAD}
NAMED = {"name": "named", "match": {"quic.sni": [LISTED]}, "action": DEAD}
EXEMPT = {"name": "exempt", "match": {"ip": "site:vk.com", "transport": "udp"}, "action": "allow"}

DONE, SILENCE = 0, 28  # libcurl's codes
ONE_DATAGRAM = ("chrome120", "safari184")  # shapes of curl_cffi, whose QUIC is ngtcp2
TWO_DATAGRAMS = ("chrome146", "firefox147", "safari260")  # with a post-quantum key
AIOQUIC = "aioquic"  # one datagram, filled up with zeros outside the packet
AT_ONCE = 0.05  # seconds; the first retransmission comes after 0.2 or more
CLIENTS = (*ONE_DATAGRAM, *TWO_DATAGRAMS, AIOQUIC)


def client(which: str, name: str, version: str = "1") -> list[str]:
    """Two handshakes with `name`, 1.5 seconds each at most."""
    if which == AIOQUIC:
        site = load("free-network").world.site_of(name)
        assert site is not None
        return python("quic.py", name, site.ipv4, "2", "1.5", version)
    return python("handshakes.py", which, name, "2", "quic", "1.5")


def first_flight(ran: Ran) -> list[bytes]:
    """The client's datagrams at first, before any is sent again: the server loads HTTP/3 only when asked."""
    sent = [
        (now, packet.payload)
        for now, direction, raw in crossings(ran.capture)
        if direction is Direction.UP
        and (packet := parse(raw))
        and (packet.protocol, packet.dport) == (UDP, 443)
    ]
    return [payload for now, payload in sent if now < sent[0][0] + AT_ONCE]


@pytest.mark.parametrize("which", CLIENTS)
def test_the_shape_of_the_first_flight(which: str, tmp_path: Path) -> None:
    ran = as_subscriber(tmp_path / "free", client(which, LISTED), capture=True)
    assert ran.answers() == [DONE, DONE], "the twin: nothing in the way"
    sent = first_flight(ran)
    assert len(sent) == (2 if which in TWO_DATAGRAMS else 1)
    assert {len(datagram) for datagram in sent} == {1200}
    assert {datagram[1:5] for datagram in sent} == {b"\0\0\0\1"}
    assert (not any(sent[0][-200:])) == (which == AIOQUIC)


@pytest.mark.parametrize("which", CLIENTS)
def test_the_blanket_rule_silences_every_client_and_every_name(which: str, tmp_path: Path) -> None:
    for name in (LISTED, FREE):
        met = as_subscriber(tmp_path / name, client(which, name), [BLANKET], profile="t22")
        assert met.answers() == [SILENCE, SILENCE]
        assert met.rules["mts/box/blanket"] >= 2
    spared = as_subscriber(tmp_path / "vk", client(which, "vk.com"), [EXEMPT, BLANKET], profile="t22")
    assert spared.answers() == [DONE, DONE]


def test_another_version_passes_the_blanket_rule(tmp_path: Path) -> None:
    """QUIC version 2: only version 1 was looked for."""
    two = "0x6b3343cf"
    met = as_subscriber(tmp_path / "met", client(AIOQUIC, FREE, two), [BLANKET], profile="t22")
    assert (met.answers(), met.rules) == ([DONE, DONE], {})


@pytest.mark.parametrize("which", CLIENTS)
@pytest.mark.parametrize("profile", ["t23", "t24", "t25", "t26"])
def test_rules_by_name(profile: str, which: str, tmp_path: Path) -> None:
    """The boxes of 2023 follow neither several datagrams nor zeros outside the packet."""
    reads = profile != "t23" or which in ONE_DATAGRAM
    met = as_subscriber(tmp_path / "listed", client(which, LISTED), [NAMED], profile=profile)
    assert met.answers() == ([SILENCE, SILENCE] if reads else [DONE, DONE])
    assert bool(met.rules) == reads
    other = as_subscriber(tmp_path / "other", client(which, FREE), [NAMED], profile=profile)
    assert (other.answers(), other.rules) == ([DONE, DONE], {})
