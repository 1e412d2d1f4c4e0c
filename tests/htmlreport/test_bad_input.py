"""What is not whole: a killed run, a cut log, a damaged capture, a full disk. What is there is shown."""

import json
import os
import resource
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from testbed.errors import InputError
from testbed.htmlreport import rendering
from testbed.htmlreport.eventcounts import count_events
from testbed.htmlreport.gather import gather
from testbed.htmlreport.page import page_of
from testbed.htmlreport.rendering import rendered
from tests.explain.runs import FLOW, event, write_run
from tests.htmlreport.trialmaker import write_evaluation
from tests.inprocess import run_here_as_text

TESTBED = (sys.executable, "-c", "from testbed.cli.main import main; main()")


def problem(*asked: object) -> str:
    with pytest.raises(InputError) as caught:
        gather([str(one) for one in asked])
    return str(caught.value)


def test_a_whole_run_misses_nothing(tmp_path):
    """Twin of all below."""
    (run,) = gather([str(write_run(tmp_path / "run"))]).runs
    assert (run.missing, len(run.rows), len(run.stories), run.rules[0].kernel) == ((), 1, 1, {"replace": 7})
    assert run.events == {("mts/tspu", "social", "match"): 1}


def test_a_run_that_was_killed(tmp_path):
    folder = write_run(tmp_path / "run", summary=False, receipts=[])
    found = gather([str(folder)])
    (run,) = found.runs
    assert (run.valid, run.rows, len(run.stories)) == (None, (), 1)
    assert run.missing == (
        "summary.json is not there: the run did not come to its end",
        "no measurement was judged",
    )
    assert "did not come to an end" in rendered(page_of(found))


def test_files_that_were_cut(tmp_path):
    folder = write_run(tmp_path / "run")
    (folder / "events.jsonl").write_text(json.dumps(event(1.14)) + "\n" + json.dumps(event(1.2))[:50])
    (folder / "receipts/mts.tspu.json").write_text('{"censor": "mts/ts')
    (folder / "results.jsonl").write_text((folder / "results.jsonl").read_text() + '{"input": ')
    (run,) = gather([str(folder)]).runs
    assert set(run.missing) == {
        "mts.tspu.json is cut short",
        "results.jsonl: 1 lines are cut short",
        "events.jsonl is cut short in its last line",
        "events.jsonl: 1 lines cannot be read, and are not counted",
    }
    assert run.events == {("mts/tspu", "social", "match"): 1}


@pytest.mark.parametrize(
    "damage",
    [
        b"\x99\x00\x00\x00\x10\x00\x00\x00abcd\x10\x00\x00\x00",
        b"\x06\x00\x00\x00\xff\xff\xff\x00",
        b"\x00" * 64,
    ],
    ids=["an unknown block", "a block longer than the file", "zeros"],
)
def test_a_damaged_capture(tmp_path, damage):
    folder = write_run(tmp_path / "run")
    (folder / "capture.pcapng").write_bytes(damage)
    (run,) = gather([str(folder)]).runs
    assert (len(run.rows), len(run.stories)) == (1, 1)


def test_rows_of_another_form_are_named(tmp_path):
    folder = write_run(tmp_path / "run", rows=[{"vantage": "mts"}, "no row", {"target": 7}])
    (run,) = gather([str(folder)]).runs
    assert run.missing[0] == "summary.json: 3 rows have another form than this testbed writes"


def test_a_folder_of_another_version(tmp_path):
    folder = write_run(tmp_path / "run")
    scenario = json.loads((folder / "scenario.json").read_text())
    (folder / "scenario.json").write_text(json.dumps(scenario | {"versions": {"testbed": "9.9"}}))
    (run,) = gather([str(folder)]).runs
    assert run.missing == ("it was made by testbed 9.9, and this is 0.1.0",)
    (tmp_path / "rt").mkdir()
    (tmp_path / "rt/monitor.json").write_text('{"format": "testbed-monitor", "version": 7}')
    assert "it was made by another testbed: version 7, this one has 1" in problem(tmp_path / "rt")
    (tmp_path / "matrix.json").write_text('{"matrix": 7, "cells": []}')
    assert "is a matrix of version 7" in problem(tmp_path / "matrix.json")


def test_what_is_nothing_to_report_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes.txt").touch()
    (tmp_path / "x.json").write_text("{")
    assert problem("empty").startswith("RUN: empty is empty; name a run's folder")
    assert "other holds nothing that a report could show" in problem("other")
    assert "x.json: is no JSON, or was cut short" in problem("x.json")
    assert problem("empty", "other", "nowhere").count("\n") == 2, "every problem is named"
    assert "there is no run in runs/" in problem("last")


def test_of_a_folder_of_runs_those_that_can_be_read(tmp_path):
    write_run(tmp_path / "all/good")
    write_run(tmp_path / "all/bad")
    (tmp_path / "all/bad/scenario.json").write_text("{")
    found = gather([str(tmp_path / "all")])
    assert len(found.runs) == 1
    assert [one.partition(": ")[2] for one in found.missing] == [
        "scenario.json cannot be read; without it nothing can be explained"
    ]


def test_a_run_that_is_named_twice_is_there_once(tmp_path):
    folder = write_run(tmp_path / "all/run")
    assert len(gather([str(folder), str(tmp_path / "all"), f"{folder}/"]).runs) == 1


def test_an_evaluation_that_was_cut(tmp_path):
    folder = write_evaluation(tmp_path / "e")
    with (folder / "trials.jsonl").open("a") as file:
        file.write('{"scenario": "x", ')
    (found,) = gather([str(folder)]).evaluations
    assert (len(found.trials), found.missing) == (13, ("trials.jsonl: 1 of 14 lines cannot be read",))


@pytest.mark.parametrize("events", [100, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_events_are_counted_as_they_are_read(tmp_path, events):
    """Memory does not grow with their number."""
    line = json.dumps(event(1.0, flow=FLOW)) + "\n"
    with (tmp_path / "events.jsonl").open("w") as file:
        for start in range(0, events, 1000):
            file.write(line * min(1000, events - start))
    tracemalloc.start()
    try:
        found = count_events(tmp_path / "events.jsonl")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.counts == {("mts/tspu", "social", "match"): events}
    assert peak < 2_000_000


def test_a_disk_that_fills_up_leaves_the_old_page(tmp_path):
    """A limit on the size of files stands in for the disk: the write fails in the middle all the same."""
    folder, page = write_run(tmp_path / "run"), tmp_path / "report.html"
    page.write_text("the old one")

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        [*TESTBED, "report", str(folder), "-o", str(page)],
        capture_output=True,
        text=True,
        preexec_fn=limited,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},  # or Python leaves half of a file for the next run
        check=False,
    )
    assert (done.returncode, page.read_text()) == (2, "the old one"), done.stderr
    assert "cannot write" in done.stderr
    assert sorted(one.name for one in tmp_path.iterdir()) == ["report.html", "run"]


def test_the_command_names_page_and_what_is_missing(tmp_path):
    folder = write_run(tmp_path / "run", summary=False)
    done = run_here_as_text("report", str(folder), "-o", "out.html", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "out.html\n")
    assert "missing: run: summary.json is not there: the run did not come to its end" in done.stderr
    assert Path(tmp_path, "out.html").read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("library", ["jinja2", "matplotlib"])
def test_without_a_library_the_remedy_is_named(tmp_path, monkeypatch, library):
    folder = write_run(tmp_path / "run")
    monkeypatch.setattr(rendering, "find_spec", lambda name: None if name == library else find_spec(name))
    done = run_here_as_text("report", str(folder), "-o", "x.html", cwd=tmp_path)
    assert done.returncode == 4
    assert done.stderr == (
        f"testbed: {library} is not installed, and the page needs it: pip install 'runet-testbed[report]'\n"
    )
    assert not (tmp_path / "x.html").exists()


def test_a_page_of_a_damaged_run_says_what_is_missing(tmp_path):
    folder = write_run(tmp_path / "run", summary=False)
    found = gather([str(folder)])
    page = rendered(page_of(replace(found, unread=("elsewhere: gone",))))
    for sentence in found.missing:
        assert sentence.partition(": ")[2] in page
    assert "elsewhere: gone" in page
