"""The teapot as a dialogue of packets, without a kernel: `pytest examples/technique`."""

import pytest
from scapy.layers.inet import TCP
from scapy.packet import Packet
from teapot import Teapot

from testbed.censor.handover import Drop
from testbed.censor.policy import Match
from tests.censor.line import Line, Result, checksums_right, names, policy

GET = b"GET / HTTP/1.1\r\nHost: www.bbc.com\r\n\r\n"
BOTH = pytest.mark.parametrize("version", [4, 6])


def line(*, host: str = "www.bbc.com", cups: int = 2, version: int = 4) -> Line:
    return Line(policy(Match(http_host=names(host)), Teapot(cups=cups), "leg-active"), version, dport=80)


def request(on: Line) -> Result:
    on.handshake()
    return on.L(payload=GET)


@BOTH
def test_the_request_is_answered_and_dropped(version: int) -> None:
    pot = line(version=version)
    seen = request(pot)
    assert seen.arrived is None
    assert [status(packet) for packet in seen.to_inside] == [b"HTTP/1.1 418 I'm a teapot"]
    assert [packet[TCP].flags for packet in seen.to_outside] == ["RA"]
    assert all(checksums_right(packet) for packet in (*seen.to_inside, *seen.to_outside))


def test_the_kernel_gets_the_rest_of_the_connection() -> None:
    pot = line()
    assert request(pot).decision.handover == Drop(10.0)
    assert pot.L("FA").silent  # what was queued before the kernel knew
    assert pot.R(payload=b"HTTP/1.1 200 OK\r\n\r\n").silent


def test_the_pot_has_two_cups() -> None:
    pot = line()
    served = []
    for _ in range(4):
        served.append(bool(request(pot).to_inside))
        pot.new_port()
    assert served == [True, True, False, False]


def test_a_flow_is_judged_afresh_after_ten_seconds() -> None:
    pot = line()
    request(pot)
    pot.wait(9)
    assert pot.L(payload=GET).silent
    pot.wait(2)
    assert pot.L(payload=GET).to_inside


def test_another_host_gets_no_tea() -> None:
    assert request(line(host="vk.com")).untouched


def status(packet: Packet) -> bytes:
    return bytes(packet[TCP].payload).partition(b"\r\n")[0]
