"""docs/conformance.md tells what the cases do on the core today, and in the last run through the kernel."""

from testbed.conformance.case import CASES
from testbed.conformance.results import markdown
from testbed.conformance.suite import CaseResult
from tests.conformance.outcomes import ALL, on_core
from tools.conformance import BEGIN, END, PAGE

_KERNEL = 8  # the last column


def tables(page: str) -> list[list[str]]:
    """The cells of every row between the marks."""
    inside = page.partition(BEGIN)[2].partition(END)[0]
    rows = [line.strip("| ").split(" | ") for line in inside.splitlines() if line.startswith("| ")]
    return [row[: _KERNEL - 1] if row[0].startswith("C") and len(row) == _KERNEL else row for row in rows]


def expected() -> str:
    outcomes: list[CaseResult] = [on_core(*one) for one in ALL]
    return f"{BEGIN}\n{markdown(outcomes)}\n{END}"


def test_the_page_is_in_step() -> None:
    assert tables(PAGE.read_text("utf-8")) == tables(expected()), "run: python tools/conformance.py"


def test_it_would_be_seen_out_of_step() -> None:
    page = PAGE.read_text("utf-8").replace("5 to 8 further", "5 to 9 further", 1)
    assert tables(page) != tables(expected())


def test_every_sure_case_is_shown_held_on_both_grounds() -> None:
    inside = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = {line.split(" | ")[0].strip("| "): line for line in inside.splitlines() if line.startswith("| C")}
    for case in CASES.values():
        if case.confidence == "H":
            wanted = "| held | held |" if case.live else "| held | no: "
            assert wanted in rows[case.id]
