"""What is printed about worlds that are held open."""

import json
from pathlib import Path

import pytest

from testbed.report.held import duration, opened, show_end, show_list, show_visit
from testbed.run.records import WorldInfo
from testbed.run.requests import Visit

RECORD = {
    "phase": "substring",
    "commands": 2,
    "seconds": 90.4,
    "fired": {"mts/tspu/policer": 46},
    "matched": {"mts/tspu/policer": 1, "mts/tspu/watch": 3},
    "problems": [],
}
ACTED = "mts/tspu/policer (46 packets), mts/tspu/watch (matched, changed nothing)"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(3600, "1 h"), (7200, "2 h"), (90, "90 s"), (1200, "20 min"), (3599.5, "60 min"), (0.4, "0 s")],
)
def test_durations(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("idle", "detached", "ends"),
    [
        (3600.0, True, "it ends by `testbed down`, or 1 h without a command"),
        (None, False, "it ends by Ctrl-C or `testbed down`"),
    ],
)
def test_the_last_line_of_up_ends_with_the_name(idle, detached, ends):
    info = WorldInfo("mine", "s", ("mts", "outside"), Path("/x/run"), 7, idle)
    lines = opened(info, "p", as_json=False, detached=detached).splitlines()
    assert lines == ["s/p, vantages: mts, outside", "recorded in /x/run", ends, "world mine"]


def visit(**changes):
    return Visit(**{"world": "mine", "phase": "p", "vantage": "mts", "status": 0, **changes})


@pytest.mark.parametrize(
    ("done", "quiet", "lines"),
    [
        (visit(), False, ["as mts in mine/p: no rule matched"]),
        (visit(), True, []),
        (visit(matched={"mts/a/b": 1, "mts/a/c": 2}), False,
         ["as mts in mine/p: mts/a/b matched once, mts/a/c matched 2 times"]),
        (visit(status=2), False, ["as mts in mine/p: no rule matched; exit status 2 is that of curl"]),
        (visit(status=127, error="crul: no such program"), True, ["crul: no such program"]),
        (visit(status=7, problems=("far died",)), True,
         ["as mts in mine/p: no rule matched; exit status 3 is testbed's, that of curl was 7",
          "INVALID WORLD: far died"]),
    ],
)  # fmt: skip
def test_after_a_command(capsys, done, quiet, lines):
    show_visit(done, ["curl"], as_json=False, quiet=quiet)
    assert capsys.readouterr() == ("", "".join(f"testbed: {line}\n" for line in lines))


@pytest.mark.parametrize(("problems", "status", "whose"), [((), 7, "command"), (("far died",), 3, "testbed")])
def test_json_after_a_command_says_what_a_machine_asks(capsys, problems, status, whose):
    done = visit(status=7, scenario="s", folder="/x/run", matched={"mts/a/b": 1}, problems=problems)
    show_visit(done, ["curl"], as_json=True, quiet=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err) == {
        "scenario": "s", "phase": "p", "world": "mine", "vantage": "mts", "folder": "/x/run", "status": 7,
        "error": "", "matched": {"mts/a/b": 1}, "problems": [*problems], "valid": not problems,
        "exit_status": status, "exit_status_of": whose,
    }  # fmt: skip


def test_the_list_of_worlds(capsys):
    show_list([])
    assert capsys.readouterr().out == "no world is held open; open one: testbed up SCENARIO --detach\n"
    world = {
        "name": "mine", "scenario": "s", "phase": "exact", "vantages": ["mts", "outside"], "phases": [RECORD],
        "matched": {}, "running": [{"vantage": "mts", "command": ["sleep", "9"]}], "problems": ["far died"],
        "idle_left": 1200.0, "folder": "/x/run",
    }  # fmt: skip
    show_list([world])
    assert capsys.readouterr().out.splitlines() == [
        "mine: s/exact, vantages: mts, outside",
        f"  substring, 90 s, 2 commands: {ACTED}",
        "  exact, now: no rule matched",
        "  runs at mts: sleep 9",
        "  it ends after 20 min more without a command",
        "  INVALID WORLD: far died",
        "  recorded in /x/run",
    ]


def test_the_end_of_a_world(capsys):
    broken = RECORD | {"phase": "exact", "fired": {}, "matched": {}, "commands": 1, "problems": ["far died"]}
    show_end({
        "phases": [RECORD, broken], "problems": ["phase exact: far died"], "valid": False, "world": "mine",
        "ended_by": "testbed down", "folder": "/x/run",
    })  # fmt: skip
    assert capsys.readouterr().out.splitlines() == [
        f"substring, 90 s, 2 commands: {ACTED}",
        "exact, 90 s, 1 command: no rule fired",
        "  INVALID: far died",
        "INVALID WORLD: phase exact: far died",
        "world mine: ended by testbed down, INVALID; recorded in /x/run",
    ]
