"""`execute`: a result for every ending, and nothing printed."""

import json
import os
import pickle
import signal
import subprocess
import sys
from textwrap import dedent

import pytest

import testbed
from testbed import Job, execute
from testbed.errors import InputError
from tests.meddling import meddling, send_to_main

pytestmark = pytest.mark.world
CURL = ["curl", "-s", "-o", "/dev/null"]
BLOCK = "twitter-facebook-block-2022-03"


def files(result):
    return sorted(path.name for path in result.folder.iterdir())


def test_a_measured_run_is_a_value(tmp_path, capfd):
    result = execute(Job(BLOCK, vantages=["mts"], out=tmp_path / "run"))
    assert (result.valid, result.exit_status, result.problems) == (True, 0, ())
    assert result.verdict.startswith("as expected: ")
    assert result.judgement.agreeing == len(result.judgement.rows)
    assert {one.vantage for one in result.measurements} == {"mts", "outside"}
    assert any(one.outcome == "tls.sni.rst" for one in result.truth)
    assert result.receipts["mts/tspu-mts"]["rules"]["social-reset"]["kernel"]["replace"] > 0
    assert result.fired["mts/tspu-mts/social-reset"] > 0
    flows = [flow for flow, rules in result.matched.items() if "mts/tspu-mts/social-reset" in rules]
    assert all(flow.startswith("tcp ") and flow.endswith(":443") for flow in flows)
    assert flows
    assert pickle.loads(pickle.dumps(result)) == result
    assert json.loads(json.dumps(result.to_json()))["job"]["vantages"] == ["mts"]
    assert json.loads((tmp_path / "run/summary.json").read_text()) == json.loads(json.dumps(result.summary()))
    assert capfd.readouterr() == ("", "")


def test_a_commands_streams_are_the_callers_and_its_status_is_ours(tmp_path, capfd):
    argv = ["sh", "-c", "curl -s https://twitter.com/; echo out; echo err >&2; exit 3"]
    result = execute(Job(BLOCK, vantages=["mts"], command=argv, out=tmp_path / "run"))
    assert capfd.readouterr() == ("out\n", "err\n")
    assert (result.exit_status, result.command_status, result.status_of) == (3, 3, "command")
    assert result.valid
    assert result.controls == {"https://vk.com/": "ok"}
    assert list(result.fired) == ["mts/tspu-mts/social-reset"]
    assert result.summary()["exit_status_of"] == "command"


def test_without_censors_nothing_fires(tmp_path):
    job = Job("free-network", vantages=["mts"], command=[*CURL, "https://twitter.com/"], out=tmp_path / "run")
    result = execute(job)
    assert (result.exit_status, result.fired, result.matched) == (0, {}, {})


def test_a_command_that_cannot_be_started(tmp_path, capfd):
    result = execute(Job("free-network", vantages=["mts"], command=["crul"], out=tmp_path / "run"))
    assert (result.command_status, result.command_error) == (
        127,
        "crul: no such program; did you mean 'curl'?",
    )
    assert capfd.readouterr() == ("", "")


def test_wrong_input_is_raised(tmp_path):
    with pytest.raises(InputError, match="did you mean 'free-network'"):
        execute(Job("free-netwrk"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    with pytest.raises(InputError, match="is not empty"):
        execute(Job("free-network", out=tmp_path / "full"))


def test_a_killed_run_is_a_result(tmp_path):
    with meddling(tmp_path, send_to_main(signal.SIGKILL)) as command:
        result = execute(Job("free-network", vantages=["mts"], command=command, out=tmp_path / "run"))
    assert (result.valid, result.exit_status, result.status_of) == (False, 3, "testbed")
    assert result.problems == (
        "the run's main process was killed by SIGKILL; what was recorded is incomplete",
    )
    assert json.loads((tmp_path / "run/summary.json").read_text())["problems"] == list(result.problems)


def test_an_interrupted_run_is_a_result_with_what_was_recorded(tmp_path):
    first = "curl -s https://twitter.com/"
    with meddling(tmp_path, send_to_main(signal.SIGTERM), first) as command:
        result = executed(Job(BLOCK, vantages=["mts"], command=command, out=tmp_path / "run"))
    assert result.problems == ("interrupted",)
    assert result.exit_status == 143
    assert result.fired["mts/tspu-mts/social-reset"] > 0
    assert json.loads((tmp_path / "run/summary.json").read_text())["exit_status"] == 143


def executed(job):
    """In a process of its own."""
    code = f"""
        import pickle, sys
        from testbed import execute
        sys.stdout.buffer.write(pickle.dumps(execute(pickle.loads({pickle.dumps(job)!r}))))
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)], stdout=subprocess.PIPE, check=True, timeout=60
    )
    return pickle.loads(done.stdout)


def test_importing_is_instant_and_names_are_there():
    code = "import sys, testbed; print([n for n in sys.modules if n.startswith('testbed')], dir(testbed)[:0])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True,
                          cwd="/", env=os.environ)  # fmt: skip
    assert done.stdout == "['testbed.compiled', 'testbed'] []\n"
    assert {"Job", "execute", "RunResult"} <= set(dir(testbed))
    with pytest.raises(AttributeError, match="no attribute 'exceute'"):
        _ = testbed.exceute
