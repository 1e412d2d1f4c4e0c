"""JSON or CSV that any detector may write."""

import json

import pytest

from testbed.detectors.adapter import Adapter, ToolOutput
from tests.detectors.say import complaints, read, short

SITE, OTHER = "https://twitter.com/", "https://vk.com/"
SAID = {SITE: ("blocked", ("tls.sni.rst",)), OTHER: ("free", ())}
RECORDS = [
    {"target": SITE, "verdict": "blocked", "mechanism": "tls.sni.rst"},
    {"target": OTHER, "verdict": False},
]


def test_json_lines_a_list_and_one_object():
    assert short(read("plain", RECORDS)) == SAID
    assert short(read("plain", json.dumps(RECORDS, indent=1))) == SAID
    assert short(read("plain", json.dumps(RECORDS[0], indent=1))) == {SITE: SAID[SITE]}
    assert short(read("plain", '{"verdict": null}', SITE)) == {SITE: ("inconclusive", ())}


def test_csv():
    text = f"target,verdict,mechanism,rate\n{SITE},blocked,tls.sni.drop|throttle,130000\n{OTHER},FREE,,\n"
    one, two = read("plain", text).verdicts
    assert (one.mechanisms, one.layer, dict(one.parameters)) == (
        ("tls.sni.drop", "throttle"),
        "tls",
        {"rate": 130000.0},
    )
    assert (two.said, dict(two.parameters)) == ("free", {})


@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_true_and_false_in_csv_and_a_mark_of_the_byte_order_before_it(start):
    assert short(read("plain", f"{start}target,verdict\n{SITE},true\n{OTHER},False\n")) == {
        SITE: ("blocked", ()),
        OTHER: ("free", ()),
    }
    assert short(read("plain", f'{start}{{"target": "{SITE}", "verdict": true}}')) == {SITE: ("blocked", ())}


def test_what_cannot_be_read_is_named_and_not_guessed():
    records = [
        {"target": SITE, "verdict": "blokced"}, {"verdict": "free"}, {"target": SITE, "verdict": 1},
        {"target": SITE, "verdict": "blocked", "mechanism": "tls.sni.rest", "layer": "tsl",
         "rate": "fast", "mood": 1},
    ]  # fmt: skip
    report = read("plain", records)
    assert [(one.kind, one.place, one.message) for one in report.complaints] == [
        ("not a result", "line 1", "verdict 'blokced'; a verdict is blocked, free or inconclusive"),
        ("not a result", "line 2", "no target; a verdict is blocked, free or inconclusive"),
        ("not a result", "line 3", "verdict '1'; a verdict is blocked, free or inconclusive"),
        ("unknown field", "line 4", "'mood'"),
        ("unknown failure", "line 4", "mechanism 'tls.sni.rest'; did you mean 'tls.sni.rst'?"),
        ("unknown failure", "line 4", "layer 'tsl'; did you mean 'tls'?"),
        ("unknown failure", "line 4", "rate: 'fast' is no number"),
    ]
    assert short(report) == {SITE: ("blocked", ())}


def test_a_line_that_is_nested_too_deeply_costs_no_other():
    records = json.dumps(RECORDS[0]) + "\n" + "[" * 3000 + "\n" + json.dumps(RECORDS[1]) + "\n"
    report = read("plain", records)
    assert (short(report), complaints(report)) == (SAID, [("truncated line", "line 2")])


def test_half_a_character_in_an_output_can_be_written_again():
    report = read("plain", '{"target": "https://x\\ud800.com/", "verdict": "free"}')
    assert short(report) == {"https://x?.com/": ("free", ())}


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_who_says_the_same_again_has_repeated_it(kind):
    """Or of nine equal answers and another one, one and one would count."""
    said = [*["blocked"] * 9, "free"]
    lines = [
        f"{SITE},{one}" if kind == "csv" else json.dumps({"target": SITE, "verdict": one}) for one in said
    ]
    report = read("plain", "\n".join([*(["target,verdict"] if kind == "csv" else []), *lines]))
    assert [one.said for one in report.verdicts] == said
    assert complaints(report) == []


def test_words_before_and_behind_the_results_cost_none():
    report = read(
        "plain", "Starting...\n" + "".join(json.dumps(one) + "\n" for one in RECORDS) + "Done in 3 s\n"
    )
    assert (short(report), complaints(report)) == (
        SAID,
        [("truncated line", "line 1"), ("truncated line", "line 4")],
    )


@pytest.mark.parametrize(("before", "complained"), [("Starting\n", ["line 1"]), ("\n\n", [])])
def test_a_table_begins_with_its_names(before, complained):
    report = read("plain", f"{before}target,verdict\n{SITE},blocked\n{OTHER}\n")
    assert short(report) == {SITE: ("blocked", ())}
    cut = before.count("\n") + 3
    assert [place for _, place in complaints(report)] == [*complained, f"line {cut}"]


def test_csv_rows_that_are_cut():
    text = f"target,verdict\n{SITE},blocked\n{OTHER}\n"
    report = read("plain", text)
    assert short(report) == {SITE: ("blocked", ())}
    assert complaints(report) == [("truncated line", "line 3")]
    assert complaints(read("plain", "")) == [("empty", "")]


def test_what_is_no_csv_is_named_from_there_on():
    """A detector that floods prints a field that is too long for the csv module."""
    report = read("plain", f"target,verdict\n{SITE},free\n{'x' * 200_000}\n{OTHER},free\n")
    assert short(report) == {SITE: ("free", ())}
    assert complaints(report) == [("not a result", "line 3")]


def test_an_adapter_that_fails_is_a_complaint():
    failing = Adapter(name="mine", title="", read=lambda output: 1 / len(output.errors))
    assert [str(one) for one in failing.report(ToolOutput("x")).complaints] == [
        "not read: the adapter mine cannot read it: ZeroDivisionError: division by zero"
    ]
