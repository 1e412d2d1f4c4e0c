"""Which Unix sockets of the machine answer: all that a program may connect or send to."""

import socket
from contextlib import closing
from pathlib import Path

import pytest

from testbed.world.hostsockets import bound

pytestmark = pytest.mark.world("unix-diag")


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM])
@pytest.mark.parametrize("met", [False, True], ids=["fresh", "somebody has connected to it"])
def test_a_socket_that_answers_is_found(tmp_path: Path, kind: socket.SocketKind, met: bool) -> None:
    path = tmp_path / "socket"
    with closing(socket.socket(socket.AF_UNIX, kind)) as server:
        server.bind(str(path))
        if kind != socket.SOCK_DGRAM:
            server.listen()
        if met:
            with closing(socket.socket(socket.AF_UNIX, kind)) as client:
                client.connect(str(path))
        found = [one for one in bound() if one.path == str(path)]
        assert {one.inode for one in found} == {path.stat().st_ino & 0xFFFFFFFF}


def test_one_that_is_closed_is_not(tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as server:
        server.bind(str(tmp_path / "socket"))
    assert str(tmp_path / "socket") not in [one.path for one in bound()]
