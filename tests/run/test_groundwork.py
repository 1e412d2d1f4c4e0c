"""The network is built beside the loading of what works there; a failure of it is the run's."""

import os
import signal

import pytest

from testbed.errors import InvalidRunError, UnsupportedError
from testbed.run import groundwork
from testbed.run.groundwork import Groundwork
from testbed.scenario.loader import load
from testbed.world.enter import isolated_call
from testbed.world.netns import assert_ours

pytestmark = pytest.mark.world


def begun() -> Groundwork:
    return Groundwork(load("free-network"), "free", ("mts",))


def test_every_node_of_the_plan_is_there_and_belongs_to_the_world() -> None:
    def look() -> tuple[list[str], list[str]]:
        begins = begun()
        world = begins.built()
        for namespace in world.namespaces.values():
            assert_ours(namespace)
        return [node.name for node in begins.worlds.plan.nodes], list(world.namespaces)

    planned, built = isolated_call(look)
    assert {"mts", "mts.resolver", "mts.hop1", "backbone", "far", "domestic", "outside"} <= set(planned)
    assert built == planned


def test_what_the_kernel_refuses_is_what_the_caller_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise UnsupportedError("veth: this kernel has no such links")

    monkeypatch.setattr(groundwork, "build", refused)
    with pytest.raises(UnsupportedError, match="veth: this kernel has no such links"):
        isolated_call(lambda: begun().built() and None)


def test_a_builder_that_is_killed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groundwork, "build", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(
        InvalidRunError, match="the building of the world was killed by SIGKILL and left no result"
    ):
        isolated_call(lambda: begun().built() and None)
