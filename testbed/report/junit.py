"""Runs as JUnit XML, which CI services show: a suite for each run, a case for each row."""

import time
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from testbed.errors import printable
from testbed.run.result import RunResult
from testbed.truth.judge import Row
from testbed.truth.wayjudge import WayRow


def document(results: Sequence[RunResult]) -> str:
    """One suite for each run.

    The first case of a suite is the run itself, an error if it is invalid; its rows then mean nothing and are
    skipped. A row that is not as expected is a failure.
    """
    root = Element("testsuites")
    for result in results:
        root.append(_suite(result))
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, 0)) for suite in root)))
    root.set("time", f"{sum(result.seconds for result in results):.3f}")
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, "unicode") + "\n"


def _suite(result: RunResult) -> Element:
    name = f"{result.scenario}/{result.job.phase}"
    rows = result.judgement.rows if result.judgement else ()
    suite = Element("testsuite", name=name, tests=str(len(rows) + len(result.ways) + 1))
    suite.set("time", f"{result.seconds:.3f}")
    suite.set("timestamp", time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(result.started)))
    _property(SubElement(suite, "properties"), "folder", str(result.folder))
    whole = SubElement(suite, "testcase", classname=_dotted(name), name="the run is valid")
    if not result.valid:
        note(whole, "error", result.problems[0], "\n".join(result.problems))
    elif result.command_status:
        note(whole, "failure", f"the command's exit status is {result.command_status}")
    for row in rows:
        _row(suite, name, row, valid=result.valid)
    for way in result.ways:
        _way(suite, name, way, valid=result.valid)
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(kind) is not None for case in suite.iter("testcase"))))
    return suite


def _way(suite: Element, name: str, way: WayRow, *, valid: bool) -> None:
    """A method of circumvention; one whose tool is not installed is skipped."""
    title = f"{way.name}: {way.target}"
    case = SubElement(suite, "testcase", classname=f"{_dotted(name)}.{way.vantage}.circumvention", name=title)
    if way.verdict == "skipped" or not valid:
        note(case, "skipped", way.why or "the run is invalid")
    elif way.verdict != "ok":
        must = f"must fail by {way.fails_by}" if way.fails_by else "must get through"
        note(case, "failure", f"{way.verdict}: it is {way.observed} and {must}", way.why)


def _row(suite: Element, name: str, row: Row, *, valid: bool) -> None:
    trial = f" (trial {row.trial})" if row.trial is not None else ""
    case = SubElement(suite, "testcase", classname=f"{_dotted(name)}.{row.vantage}", name=row.target + trial)
    if not valid:
        note(case, "skipped", "the run is invalid")
    elif row.verdict != "ok":
        by = f" by {row.by}" if row.by else ""
        note(
            case,
            "failure",
            f"{row.verdict}: observed {row.observed}, expected {row.expected}{by}",
            row.failure,
        )


def note(case: Element, kind: str, message: str, text: str = "") -> None:
    """Give a case its failure, error or skipping."""
    SubElement(case, kind, message=legal(message)).text = legal(text) or None


def _property(parent: Element, name: str, value: str) -> None:
    SubElement(parent, "property", name=name, value=legal(value))


def _dotted(name: str) -> str:
    """Class names have dots between their parts, and the names of scenarios have none."""
    return name.replace("/", ".")


def legal(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold, even escaped."""
    return printable(text).replace("\ufffe", "").replace("\uffff", "")
