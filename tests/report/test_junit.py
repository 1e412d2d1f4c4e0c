"""Runs as JUnit XML."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from testbed.report.junit import document
from testbed.run.job import Job
from testbed.run.result import RunResult
from testbed.truth.judge import Judgement, Row
from testbed.truth.wayjudge import WayRow

GOOD = Row("mts", "https://twitter.com/", "expectation", "tls.sni.rst", "tls.sni.rst", "ok", by="reset")
BAD = replace(GOOD, vantage="beeline", observed="ok", verdict="differs", trial=2, failure="\x1b[31mred")
JUDGED = Judgement("free", "all", (GOOD, BAD))


def result(**more: object) -> RunResult:
    given = {"judgement": JUDGED, "job": Job("free", phase="all"), "exit_status": 1, "seconds": 1.5, **more}
    return RunResult(scenario="free", folder=Path("/runs/x"), **given)


def counts(element: ElementTree.Element) -> tuple[str | None, ...]:
    return tuple(element.get(name) for name in ("tests", "failures", "errors", "skipped"))


def test_rows_are_cases() -> None:
    root = ElementTree.fromstring(document([result(), result()]))
    assert (root.tag, root.get("time"), counts(root)) == ("testsuites", "3.000", ("6", "2", "0", "0"))
    suite = root[0]
    assert (suite.tag, suite.get("name"), counts(suite)) == ("testsuite", "free/all", ("3", "1", "0", "0"))
    cases = [(one.get("classname"), one.get("name"), [*one]) for one in suite.iter("testcase")]
    (failure,) = suite.iter("failure")
    assert cases == [
        ("free.all", "the run is valid", []),
        ("free.all.mts", "https://twitter.com/", []),
        ("free.all.beeline", "https://twitter.com/ (trial 2)", [failure]),
    ]
    assert failure.get("message") == "differs: observed ok, expected tls.sni.rst by reset"
    assert failure.text == r"\x1b[31mred", "XML cannot hold the character itself"


def test_rows_of_an_invalid_run_mean_nothing() -> None:
    root = ElementTree.fromstring(document([result(problems=("the censor died",), exit_status=3)]))
    assert counts(root) == ("3", "0", "1", "2")
    (error,) = root.iter("error")
    assert error.get("message") == "the censor died"


@pytest.mark.parametrize(("status", "failures"), [(0, "0"), (35, "1")])
def test_a_commands_run_is_one_case(status: int, failures: str) -> None:
    job = Job("free", phase="all", command=["curl"])
    made = result(judgement=None, job=job, command_status=status, exit_status=status)
    assert counts(ElementTree.fromstring(document([made]))) == ("1", failures, "0", "0")


def test_methods_of_circumvention_are_cases() -> None:
    good = WayRow("split", "split", "mts", "https://x/", "", "tls.sni.rst", "ok", "ok", "ok")
    bad = replace(good, name="doh", fails_by="reset", verdict="differs")
    absent = replace(good, name="vpn", verdict="skipped", why="wg is not installed")
    root = ElementTree.fromstring(document([result(ways=(good, bad, absent))]))
    assert counts(root) == ("6", "2", "0", "1")
    _, failure = root.iter("failure")
    (skipped,) = root.iter("skipped")
    assert failure.get("message") == "differs: it is ok and must fail by reset"
    assert skipped.get("message") == "wg is not installed"
    assert "free.all.mts.circumvention" in {one.get("classname") for one in root.iter("testcase")}
