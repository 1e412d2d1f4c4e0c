"""An overloaded server resets or leaves a share of its connections; the twin serves them all."""

import socket

import pytest

from testbed.internet.overload import overloaded
from testbed.internet.sockets import stream_socket, udp_socket
from testbed.model import Behaviour


def served(given: Behaviour, tries: int = 60) -> dict[str, int]:
    """What becomes of so many connections to a server that greets."""
    listening = overloaded(stream_socket("127.0.0.1", 0), given)
    fates = {"served": 0, "reset": 0, "silent": 0}
    with listening:
        for _ in range(tries):
            with socket.create_connection(listening.getsockname()) as client:
                client.settimeout(0.2)
                try:
                    connection, _ = listening.accept()
                except BlockingIOError:
                    pass
                else:
                    connection.send(b"hello")
                    connection.close()
                try:
                    fates["served" if client.recv(9) else "reset"] += 1
                except TimeoutError:
                    fates["silent"] += 1
                except ConnectionResetError:
                    fates["reset"] += 1
    return fates


def test_an_ordinary_one_serves_all() -> None:
    assert served(Behaviour()) == {"served": 60, "reset": 0, "silent": 0}


def test_resets_and_silence_have_their_shares() -> None:
    fates = served(Behaviour(resets=0.4, silent=0.3))
    assert fates["reset"] == pytest.approx(24, abs=15)
    assert fates["silent"] == pytest.approx(18, abs=14)
    assert fates["served"] > 3


def test_all_may_be_left_without_an_answer() -> None:
    assert served(Behaviour(silent=1.0), tries=5) == {"served": 0, "reset": 0, "silent": 5}


def test_datagrams_of_a_flow_share_its_fate() -> None:
    server = overloaded(udp_socket("127.0.0.1", 0), Behaviour(silent=0.5))
    with server:
        got = []
        for _ in range(40):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                for text in (b"1", b"2"):
                    client.sendto(text, server.getsockname())
            got.append(_waiting(server))
    assert set(got) == {0, 2}


def _waiting(server: socket.socket) -> int:
    count = 0
    while True:
        try:
            server.recvfrom(9)
        except BlockingIOError:
            return count
        count += 1
