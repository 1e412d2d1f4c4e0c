"""Where no container can be had: exit status 4 and what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.containers.contained import variables
from testbed.containers.engine import engine
from testbed.errors import Exit, InputError, UnsupportedError
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


def test_a_job_with_a_container():
    with pytest.raises(InputError, match="volumes and variables are a container's; name its image"):
        Job("free-network", volumes=("/here:/there",))
    assert Job("free-network", image="debian:12").runs_program
