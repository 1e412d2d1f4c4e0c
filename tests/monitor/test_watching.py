"""A monitor at work: two phases, one operator, two targets; a detector that hangs; an interrupted one."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any
from xml.etree import ElementTree

import pytest

from testbed.cli.main import main
from tests.acceptance.conftest import TESTBED

pytestmark = pytest.mark.world

TWO = """
    title: A page is blocked on the third of March
    period: 2022-03-02/2022-03-05
    sources: [our choice]
    operators: [mts]
    censors:
      box:
        profile: t22
        rules: [{name: page, match: {http.host: twitter.com}, action: {rst: {to: client}}}]
    phases:
      free: {until: 2022-03-03}
      block: {from: 2022-03-03, until: 2022-03-04, mts: box}
      after: {from: 2022-03-04, until: 2022-03-05}
    default_phase: block
    expect:
      - {phase: [free, after], target: "http://twitter.com/", outcome: ok}
      - {phase: block, target: "http://twitter.com/", outcome: http.rst, by: page}
    controls: ["http://vk.com/"]
"""
TIMES = [f"2022-03-0{day}T{hour}:00:00Z" for day in (2, 3, 4) for hour in ("00", "12")]


def call(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, TESTBED, *args], cwd=folder, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "m" / name).read_text().splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "two.yaml").write_text(dedent(TWO))
    return tmp_path


def monitor(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return call(folder, "monitor", "./two.yaml", "--every", "12 h", "-o", "m", *args)


def test_onset_and_end_are_found_and_drawn(folder: Path) -> None:
    done = monitor(folder)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.splitlines()[-1] == (
        "as expected: 24 of 24 judged samples agree, 24 in all, 1 incidents   m"
    )
    (incident,) = lines(folder, "incidents.jsonl")
    assert {key: incident[key] for key in ("kind", "vantage", "target", "labels")} == {
        "kind": "blocked", "vantage": "mts", "target": "http://twitter.com/", "labels": ["http.rst"],
    }  # fmt: skip
    assert [incident[key] for key in ("last_before", "first", "last", "first_after")] == TIMES[1:5]
    samples = lines(folder, "samples.jsonl")
    assert [one["time"] for one in samples[::4]] == TIMES
    blocked = [one for one in samples if one["state"] == "blocked"]
    assert [one["acted"] for one in blocked] == [["mts/box/page"]] * 2
    with (folder / "m/samples.csv").open() as file:
        assert [row["state"] for row in csv.DictReader(file)] == [one["state"] for one in samples]
    changes = lines(folder, "changes.jsonl")  # the evidence: once blocked, once free again
    assert [one["test_keys"]["failure"] for one in changes] == ["connection_reset", None]
    assert [one["annotations"]["scenario_time"][:13] for one in changes] == ["2022-03-03T00", "2022-03-04T00"]
    summary = json.loads((folder / "m/summary.json").read_text())
    assert summary["onset_error"] == {"largest": 0.0, "median": 0.0}
    picture = (folder / "m/history.svg").read_text()
    ElementTree.fromstring(picture)
    page = (folder / "m/history.html").read_text()
    assert picture in page
    assert not re.findall(r"(?:src|href)=\"(?!#)", page), "it loads something"


def detector(folder: Path, text: str) -> Sequence[str]:
    (folder / "detector.py").write_text(dedent(text))
    return ("--detector", f"{sys.executable} {folder}/detector.py {{target}}", "--limit", "6 s")


ASK = """
    import subprocess, sys, time, urllib.request
    if {hangs}:
        subprocess.Popen(["sleep", "600"])
        time.sleep(600)
    urllib.request.urlopen(sys.argv[1], timeout=5).read()
"""


def test_any_command_is_a_detector(folder: Path) -> None:
    done = monitor(folder, *detector(folder, ASK.format(hangs=False)))
    assert done.returncode == 0, done.stdout + done.stderr
    (incident,) = lines(folder, "incidents.jsonl")
    assert (incident["kind"], incident["labels"], incident["first"]) == ("blocked", ["failed"], TIMES[2])


def test_a_detector_that_hangs_is_ended_and_named(folder: Path) -> None:
    hangs = "sys.argv[1] == 'http://twitter.com/'"
    done = monitor(folder, *detector(folder, ASK.format(hangs=hangs)), "--until", "2022-03-02 13:00")
    assert done.returncode == 1, done.stdout + done.stderr
    name = Path(sys.executable).name
    assert f"{TIMES[0]}  free: 2 hung of 4; {name} did not end in its time" in done.stdout
    assert f"the detector hung: {TIMES[0]} http://twitter.com/ from mts is hung (hung)" in done.stdout
    assert lines(folder, "instants.jsonl")[0]["hung"] == [
        "http://twitter.com/ from mts",
        "http://twitter.com/ from outside",
    ]


def test_an_interrupted_one_goes_on_without_a_gap_or_a_double(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, TESTBED, "monitor", "./two.yaml", "--every", "12 h", "-o", "m"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    done = len(lines(folder, "instants.jsonl"))
    assert 3 <= done < len(TIMES)
    assert out.splitlines()[-1].startswith(
        f"interrupted after {done} of 6 instants; go on with: testbed monitor --resume m"
    )
    again = call(folder, "monitor", "--resume", "m")
    assert again.returncode == 0, again.stdout + again.stderr
    assert [one["time"] for one in lines(folder, "instants.jsonl")] == TIMES
    samples = lines(folder, "samples.jsonl")
    cells = [(one["time"], one["vantage"], one["target"]) for one in samples]
    assert len(cells) == len(set(cells)) == 24
    (incident,) = lines(folder, "incidents.jsonl")
    assert [incident[key] for key in ("last_before", "first", "last", "first_after")] == TIMES[1:5]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--every", "soon"), "--every: 'soon' is not a time"),
        (("--every", "1 s"), "--every: 0:00:01 is too short; give 0:15:00 or more"),
        (
            ("--from", "2023-01-01"),
            "--from: 2023-01-01 00:00 is out of the story; it goes from 2022-03-02 00:00",
        ),
        (("--target", "http://twiter.com/"), "did you mean 'http://twitter.com/'?"),
        (("--vantage", "mst"), "did you mean 'mts'?"),
        (("--detector", "curl"), "--detector: 'curl' has no {target}"),
        (("--resume", "m"), "--resume goes on with what was asked for; leave the rest out"),
    ],
)
def test_wrong_input_is_one_clear_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    args: Sequence[str],
    said: str,
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        main(["monitor", "./two.yaml", *args])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert not list(folder.glob("runs/*"))
