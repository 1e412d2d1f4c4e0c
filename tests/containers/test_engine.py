"""Where no container can be had: exit status 4 and what to do."""

import os
import subprocess
import sys
from pathlib import Path
from socket import socketpair

import pytest

from testbed.containers.contained import answer_from, network_of, variables
from testbed.containers.engine import engine, exit_status, owner_mark, still_held
from testbed.errors import Exit, InputError, InvalidRunError, UnsupportedError
from testbed.run.job import Job


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "docker", None)
    with (
        pytest.raises(
            UnsupportedError, match=r"package docker is missing; remedy: pip install 'runet-testbed\["
        ),
        engine(),
    ):
        pass


def test_an_engine_that_does_not_answer(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")
    with (
        pytest.raises(
            UnsupportedError, match=r"does not answer .*; remedy: start it, or name another in DOCKER"
        ),
        engine(),
    ):
        pass


@pytest.mark.world
def test_the_command_says_so(tmp_path):
    (tmp_path / "tty.py").write_text("raise SystemExit('a file of the user, with the name of a module')")
    words = ["run", "free-network", "--vantage", "mts", "--image", "debian:12", "--", "true"]
    done = subprocess.run(
        [str(Path(sys.executable).parent / "testbed"), *words],
        cwd=tmp_path,
        env={**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nobody"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (Exit.UNSUPPORTED, "")
    assert "testbed: containers: " in done.stderr
    assert "remedy: " in done.stderr


def test_variables(monkeypatch):
    monkeypatch.setenv("OURS", "here")
    monkeypatch.delenv("UNSET", raising=False)
    given = ["A=1", "B=x=y", "C=", "OURS", "UNSET"]
    assert variables(given) == {"A": "1", "B": "x=y", "C": "", "OURS": "here", "UNSET": ""}
    with pytest.raises(InputError, match="'=1' names no variable"):
        variables(["=1"])


def test_whose_container_may_be_removed():
    ours = owner_mark()
    numbering, pid, began = ours.split(" ")
    assert still_held(ours)
    assert not still_held(f"{numbering} {pid} {int(began) - 1}")  # another process had this number
    assert not still_held(f"{numbering} {2**22 + 1} 1")  # above pid_max's limit: nobody has it
    assert still_held(f"pid:[1] {pid} 1")  # seen from another container, it may live


def test_a_container_that_is_not_of_this_machine():
    with pytest.raises(UnsupportedError, match=r"cannot be entered from here .*; remedy: run testbed where"):
        network_of(2**22 + 1)


def test_a_job_with_a_container():
    with pytest.raises(InputError, match="volumes and variables are a container's; name its image"):
        Job("free-network", volumes=("/here:/there",))
    assert Job("free-network", image="debian:12").runs_program


def test_a_holder_that_has_ended_and_is_not_waited_for_holds_nothing():
    """Where nobody collects orphans (some containers' first process), a killed holder stays a zombie."""
    ready, report = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(report, owner_mark().encode())
        os._exit(0)
    mark = os.read(ready, 200).decode()
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is still there
    assert not still_held(mark)
    os.waitpid(pid, 0)


def test_a_holder_that_ends_before_it_has_read_what_was_asked():
    ours, theirs = socketpair()
    ours.sendall(b"asked")
    theirs.close()
    with ours, pytest.raises(InvalidRunError, match="the process that holds the container ended"):
        answer_from(ours)


class StoppedContainer:
    """As Podman's API shows one after which nobody has cleaned up: it has ended, and `wait` does not end."""

    looks = 0

    def reload(self) -> None:
        self.looks += 1
        running = self.looks < 3
        self.attrs = {"State": {"Status": "stopped", "Running": running, "ExitCode": 0 if running else 3}}

    def wait(self) -> None:
        raise AssertionError("this would not end")


def test_the_exit_status_of_a_container_after_which_nobody_cleans_up():
    ended = StoppedContainer()
    assert (exit_status(ended), ended.looks) == (3, 3)
