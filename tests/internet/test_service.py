"""How servers begin, end and die: in forked children, without a world."""

import asyncio
import os
import signal
import sys
import time

import pytest

from testbed.internet.service import run_service, run_together


async def forever(ready):
    ready()
    await asyncio.sleep(3600)


async def fails(ready):
    ready()
    await asyncio.sleep(0.1)
    raise ValueError("a bug")


async def returns(ready):
    ready()


def started(target):
    """(process, whether it became ready) of `target` run in a child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.close(reading)
        target(lambda: os.write(writing, b"."))
        os._exit(77)
    os.close(writing)
    return child, os.read(reading, 1) == b"."


def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def service(serve):
    return lambda ready: run_service(serve, ready)


def together(*serves):
    targets = {str(number): service(serve) for number, serve in enumerate(serves)}
    return lambda ready: run_together(targets, ready)


@pytest.mark.parametrize("target", [service(forever), together(forever, forever)])
def test_sigterm_ends_it_at_once_with_status_0(target):
    child, ready = started(target)
    assert ready
    os.kill(child, signal.SIGINT)  # Ctrl-C is not for us
    time.sleep(0.05)
    began = time.monotonic()
    os.kill(child, signal.SIGTERM)
    assert ended(child) == 0
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize("serve", [fails, returns])
@pytest.mark.parametrize("run", [service, lambda serve: together(forever, serve)])
def test_a_server_that_ends_is_a_failure(serve, run):
    child, _ = started(run(serve))  # beside another, it may end before that one is ready
    assert ended(child) == 1


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_children_end_with_the_parent(number, tmp_path):
    def noted(name):
        async def serve(ready):
            (tmp_path / name).write_text(str(os.getpid()))
            await forever(ready)

        return serve

    child, _ = started(together(noted("a"), noted("b")))
    processes = [int((tmp_path / name).read_text()) for name in "ab"]
    assert all(map(alive, processes))
    os.kill(child, number)
    ended(child)
    deadline = time.monotonic() + 2
    while any(map(alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(alive, processes))


def test_a_child_that_hangs_is_killed_and_named(tmp_path):
    async def hangs(ready):
        ready()
        os.kill(os.getpid(), signal.SIGSTOP)

    def target(ready):
        sys.stderr = (tmp_path / "log").open("w")
        run_together({"fine": service(forever), "hung": service(hangs)}, ready)

    child, ready = started(target)
    assert ready
    os.kill(child, signal.SIGTERM)
    assert ended(child) == 1
    assert (tmp_path / "log").read_text().startswith("service hung was killed by SIGKILL when asked to stop")


def test_ready_waits_for_all():
    async def slow(ready):
        await asyncio.sleep(0.2)
        ready()
        await asyncio.sleep(3600)

    began = time.monotonic()
    child, ready = started(together(forever, slow))
    assert ready
    assert time.monotonic() - began >= 0.2
    os.kill(child, signal.SIGTERM)
    ended(child)
