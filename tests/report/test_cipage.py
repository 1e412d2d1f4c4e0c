"""Runs on a page of a CI service, and in files."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.errors import InputError
from testbed.report.cipage import badge, headline, markdown
from testbed.report.outputfile import require_writable, write
from testbed.run.job import Job
from testbed.run.result import RunResult
from testbed.truth.judge import Judgement, Row

GOOD = Row("mts", "https://twitter.com/", "expectation", "tls.sni.rst", "tls.sni.rst", "ok", by="reset")
BAD = replace(GOOD, vantage="beeline", target="https://a|b/<i>", observed="ok", verdict="differs")


def run_of(scenario: str = "free", *rows: Row, **more: object) -> RunResult:
    given = {"job": Job(scenario, phase="all"), "exit_status": int(BAD in rows), "seconds": 1.5, **more}
    judged = Judgement(scenario, "all", rows) if rows else None
    return RunResult(scenario=scenario, folder=Path("/runs/x"), judgement=judged, **given)


INVALID = run_of("third", GOOD, problems=("the censor\n<b>died</b>",), exit_status=3)


def test_the_page_has_a_headline_a_matrix_and_what_differs() -> None:
    page = markdown([run_of("first", GOOD, GOOD), run_of("second", GOOD, BAD), INVALID])
    assert page.splitlines() == [
        "### 3 of 4 rows as expected, 1 invalid run",
        "",
        "| run | mts | beeline |",
        "| --- | :---: | :---: |",
        "| first/all | ✓ 2/2 |  |",
        "| second/all | ✓ 1/1 | ✗ 0/1 |",
        "| third/all | invalid |  |",
        "",
        "- **third/all**: invalid: the censor &lt;b>died&lt;/b>",
        (
            "- **second/all** beeline, `https://a|b/<i>`: differs: observed `ok`, "
            "expected `tls.sni.rst` by `reset`"
        ),
    ]


def test_what_differs_by_the_hundred_is_counted() -> None:
    lines = markdown([run_of("first", *[BAD] * 120)]).splitlines()
    assert (lines[0], lines[-1]) == ("### 0 of 120 rows as expected", "- and 70 more")


@pytest.mark.parametrize(
    ("results", "said", "colour"),
    [
        ([run_of("a", GOOD)], "1 of 1 rows as expected", "brightgreen"),
        ([run_of("a", BAD)], "0 of 1 rows as expected", "red"),
        ([run_of("a", GOOD), INVALID], "1 of 1 rows as expected, 1 invalid run", "lightgrey"),
        ([run_of("a")], "1 command succeeded", "brightgreen"),
        ([run_of("a", exit_status=7)], "1 of 1 commands failed", "red"),
        ([], "nothing was run", "brightgreen"),
    ],
)
def test_the_badge(results: list[RunResult], said: str, colour: str) -> None:
    assert headline(results) == said
    assert json.loads(badge(results)) == {
        "schemaVersion": 1,
        "label": "testbed",
        "message": said,
        "color": colour,
    }


def test_files_are_written_each_in_its_form(tmp_path: Path) -> None:
    files = {f"--{name}": tmp_path / name for name in ("junit", "markdown", "badge")}
    require_writable(files)
    write(files, [run_of("a", GOOD)])
    begins = {name: path.read_text("utf-8").split("\n")[0] for name, path in files.items()}
    assert begins == {
        "--junit": '<?xml version="1.0" encoding="UTF-8"?>',
        "--markdown": "### 1 of 1 rows as expected",
        "--badge": "{",
    }


@pytest.mark.parametrize("option", ["--junit", "--markdown", "--badge"])
def test_a_file_that_cannot_be_written(option: str, tmp_path: Path) -> None:
    files = {option: tmp_path / "none/x"}
    with pytest.raises(
        InputError, match=rf"{option}: cannot write .*: No such file or directory; name another"
    ):
        write(files, [run_of("a", GOOD)])
    with pytest.raises(InputError, match=rf"{option}: .*none/x: there is no such folder; name another file"):
        require_writable(files)
