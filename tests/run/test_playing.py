"""Phases played on their own dates in one world: what is measured, and what a command meets on the way."""

import json
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from testbed import Job
from testbed.run.playing import play
from testbed.run.result import RunResult
from testbed.scenario.loader import load
from testbed.scenario.moments import moment

pytestmark = pytest.mark.world

TWO = """
    title: A page is blocked on the third of March, by the operator's box and then by another beside it
    period: 2022-03-01/2022-03-05
    sources: [our choice]
    operators: [mts]
    censors:
      box:
        profile: t22
        rules: [{name: page, match: {http.host: twitter.com}, action: {drop: {residual: 600 s}}}]
      other:
        profile: t22
        rules: [{name: mail, match: {http.host: facebook.com}, action: {rst: {to: client}}}]
    phases:
      free: {until: 2022-03-03}
      block: {from: 2022-03-03, mts: box}
      both: {from: 2022-03-04, mts: [other, box]}
    default_phase: block
    expect:
      - {phase: free, target: "http://twitter.com/", outcome: ok}
      - {phase: [block, both], target: "http://twitter.com/", outcome: http.drop, by: page}
      - {phase: both, target: "http://facebook.com/", outcome: http.rst, by: mail}
    controls: ["http://vk.com/"]
"""


def scenario(folder: Path) -> Any:
    (folder / "two.yaml").write_text(dedent(TWO))
    return load(folder / "two.yaml")


def lines(result: RunResult, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (result.folder / name).read_text().splitlines()]


def test_every_phase_is_measured_on_its_own_dates(tmp_path: Path) -> None:
    two = scenario(tmp_path)
    result = play(Job(two, timeout=1.0, out=tmp_path / "run"), [two])
    assert (result.exit_status, result.verdict) == (0, "as expected: 14 of 14 in 3 phases"), result.problems
    dates = {"free": "2022-03-02", "block": "2022-03-03", "both": "2022-03-04"}
    assert [(one.phase, one.begins[:10]) for one in result.phases] == list(dates.items())
    assert [sorted(one.fired) for one in result.phases] == [
        [], ["mts/box/page"], ["mts/box/page", "mts/other/mail"],
    ]  # fmt: skip
    assert {one["time"][:10] for one in lines(result, "events.jsonl")} == {"2022-03-03", "2022-03-04"}
    seen = [one["annotations"]["scenario_time"] for one in lines(result, "results.jsonl")]
    assert {time[:10] for time in seen} == set(dates.values())
    assert {one["from"][:10]: one["phase"] for one in lines(result, "truth.jsonl")} == {
        date: phase for phase, date in dates.items()
    }
    summary = json.loads((result.folder / "summary.json").read_text())
    assert [one["part"] for one in summary["phases"]] == ["1-free", "2-block", "3-both"]
    assert {row["phase"] for row in summary["rows"]} == set(dates)


ASKING = """
import socket, sys, time
seen = []
end = time.monotonic() + 30
while time.monotonic() < end and seen[-1:] != ["TimeoutError"]:
    with socket.socket() as sock:
        sock.settimeout(0.7)
        try:
            sock.connect(("twitter.com", 80))
            sock.sendall(b"GET / HTTP/1.1\\r\\nHost: twitter.com\\r\\n\\r\\n")
            seen.append("page" if sock.recv(99) else "end")
        except OSError as error:
            seen.append(type(error).__name__)
    time.sleep(0.1)
print(" ".join(dict.fromkeys(seen)))
"""


def test_a_command_meets_the_change(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    two = scenario(tmp_path)
    job = Job(two, command=(sys.executable, "-c", ASKING), out=tmp_path / "run")
    result = play(job, [two], speed=43_200.0, until=moment("2022-03-04"))
    assert (result.exit_status, result.problems) == (0, ())
    assert capfd.readouterr().out == "page TimeoutError\n"
    assert [(one.phase, sorted(one.fired)) for one in result.phases] == [
        ("free", []),
        ("block", ["mts/box/page"]),
    ]


def test_a_speed_that_cannot_be_kept_is_said_with_one_that_can(tmp_path: Path) -> None:
    two = scenario(tmp_path)
    result = play(Job(two, timeout=1.0, out=tmp_path / "run"), [two], speed=1e6, until=moment("2022-03-04"))
    assert result.exit_status == 0
    (note,) = result.notes
    assert note.startswith("this machine cannot keep --speed 1e+06: in phase block the clock stood still")
    possible = float(note.rpartition(" ")[2])
    assert 0 < possible < 86_400 / 1.0  # a day in which a second is waited for an answer
    times = [one["annotations"]["scenario_time"] for one in lines(result, "results.jsonl")]
    assert max(times) <= "2022-03-03T23:59:59.999Z"
