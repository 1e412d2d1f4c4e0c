"""Supervision. The targets run as real processes; most need no namespace."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from testbed.errors import InvalidRunError
from testbed.world.netns import Namespace
from testbed.world.services import Services
from testbed.world.testing import in_world


def serve(ready):
    print("serving", flush=True)
    ready()
    time.sleep(60)


def until_dead(services, seconds=5.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        services.check()
        time.sleep(0.01)


def test_ready_then_stopped(tmp_path):
    with Services(tmp_path / "logs") as services:
        services.spawn("one", serve)
        services.spawn("two", serve)
        services.wait_ready(5)
        services.check()
        ended = services.stop()
    assert {name: status.ok for name, status in ended.items()} == {"one": True, "two": True}
    assert (tmp_path / "logs" / "one.log").read_text() == "serving\n"


def test_some_are_stopped_while_the_others_go_on(tmp_path):
    with Services(tmp_path) as services:
        for name in ("one", "two", "three"):
            services.spawn(name, serve)
        services.wait_ready(5)
        ended = services.stop(only=["one", "three", "unknown"])
        assert {name: status.ok for name, status in ended.items()} == {"one": True, "three": True}
        services.check()
        services.spawn("one", serve)  # the name is free again
        services.wait_ready(5)
        assert sorted(services.stop()) == ["one", "two"]


def test_an_asyncio_target_may_handle_the_signal_itself(tmp_path):
    def target(ready):
        async def main():
            stop = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
            ready()
            await stop.wait()
            print("bye")

        asyncio.run(main())

    with Services(tmp_path) as services:
        services.spawn("loop", target)
        services.wait_ready(5)
        assert services.stop()["loop"].ok
    assert (tmp_path / "loop.log").read_text() == "bye\n"


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (lambda: sys.exit(7), "service bad ended with exit status 7"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "service bad was killed by SIGKILL"),
        (lambda: None, "service bad ended with exit status 0"),  # ending unasked is a fault too
        (lambda: 1 // 0, "ZeroDivisionError"),
    ],
)
def test_a_death_is_noticed_with_status_and_log(tmp_path, end, said):
    def target(ready):
        print("last words")
        ready()
        end()

    with Services(tmp_path) as services:
        services.spawn("good", serve)
        services.spawn("bad", target)
        with pytest.raises(InvalidRunError, match=said) as caught:
            until_dead(services)
        assert "last words" in str(caught.value)
        assert "good" not in str(caught.value)
        assert not services.stop()["bad"].ok


def test_death_before_readiness_is_noticed_at_once(tmp_path):
    start = time.monotonic()
    with Services(tmp_path) as services:
        services.spawn("bad", lambda ready: sys.exit("no port"))
        with pytest.raises(InvalidRunError, match="no port"):
            services.wait_ready(30)
    assert time.monotonic() - start < 5


def test_one_that_never_gets_ready_is_named(tmp_path):
    with Services(tmp_path) as services:
        services.spawn("slow", lambda ready: time.sleep(60))
        with pytest.raises(InvalidRunError, match=r"not ready after 0.2 s: slow"):
            services.wait_ready(0.2)


def test_a_fault_while_stopping_is_told(tmp_path):
    def fails(ready):
        try:
            serve(ready)
        finally:
            sys.exit(3)

    def deaf(ready):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        serve(ready)

    with Services(tmp_path) as services:
        services.spawn("fails", fails)
        services.spawn("deaf", deaf)
        services.wait_ready(5)
        ended = services.stop(timeout=0.3)
    assert (ended["fails"].code, ended["fails"].stopped, ended["fails"].ok) == (3, True, False)
    assert (ended["deaf"].code, ended["deaf"].ok) == (-signal.SIGKILL, False)


def test_ctrl_c_does_not_reach_them(tmp_path):
    with Services(tmp_path) as services:
        services.spawn("one", serve)
        services.wait_ready(5)
        pid = services._services[0].pid
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGHUP)
        time.sleep(0.1)
        services.check()


def test_stopping_right_after_starting_is_clean(tmp_path):
    with Services(tmp_path) as services:
        for i in range(5):
            services.spawn(f"s{i}", serve)
        assert all(status.ok for status in services.stop().values())


def test_they_die_with_their_parent(tmp_path):
    note = tmp_path / "pid"
    parent = os.fork()
    if parent == 0:
        services = Services(tmp_path)
        services.spawn("one", serve)
        services.wait_ready(5)
        note.write_text(str(services._services[0].pid))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    status = Path(f"/proc/{note.read_text()}/status")
    end = time.monotonic() + 5
    while status.exists() and "Z (zombie)" not in status.read_text() and time.monotonic() < end:
        time.sleep(0.01)
    assert not status.exists() or "Z (zombie)" in status.read_text()


@pytest.mark.world
def test_they_enter_their_namespace(tmp_path):
    def target(ready):
        print(Path("/proc/self/ns/net").stat().st_ino)
        ready()
        time.sleep(60)

    def main():
        one = Namespace.create("mts")
        with Services(tmp_path) as services:
            services.spawn("inside", target, one)
            services.wait_ready(5)
        return os.fstat(one.fd).st_ino

    assert in_world(main) == int((tmp_path / "inside.log").read_text())
