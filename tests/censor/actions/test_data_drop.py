"""Silence after data packets, on the core. C numbers are the conformance cases' names."""

from ipaddress import ip_network

import pytest

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.data_drop import DropAfterData
from testbed.censor.handover import Drop
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from tests.censor.line import Line, hello, opened, policy, sni
from tests.censor.parsers.real import (
    OVPN_ACK,
    OVPN_CLIENT_RESET,
    OVPN_DATA,
    WG_DATA,
    WG_INITIATION,
    WG_RESPONSE,
)

BOTH = pytest.mark.parametrize("version", [4, 6])

DATA_V1 = bytes([6 << 3]) + OVPN_DATA[1:]  # P_DATA_V1 instead of V2


def wireguard(version: int = 4, kernel: bool = True, **fields: object) -> Line:
    action = DropAfterData("wireguard", **fields)
    with_policy = policy(Match(protocol=("wireguard",)), action, "t23")
    line = Line(with_policy, version, udp=True, dport=51820, kernel=kernel)
    assert line.L(payload=WG_INITIATION).arrived is not None
    assert line.R(payload=WG_RESPONSE).untouched
    return line


def openvpn(version: int = 4, *, udp: bool = True, dport: int = 1194, **fields: object) -> Line:
    action = DropAfterData("openvpn", **fields)
    with_policy = policy(Match(protocol=("openvpn",), ports=(dport,)), action, "t23")
    line = Line(with_policy, version, udp=udp, dport=dport)
    if not udp:
        line.handshake()
    return line


@BOTH
@pytest.mark.parametrize("kernel", [True, False])
def test_c75_wireguard_is_silent_after_two_data_packets(version: int, kernel: bool) -> None:
    line = wireguard(version, kernel)
    assert line.L(payload=WG_DATA[:32]).untouched
    assert line.R(payload=WG_DATA).untouched
    third = line.L(payload=WG_DATA)
    assert third.silent
    assert isinstance(third.decision.handover, Drop)
    assert third.decision.rule == 0
    for result in (line.R(payload=WG_DATA), line.L(payload=WG_INITIATION), line.R(payload=WG_RESPONSE)):
        assert result.silent


def test_handshakes_are_not_counted() -> None:
    line = wireguard()
    for _ in range(20):
        assert line.L(payload=WG_INITIATION).untouched
        assert line.R(payload=WG_RESPONSE).untouched
    assert line.L(payload=WG_DATA).untouched


@BOTH
@pytest.mark.parametrize("udp", [True, False])
@pytest.mark.parametrize("data", [DATA_V1, OVPN_DATA])
def test_c76_openvpn_is_silent_after_fifteen(version: int, udp: bool, data: bytes) -> None:
    line = openvpn(version, udp=udp)

    def framed(packet: bytes) -> bytes:
        return packet if udp else len(packet).to_bytes(2, "big") + packet

    assert line.L(payload=framed(OVPN_CLIENT_RESET)).fired
    for _ in range(20):
        assert line.R(payload=framed(OVPN_ACK)).untouched
    results = [(line.L if number % 2 else line.R)(payload=framed(data)) for number in range(20)]
    assert [result.silent for result in results] == [False] * 15 + [True] * 5
    assert line.L(payload=framed(OVPN_ACK)).silent


def test_the_number_may_be_given() -> None:
    line = wireguard(packets=0)
    assert line.L(payload=WG_DATA).silent
    line = wireguard(packets=1000)
    assert all(line.L(payload=WG_DATA).untouched for _ in range(100))


def test_c77_to_an_exempt_network_it_passes() -> None:
    rules = (
        Rule("russian", Match(ip=(ip_network("104.244.42.0/24"),)), Allow()),
        Rule("wireguard", Match(protocol=("wireguard",)), DropAfterData("wireguard")),
    )
    line = Line(Policy("box", PROFILES["t23"], rules), udp=True, dport=51820)
    line.L(payload=WG_INITIATION)
    assert all(line.L(payload=WG_DATA).arrived is not None for _ in range(20))


def test_a_quiet_tunnel_is_remembered_and_a_dead_one_forgotten() -> None:
    line = wireguard()
    for _ in range(2):
        line.wait(400)
        assert line.L(payload=WG_DATA).untouched
    line.wait(400)
    assert line.L(payload=WG_DATA).silent
    for _ in range(3):
        line.wait(400)
        assert line.L(payload=WG_INITIATION).silent
    line.wait(430)
    assert line.L(payload=WG_INITIATION).arrived is not None


@BOTH
def test_c98_faketls_loses_its_application_data(version: int) -> None:
    line = opened(sni(DropAfterData("tls"), profile="t26"), version)
    assert line.L(payload=hello()).arrived is not None
    assert line.R(payload=b"\x16\x03\x03\x00\x40" + bytes(64)).untouched, "the handshake completes"
    for _ in range(9):
        assert line.R(payload=b"\x17\x03\x03\x00\x40" + bytes(64)).untouched, "a long certificate, encrypted"
    assert line.L(payload=b"\x14\x03\x03\x00\x01\x01").untouched
    assert line.L(payload=b"\x17\x03\x03\x00\x40" + bytes(64)).silent
    assert line.R(payload=b"\x17\x03\x03\x00\x40" + bytes(64)).silent


def test_a_clienthello_sent_again_does_not_end_the_handshake() -> None:
    record = b"\x17\x03\x03\x00\x20" + bytes(32)
    for again in (hello(), b"\x14\x03\x03\x00\x01\x01" + hello()):
        line = opened(sni(DropAfterData("tls"), profile="t26"))
        assert line.L(payload=hello()).arrived is not None
        assert line.R(payload=b"\x16\x03\x03\x00\x20" + bytes(32)).untouched, "a HelloRetryRequest"
        assert line.L(payload=again).arrived is not None
        assert line.R(payload=record).untouched, "the handshake goes on"
        assert line.L(payload=record).arrived is not None
        assert line.R(payload=record).silent
