"""Child processes: one call in one, and several that are supervised. Most need no namespace."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testbed.errors import InputError, InvalidRunError
from testbed.world.children import Call, Children, call, run_program
from testbed.world.enter import isolated_call
from testbed.world.netns import Namespace


def serve(ready):
    print("serving", flush=True)
    ready()
    time.sleep(60)


def until_dead(children, seconds=5.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        children.check()
        time.sleep(0.01)


def test_ready_then_stopped(tmp_path):
    with Children(tmp_path / "logs") as children:
        children.spawn("one", serve)
        children.spawn("two", serve)
        children.wait_ready(5)
        children.check()
        ended = children.stop()
    assert {name: status.ok for name, status in ended.items()} == {"one": True, "two": True}
    assert (tmp_path / "logs" / "one.log").read_text() == "serving\n"


def test_some_are_stopped_while_the_others_go_on(tmp_path):
    with Children(tmp_path) as children:
        for name in ("one", "two", "three"):
            children.spawn(name, serve)
        children.wait_ready(5)
        ended = children.stop(only=["one", "three", "unknown"])
        assert {name: status.ok for name, status in ended.items()} == {"one": True, "three": True}
        children.check()
        children.spawn("one", serve)  # the name is free again
        children.wait_ready(5)
        assert sorted(children.stop()) == ["one", "two"]


def test_an_asyncio_service_may_handle_the_signal_itself(tmp_path):
    def body(ready):
        async def main():
            stop = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
            ready()
            await stop.wait()
            print("bye")

        asyncio.run(main())

    with Children(tmp_path) as children:
        children.spawn("loop", body)
        children.wait_ready(5)
        assert children.stop()["loop"].ok
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
    def body(ready):
        print("last words")
        ready()
        end()

    with Children(tmp_path) as children:
        children.spawn("good", serve)
        children.spawn("bad", body)
        with pytest.raises(InvalidRunError, match=said) as caught:
            until_dead(children)
        assert "last words" in str(caught.value)
        assert "good" not in str(caught.value)
        assert not children.stop()["bad"].ok


def test_death_before_readiness_is_noticed_at_once(tmp_path):
    start = time.monotonic()
    with Children(tmp_path) as children:
        children.spawn("bad", lambda ready: sys.exit("no port"))
        with pytest.raises(InvalidRunError, match="no port"):
            children.wait_ready(30)
    assert time.monotonic() - start < 5


def test_one_that_never_gets_ready_is_named(tmp_path):
    with Children(tmp_path) as children:
        children.spawn("slow", lambda ready: time.sleep(60))
        with pytest.raises(InvalidRunError, match=r"not ready after 0.2 s: slow"):
            children.wait_ready(0.2)


def test_a_fault_while_stopping_is_reported(tmp_path):
    def fails(ready):
        stopping = os.pipe()
        signal.signal(signal.SIGTERM, lambda *_: os.write(stopping[1], b"!"))
        ready()
        os.read(stopping[0], 1)
        sys.exit(3)

    def deaf(ready):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        serve(ready)

    with Children(tmp_path) as children:
        children.spawn("fails", fails)
        children.spawn("deaf", deaf)
        children.wait_ready(5)
        ended = children.stop(timeout=0.3)
    assert (ended["fails"].code, ended["fails"].stopped, ended["fails"].ok) == (3, True, False)
    assert (ended["deaf"].code, ended["deaf"].ok) == (-signal.SIGKILL, False)
    assert str(ended["deaf"]).startswith("service deaf was killed by SIGKILL when asked to stop")


def test_a_terminals_ctrl_c_does_not_reach_them(tmp_path):
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        children = Children(tmp_path)
        children.spawn("one", serve)
        children.wait_ready(5)
        os.write(1, b"ready")
        time.sleep(0.3)
        children.check()
        os._exit(7)
    assert os.read(terminal, 5) == b"ready"
    os.write(terminal, b"\x03")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    os.close(terminal)


def test_stopping_right_after_starting_is_clean(tmp_path):
    with Children(tmp_path) as children:
        for i in range(5):
            children.spawn(f"s{i}", serve)
        assert all(status.ok for status in children.stop().values())


def runs(pid: int) -> bool:
    try:
        return "Z (zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def gone(pid: int, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while runs(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not runs(pid)


def test_they_die_with_their_parent(tmp_path):
    note = tmp_path / "pid"
    parent = os.fork()
    if parent == 0:
        children = Children(tmp_path)
        children.spawn("one", serve)
        children.wait_ready(5)
        note.write_text(str(children["one"].pid))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    assert gone(int(note.read_text()))


def test_what_a_service_started_ends_with_it(tmp_path):
    def starts_a_program(ready):
        print(subprocess.Popen(["sleep", "987"]).pid, flush=True)
        serve(ready)

    with Children(tmp_path) as children:
        children.spawn("one", starts_a_program)
        children.wait_ready(5)
        program = int((tmp_path / "one.log").read_text().split()[0])
        assert runs(program)
    assert gone(program)


def test_a_service_may_have_no_log_of_its_own(capfd):
    with Children() as children:
        children.spawn("one", serve)
        children.wait_ready(5)
    assert capfd.readouterr().out == "serving\n"


def test_two_of_one_name_are_refused(tmp_path):
    with Children(tmp_path) as children:
        children.spawn("one", serve)
        with pytest.raises(ValueError, match="a service one already"):
            children.spawn("one", serve)


# --- one call ---------------------------------------------------------------------------------------


def test_the_value_of_a_call_comes_back():
    assert call(lambda: {"pid": os.getpid(), "big": bytes(1 << 20)})["pid"] != os.getpid()


def test_calls_run_side_by_side():
    begin = time.monotonic()
    calls = [Call(lambda number=number: (time.sleep(0.3), number)[1]) for number in range(4)]
    assert [each.result() for each in calls] == [0, 1, 2, 3]
    assert time.monotonic() - begin < 0.9


def test_what_a_call_raises_comes_back_with_its_traceback():
    def fails():
        raise InputError.at("x.yaml:1", "wrong", "do it right")

    with pytest.raises(InputError) as caught:
        call(fails)
    assert [str(problem) for problem in caught.value.problems] == ["x.yaml:1: wrong; do it right"]
    assert caught.value.__notes__[0].startswith('Traceback (most recent call last):\n  File "' + __file__)


class StubbornError(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def test_what_cannot_be_pickled_is_named():
    with pytest.raises(RuntimeError, match=r"cannot be pickled: <function .*<lambda>"):
        call(lambda: lambda: 0)
    with pytest.raises(RuntimeError, match=r"(?s)cannot be pickled: StubbornError\('1 and 2'\).*Traceback"):
        call(lambda: (_ for _ in ()).throw(StubbornError(1, 2)))


def test_a_killed_call_is_an_invalid_run():
    with pytest.raises(InvalidRunError, match="the probe was killed by SIGKILL and left no result"):
        call(lambda: os.kill(os.getpid(), signal.SIGKILL), name="the probe")
    with pytest.raises(InvalidRunError, match="a call ended with exit status 5 and left no result"):
        call(lambda: os._exit(5))


def test_a_late_call_is_killed_with_what_it_started(tmp_path):
    def late():
        (tmp_path / "pid").write_text(str(subprocess.Popen(["sleep", "987"]).pid))
        time.sleep(60)

    with pytest.raises(InvalidRunError, match=r"late: not done after 0\.5 s"):
        call(late, timeout=0.5, name="late")
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_call_begins_with_the_default_answers_to_signals(number):
    before = signal.signal(number, lambda *_: None)
    try:
        with pytest.raises(InvalidRunError, match=f"was killed by {signal.Signals(number).name}"):
            call(lambda: (os.kill(os.getpid(), number), time.sleep(5)))
    finally:
        signal.signal(number, before)


def test_a_program_that_fails_has_its_words_in_the_error():
    assert run_program(["cat"], "echoing", "text") == "text"
    with pytest.raises(InvalidRunError, match=r"^building mts: sh: no such thing$"):
        run_program(["sh", "-c", "echo no such thing >&2; exit 1"], "building mts")
    with pytest.raises(InvalidRunError, match=r"^building mts: sh: ended with exit status 4$"):
        run_program(["sh", "-c", "exit 4"], "building mts")


# --- in a world -------------------------------------------------------------------------------------


@pytest.mark.world
def test_they_enter_their_namespace(tmp_path):
    def body(ready):
        print(Path("/proc/self/ns/net").stat().st_ino)
        ready()
        time.sleep(60)

    def main():
        one = Namespace.create("mts")
        with Children(tmp_path) as children:
            children.spawn("inside", body, one)
            children.wait_ready(5)
        return os.fstat(one.fd).st_ino

    assert isolated_call(main) == int((tmp_path / "inside.log").read_text())
