"""How true the kernel's policers are: rates over 30 s, and what TCP makes of them."""

import socket
import time

import pytest

from testbed.censor.actions.policer import Policer
from testbed.censor.decision import PASS, Decision, Direction
from testbed.censor.profiles import PROFILES
from testbed.world.enter import isolated_call
from tests.middlebox.lab import CLIENT, FAMILY, SERVER, Lab, Stub, payload_of, policy

pytestmark = [pytest.mark.world, pytest.mark.slow]

RATE = 140_000.0  # bit/s
VOLUME = 400_000  # bytes


def deciding(action):
    """A core that hands every flow with data to the action's buckets."""
    answer = Decision(handover=action.handovers(PROFILES["t21"])[0], rule=0)
    return Stub(lambda raw, *_: answer if payload_of(raw) else PASS)


def datagrams(family, rate, way, size, seconds=30.0, settle=2.0):
    """Send at twice the rate; the rate of IP packets received over `seconds`, the full bucket spent."""
    header = {4: 28, 6: 48}[family]

    def send(sock, to):
        gap, end = (size + header) * 8 / (2 * rate), time.monotonic() + settle + seconds + 0.5
        due = time.monotonic()
        while due < end:
            time.sleep(max(0.0, due - time.monotonic()))
            sock.sendto(bytes(size), to)
            due += gap

    def receive(sock):
        sock.recv(2000)
        start, octets = time.monotonic() + settle, 0
        while (now := time.monotonic()) < start + seconds:
            got = len(sock.recv(2000)) + header
            octets += got if now >= start else 0
        return octets * 8 / seconds

    def server():
        with socket.socket(FAMILY[family], socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            sock.bind((SERVER[family], 7000))
            _first, client = sock.recvfrom(100)
            return send(sock, client) if way is Direction.DOWN else receive(sock)

    def client():
        with socket.socket(FAMILY[family], socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            sock.bind((CLIENT[family], 7001))
            time.sleep(0.3)  # the server must be bound
            sock.sendto(b"go", (SERVER[family], 7000))
            return receive(sock) if way is Direction.DOWN else send(sock, (SERVER[family], 7000))

    return server, client


def stream(family, way):
    """`VOLUME` bytes over TCP; seconds from connecting to the last byte received."""

    def receive(sock):
        left = VOLUME
        while left:
            left -= len(sock.recv(left))

    def server():
        with socket.create_server((SERVER[family], 7000), family=FAMILY[family]) as listening:
            sock, _ = listening.accept()
            with sock:
                sock.recv(2)
                if way is Direction.DOWN:
                    sock.sendall(bytes(VOLUME))
                else:
                    receive(sock)
                    sock.sendall(b"done")
                sock.recv(1)

    def client():
        time.sleep(0.3)
        start = time.monotonic()
        with socket.create_connection((SERVER[family], 7000)) as sock:
            sock.sendall(b"go")
            if way is Direction.DOWN:
                receive(sock)
            else:
                sock.sendall(bytes(VOLUME))
                sock.recv(4)
            return time.monotonic() - start

    return server, client


def policed(action, ends):
    """Run both ends behind a policer; what each returned."""

    def body():
        lab = Lab()
        running = lab.censor(deciding(action), policy(action, profile="t21"))
        children = [lab.fork(where, end) for where, end in zip(("server", "client"), ends, strict=True)]
        values = [child.result(90) for child in children]
        return values, running.stop().rules["r0"]["kernel"]

    return isolated_call(body)


@pytest.mark.parametrize(
    ("family", "rate", "burst", "size", "way"),
    [
        (4, RATE, 16_384, 1_000, Direction.DOWN),
        (4, RATE, 16_384, 1_000, Direction.UP),
        (6, RATE, 16_384, 1_000, Direction.DOWN),
        (4, 5_200.0, 1_500, 472, Direction.DOWN),
        (4, 2e6, 16_384, 1_200, Direction.DOWN),
    ],
)
def test_the_rate_asked_is_the_rate_achieved(family, rate, burst, size, way):
    action = Policer(rate=rate, burst=burst, idle=600.0)
    values, kernel = policed(action, datagrams(family, rate, way, size))
    achieved = next(value for value in values if value is not None)
    assert 0.97 <= achieved / rate <= 1.03
    assert kernel["policed_drop"] > 0


@pytest.mark.parametrize("way", Direction)
@pytest.mark.parametrize("limited", [True, False])
def test_tcp_through_the_policer_of_2021(way, limited):
    """IMC21 §5: 130-150 kbit/s, down and up; the twin polices the other direction only."""
    other = {Direction.UP: "down", Direction.DOWN: "up"}[way]
    action = Policer(rate=RATE, direction="both" if limited else other)
    (_, took), kernel = policed(action, stream(4, way))
    goodput = VOLUME * 8 / took
    if limited:
        assert 130e3 <= goodput <= 150e3
        assert kernel["policed_drop"] > 0
    else:
        assert goodput > 1e6
