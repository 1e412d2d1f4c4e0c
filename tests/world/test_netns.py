import os
import subprocess
from pathlib import Path

import pytest

from testbed.errors import InvalidRunError
from testbed.world import linux
from testbed.world.children import call
from testbed.world.enter import isolated_call
from testbed.world.netns import Namespace, assert_ours, inside

pytestmark = pytest.mark.world


def here() -> int:
    return Path("/proc/thread-self/ns/net").stat().st_ino


def test_going_in_and_coming_back():
    def main():
        home, one = here(), Namespace.create("mts.hop1")
        with inside(one):
            within = here()
        with pytest.raises(ValueError, match="x"), inside(one):
            raise ValueError("x")
        entered = call(here, namespace=one) == within
        ip = ["ip", "netns", "exec", "mts.hop1", "readlink", "/proc/self/ns/net"]
        by_name = subprocess.run(ip, capture_output=True, text=True, check=True).stdout
        again = os.fstat(Namespace.open("mts.hop1").fd).st_ino
        return home == here(), home != within, entered, str(within) in by_name, again == within

    assert isolated_call(main) == (True, True, True, True, True)


def test_a_namespace_of_ours_is_recognised():
    def main():
        one = Namespace.create("mts")
        assert_ours(one)
        with inside(one):
            assert_ours()
            assert_ours(Namespace.open("mts"))

    isolated_call(main)


def test_any_other_is_refused():
    def main():
        with pytest.raises(InvalidRunError, match="not created by this world"):
            assert_ours()  # main's own namespace is not a node: no filter belongs there
        one = Namespace.create("mts")
        subprocess.run(["ip", "netns", "add", "stranger"], check=True)
        with pytest.raises(InvalidRunError, match="stranger: not created by this world"):
            assert_ours(Namespace.open("stranger"))
        with pytest.raises(InvalidRunError, match="not created by this world"):
            assert_ours(Namespace("mts", Namespace.open("stranger").fd))  # another under a known name
        with inside(one):
            linux.unshare(linux.CLONE_NEWNET)
            with pytest.raises(InvalidRunError, match="not created by this world"):
                assert_ours()

    isolated_call(main)


def test_the_hosts_own_is_refused():
    with pytest.raises(InvalidRunError, match="not inside a world"):
        assert_ours()
    with pytest.raises(InvalidRunError, match="not inside a world"):
        Namespace.create("mts")
    assert not Path("/run/netns/mts").exists()
