"""The rigs themselves: the baseline must be free of the censor, and the measured path must not be."""

import os
import signal
import socket
from functools import partial

import pytest

from bench.material import SERVER_NAME, client_hello, listed_names, listing_policy
from bench.rig import FILTERED, FREE, SERVER, in_rig, serving
from testbed.errors import InvalidRunError

pytestmark = pytest.mark.world


def _answer(connection: socket.socket) -> None:
    if connection.recv(1 << 16):
        connection.sendall(b"!")
        connection.recv(1)


def _ask(name: str) -> bytes:
    with socket.create_connection(SERVER, timeout=2) as connection:
        connection.sendall(client_hello(name))
        try:
            return connection.recv(1)
        except TimeoutError:
            return b"nothing"


def _paths(rig):
    listed = next(name for name in listed_names(100) if not name.startswith("*"))
    with serving(rig, _answer):
        seen = {
            (vantage, name): rig.call(vantage, partial(_ask, name))
            for vantage in (FREE, FILTERED)
            for name in (SERVER_NAME, listed)
        }
        with pytest.raises(ZeroDivisionError):
            rig.call(FREE, lambda: 1 / 0)
    return listed, seen, rig.receipt()


def test_only_one_of_the_two_paths_has_the_censor():
    listed, seen, receipt = in_rig(listing_policy(100), _paths)
    assert seen == {
        (FREE, SERVER_NAME): b"!",
        (FREE, listed): b"!",
        (FILTERED, SERVER_NAME): b"!",
        (FILTERED, listed): b"nothing",
    }
    assert receipt["rules"]["register"]["kernel"]["drop"] >= 1


def _interrupted(rig):
    child = rig.laboratory._services[f"{FILTERED}.tspu"]
    rig.call(FREE, partial(_kill, child.pid))
    return rig.receipt()


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_a_censor_that_dies_ends_the_benchmark():
    with pytest.raises(InvalidRunError, match="killed by SIGKILL"):
        in_rig(listing_policy(100), _interrupted)
