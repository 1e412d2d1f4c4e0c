"""Which flows a subscriber itself had with a site, and which an earlier tool had."""

import socket

import pytest

from testbed.middlebox.reached import FlowsWith, ReachedServers, read_flows, read_reached
from testbed.world.enter import isolated_call
from testbed.world.netns import inside
from tests.middlebox.lab import CLIENT, FAMILY, PORT, SERVER, Lab, echo

pytestmark = pytest.mark.world


def asked(version, size):
    """A connection that sends so many bytes and has them back: its socket, which stays open, and its port."""
    stream = socket.create_connection((SERVER[version], PORT), 30)
    stream.sendall(bytes(size))
    got = 0
    while got < size:
        got += len(stream.recv(1 << 16))
    return stream, stream.getsockname()[1]


def datagram(version):
    """The port of an answered one."""
    with socket.socket(FAMILY[version], socket.SOCK_DGRAM) as sock:
        sock.settimeout(30)
        sock.connect((SERVER[version], PORT))
        sock.send(b"x")
        sock.recv(9)
        return sock.getsockname()[1]


@pytest.mark.parametrize("version", [4, 6])
def test_flows_with_a_site_since_a_moment(version):
    own, site = {CLIENT[version]}, {SERVER[version]}

    def flows(lab):
        with inside(lab.ns["hop"]):
            return read_flows(own, site)

    def body():
        lab = Lab()
        echo(lab)
        counting = ReachedServers()
        with inside(lab.ns["hop"]):
            counting.begin(own, site, site)
            counting.wait()
        with inside(lab.ns["client"]):
            earlier, _ = asked(version, 1)
            before = flows(lab)
            with earlier:  # what it still sends is more than many an answer
                earlier.sendall(bytes(60_000))
                while len(earlier.recv(60_000, socket.MSG_PEEK | socket.MSG_WAITALL)) < 60_000:
                    pass
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((SERVER[version], PORT + 1), 30)
            socket.create_connection((SERVER[version], PORT), 30).close()  # a handshake alone
            none = flows(lab).since(before)
            stream, port = asked(version, 1)
            stream.close()
            ports = {"tcp": port, "udp": datagram(version)}
            some = flows(lab).since(before)
        with inside(lab.ns["hop"]):
            return none, some, ports, read_reached()

    none, some, ports, others = isolated_call(body)
    assert none == set()
    assert some == {
        f"{kind} {CLIENT[version]}:{port} > {SERVER[version]}:{PORT}" for kind, port in ports.items()
    }
    assert others == (), "a site is no other server"


@pytest.mark.parametrize("version", [4, 6])
def test_a_later_fragment_has_no_port(version):
    """What is at its place is data: ports that nobody used were counted."""

    def body():
        lab = Lab()
        echo(lab)
        counting = ReachedServers()
        with inside(lab.ns["hop"]):
            counting.begin({CLIENT[version]}, (), ())
            counting.wait()
        with inside(lab.ns["client"]):
            datagram(version)
            with socket.socket(FAMILY[version], socket.SOCK_DGRAM) as sock:
                sock.sendto(b"\x12\x34" * 3000, (SERVER[version], PORT))
                datagram(version)
        with inside(lab.ns["hop"]):
            return read_reached()

    [found] = isolated_call(body)
    assert (found.transport, found.port) == ("udp", PORT)
    assert found.octets > 1400, "the first fragment is counted"


def test_nothing_is_no_flow():
    assert FlowsWith().since(FlowsWith()) == set()
