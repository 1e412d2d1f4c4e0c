"""What is printed at the end of a run with a command, line by line."""

import json
from dataclasses import replace

import pytest

from testbed.report.ending import show
from testbed.run.job import Job
from testbed.run.result import RunResult


@pytest.fixture
def result(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return RunResult(
        job=Job("s", phase="p", vantages=["mts"], command=["curl", "-s"]),
        scenario="s",
        folder=tmp_path / "run",
        exit_status=0,
        command_status=0,
        controls={"https://vk.com/": "ok"},
    )


def printed(capsys, result, **options):
    show(result, None, **options)
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def test_what_the_filters_did(capsys, result):
    matched = {
        "tcp a:1 > b:443": ("mts/tspu/reset", "mts/tspu/watch"),
        "tcp a:2 > b:443": ("mts/tspu/reset",),
    }
    result = replace(result, fired={"mts/tspu/reset": 2, "mts/isp/page": 1}, matched=matched)
    acted = "mts/tspu/reset (2 packets), mts/isp/page (1 packet), mts/tspu/watch (matched, changed nothing)"
    assert printed(capsys, result) == [
        f"testbed: as mts in s/p: {acted}; control: https://vk.com/ ok",
        "testbed: recorded in run",
        "testbed: why: testbed explain run a:1",
    ]
    assert printed(capsys, result, quiet=True) == []


def test_nothing_fired(capsys, result):
    assert printed(capsys, result)[0] == "testbed: as mts in s/p: no rule fired; control: https://vk.com/ ok"


def test_what_it_reached_besides_sites(capsys, result):
    reached = {"vpn.example.net 443/tcp": 1_234_567, "outside 53/udp": 840}
    assert printed(capsys, replace(result, reached=reached))[0] == (
        "testbed: as mts in s/p: no rule fired; "
        "reached vpn.example.net 443/tcp, 1.23 MB; outside 53/udp, 840 B; control: https://vk.com/ ok"
    )


def test_a_scan_does_not_fill_the_line(capsys, result):
    reached = {f"outside {port}/tcp": 40 for port in range(1, 1000)}
    line = printed(capsys, replace(result, reached=reached))[0]
    assert "outside 4/tcp, 40 B; and 995 more; control" in line


@pytest.mark.parametrize(
    ("status", "last"),
    [
        (0, "testbed: recorded in run"),
        (1, "testbed: recorded in run; exit status 1 is that of curl"),
        (2, "testbed: recorded in run; exit status 2 is that of curl"),
        (3, "testbed: recorded in run; exit status 3 is that of curl"),
        (4, "testbed: recorded in run; exit status 4 is that of curl"),
        (5, "testbed: recorded in run"),
        (35, "testbed: recorded in run"),
    ],
)
def test_whose_exit_status_it_is(capsys, result, status, last):
    result = replace(result, command_status=status, exit_status=status)
    assert printed(capsys, result)[-1] == last


def test_an_invalid_run_says_so_even_if_quiet(capsys, result):
    result = replace(result, problems=("the far side died\nits log",), exit_status=3)
    expected = [
        "testbed: as mts in s/p: no rule fired; control: https://vk.com/ ok",
        "testbed: INVALID RUN: the far side died",
        "testbed: its log",
        "testbed: recorded in run; exit status 3 is testbed's, that of curl was 0",
    ]
    assert printed(capsys, result) == expected
    assert printed(capsys, result, quiet=True) == expected


def test_an_interrupted_run_says_where_its_results_are(capsys, result):
    result = replace(result, problems=("interrupted",), exit_status=130, command_status=None)
    assert printed(capsys, result) == ["testbed: INVALID RUN: interrupted", "testbed: recorded in run"]


def test_a_command_that_could_not_be_started(capsys, result):
    error = "crul: no such program; did you mean 'curl'?"
    result = replace(result, command_status=127, exit_status=127, command_error=error)
    assert printed(capsys, result, quiet=True) == [f"testbed: {error}"]


def test_as_json_it_is_one_line_on_stderr(capsys, result):
    (line,) = printed(capsys, replace(result, command_status=4, exit_status=4), as_json=True)
    found = json.loads(line)
    chosen = {
        key: found[key] for key in ("scenario", "phase", "valid", "exit_status", "exit_status_of", "folder")
    }
    assert chosen == {
        "scenario": "s",
        "phase": "p",
        "valid": True,
        "exit_status": 4,
        "exit_status_of": "command",
        "folder": str(result.folder),
    }


@pytest.mark.parametrize(
    ("written", "last"),
    [
        (None, "testbed: recorded in run; nothing had been measured"),
        ("{}\n", "testbed: recorded in run; it has one measurement in results.jsonl"),
        ("{}\n{}\n{", "testbed: recorded in run; it has 2 measurements in results.jsonl"),
    ],
)
def test_an_interrupted_run_says_what_it_has(capsys, result, written, last):
    job = Job("s", phase="p", vantages=["mts"])
    ended = replace(result, job=job, command_status=None, problems=("interrupted",), exit_status=130)
    result.folder.mkdir()
    if written is not None:
        (result.folder / "results.jsonl").write_text(written)
    assert printed(capsys, ended) == ["testbed: INVALID RUN: interrupted", last]
