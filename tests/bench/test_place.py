"""The rigs themselves: the baseline must be free of the censor, and the measured path must not be."""

import os
import signal
import socket
from functools import partial
from pathlib import Path

import pytest

from bench.material import SERVER_NAME, client_hello, listed_names, listing_policy
from bench.rig import FILTERED, FREE, SERVER, in_rig, serving
from bench.trivial import PLACE, trivial_loop
from testbed.errors import InvalidRunError
from testbed.middlebox import netfilter
from testbed.world.netns import inside

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


def _through_the_loop(rig):
    with serving(rig, _answer):
        with trivial_loop(rig):
            said = [rig.call(FREE, partial(_ask, SERVER_NAME)) for _ in range(3)]
            with inside(rig.laboratory.world.namespaces[PLACE]):
                [queue] = Path("/proc/thread-self/net/netfilter/nfnetlink_queue").read_text().splitlines()
        with inside(rig.laboratory.world.namespaces[PLACE]):
            assert not netfilter.rules()
        rig.receipt()  # nothing else is wrong
    return said, int(queue.split()[7])  # how many packets have been in it (nfnetlink_queue.c, seq_show)


def test_the_trivial_loop_gets_each_connection_up_to_its_first_data():
    assert in_rig(listing_policy(100), _through_the_loop) == ([b"!"] * 3, 3 * 4)
