"""A command as a server: when it is ready, and how its end is reported. In forked children, no world."""

import os
import signal
import socket
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed.internet import launch
from testbed.internet.services.base import Place
from testbed.internet.services.command import Command, Readiness
from testbed.model import Host

PYTHON = sys.executable


@dataclass
class Started:
    """A command in a child process."""

    pid: int
    readiness: int  # a pipe: a byte when ready
    log: Path

    @property
    def ready(self) -> bool:
        """Whether it became ready before it ended."""
        return os.read(self.readiness, 1) == b"."

    def ended(self, within: float = 10) -> int:
        """Its exit status."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError("it did not end")

    @property
    def last_line(self) -> str:
        """The last line of its log."""
        return self.log.read_text().splitlines()[-1]


@pytest.fixture
def start(tmp_path):
    def started(line: str, folder: str = ".", **readiness) -> Started:
        log = tmp_path / "command.log"
        reading, writing = os.pipe()
        command = Command(line, Readiness(**{"within": 5.0} | readiness), str(tmp_path / folder))
        pid = os.fork()
        if pid == 0:
            file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(file, 1)
            os.dup2(file, 2)
            sys.stderr = os.fdopen(2, "w")
            launch.children_among_commands, launch.step_down = nullcontext, lambda: None  # of a world
            launch.unshare = lambda _: None  # an ordinary user may not, outside a world
            place = Place(Host("vpn"), ("127.0.0.1",), {}, None, None, dict(os.environ), log)
            try:
                launch.run_program(command, place, lambda: os.write(writing, b"."))
            finally:
                os._exit(99)
        os.close(writing)
        return Started(pid, reading, log)

    return started


def listener(kind: str) -> str:
    """A command that listens on a free port of its own choice, and prints it."""
    more = "s.listen();" if kind == "SOCK_STREAM" else ""
    code = f"import socket,time; s=socket.socket(type=socket.{kind}); s.bind(('127.0.0.1',0)); {more}"
    return f'{PYTHON} -uc "{code} print(s.getsockname()[1]); time.sleep(60)"'


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM"])
def test_it_is_ready_when_it_listens_anywhere(start, kind):
    started = start(listener(kind))
    assert started.ready
    os.kill(started.pid, signal.SIGTERM)
    assert started.ended() == 0


def test_what_others_listen_on_is_no_sign(start):
    with socket.create_server(("127.0.0.1", 0)):
        started = start("sleep 60", within=0.3)
        assert not started.ready
        assert started.ended() == 1


def test_a_port_is_a_sign_wherever_it_is_opened(start):
    with socket.create_server(("127.0.0.1", 0)) as other:
        started = start("sleep 60", tcp=other.getsockname()[1])
        assert started.ready
        os.kill(started.pid, signal.SIGTERM)
        assert started.ended() == 0


def test_the_other_transport_is_no_sign(start):
    with socket.create_server(("127.0.0.1", 0)) as other:
        started = start("sleep 60", udp=other.getsockname()[1], within=0.3)
        assert not started.ready
        assert started.ended() == 1


def test_a_file_that_it_writes(start, tmp_path):
    started = start("sleep 0.2; touch done; sleep 60", file="done")
    assert started.ready
    assert (tmp_path / "done").exists()
    os.kill(started.pid, signal.SIGTERM)
    assert started.ended() == 0


def test_a_file_of_an_earlier_run_is_no_sign(start, tmp_path):
    (tmp_path / "done").touch()
    os.utime(tmp_path / "done", (time.time() - 60,) * 2)
    started = start("sleep 60", file="done", within=0.3)
    assert not started.ready
    assert started.ended() == 1


def test_a_line_of_its_output(start):
    started = start("echo starting; sleep 0.2; echo listening on 7; sleep 60", output="^listening on [0-9]+$")
    assert started.ready
    os.kill(started.pid, signal.SIGTERM)
    assert started.ended() == 0


def test_never_ready_ends_in_time_and_says_what_was_waited_for(start):
    began = time.monotonic()
    started = start("sleep 60", tcp=1, within=0.5)
    assert not started.ready
    assert started.ended() == 1
    assert time.monotonic() - began < 3
    assert started.last_line == (
        "not ready after 0.5 s: waited until something listens on TCP port 1; it listens on nothing: sleep 60"
    )


def test_one_that_listens_elsewhere_is_reported_with_its_port(start):
    started = start(listener("SOCK_STREAM"), tcp=1, within=2)
    assert not started.ready
    assert started.ended() == 1
    port = started.log.read_text().splitlines()[0]
    assert f"it listens on tcp {port}: " in started.last_line


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("exit 7", "ended with exit status 7"),
        ("true", "ended with exit status 0; it must stay in the foreground"),
        ("kill -9 $$", "was killed by SIGKILL"),
        ("no-such-program", "ended with exit status 127"),
    ],
)
def test_one_that_ends_before_it_is_ready(start, line, reason):
    started = start(line)
    assert not started.ready
    assert started.ended() == 1
    assert started.last_line == (
        f"the command {reason} before it was ready (it listens on a TCP or UDP port): {line}"
    )


def test_one_that_ends_later(start):
    started = start("echo up; sleep 0.3; exit 3", output="up")
    assert started.ready
    assert started.ended() == 1
    assert started.last_line == "the command ended with exit status 3: echo up; sleep 0.3; exit 3"


def test_a_folder_that_is_not_there(start, tmp_path):
    started = start("sleep 60", folder="gone")
    assert not started.ready
    assert started.ended() == 1
    assert started.last_line == f"cannot start in {tmp_path}/gone: No such file or directory"


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()


@pytest.mark.parametrize("stubborn", ["", "trap '' TERM; "])
def test_its_whole_group_ends_with_it(start, tmp_path, stubborn):
    started = start(f"{stubborn}sleep 60 & echo $! > pid; echo up; sleep 60; sleep 60", output="up")
    assert started.ready
    pid = int((tmp_path / "pid").read_text())
    assert alive(pid)
    os.kill(started.pid, signal.SIGTERM)
    assert started.ended() == 0
    deadline = time.monotonic() + 1
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(pid)


def test_ctrl_c_is_not_for_it_but_it_may_use_the_signal(start):
    started = start("trap 'echo got it; exit 5' HUP; echo up; kill -HUP $$; sleep 1", output="up")
    assert started.ended() == 1
    assert "got it" in started.log.read_text()
