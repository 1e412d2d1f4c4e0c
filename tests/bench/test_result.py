import json

import pytest

from bench.result import BenchFailure, Budget, Quantity, Result, digits, middle_half, round_ratios
from bench.table import document, show, summary


def result(figure: float, budget: Budget, **more) -> Result:
    quantity = Quantity(figure, "s")
    return Result("a thing", quantity, Quantity(0.5, "s"), "nothing", quantity, budget, **more)


@pytest.mark.parametrize(
    ("budget", "figure", "missed"),
    [
        (Budget(least=0.95), 0.95, 0.0),
        (Budget(least=0.95), 0.76, 0.2),
        (Budget(most=0.6), 0.6, 0.0),
        (Budget(most=0.6), 0.9, 0.5),
        (Budget(0.97, 1.03), 1.0, 0.0),
        (Budget(0.97, 1.03), 0.485, 0.5),
        (Budget(0.97, 1.03), 2.06, 1.0),
    ],
)
def test_a_budget_says_by_which_share_of_its_bound_it_is_missed(budget, figure, missed):
    assert budget.missed_by(figure) == pytest.approx(missed)
    assert result(figure, budget).held is (missed == 0)


def test_the_verdict_says_by_how_much():
    assert result(0.9, Budget(most=0.6)).verdict == "missed by 50%"
    assert result(0.603, Budget(most=0.6)).verdict == "missed by 0.5%"
    assert result(0.3, Budget(most=0.6)).verdict == "held"
    assert result(0.3, Budget()).verdict == ""  # what has none is neither held nor missed
    assert result(0.3, Budget()).to_json()["held"] is None


def test_each_round_has_its_own_ratio_and_half_of_them_are_told():
    measured, baseline = [100.0, 8.0, 45.0, 19.0], [10.0, 10.0, 50.0, 20.0]
    assert round_ratios(measured, baseline) == [0.8, 0.9, 0.95, 10.0]
    assert middle_half([0.8, 0.9, 0.95, 10.0]) == "0.900-0.950"
    assert middle_half([0.9]) == "0.900-0.900"
    with pytest.raises(ValueError, match="longer"):
        round_ratios([1.0], baseline)


def test_numbers_are_short_and_a_ratio_has_three_decimals():
    assert [digits(n) for n in (0, 0.95312, 1.234, 98.76, 12345.6)] == [
        "0",
        "0.953",
        "1.23",
        "98.8",
        "12,346",
    ]
    assert str(Quantity(0.9999)) == "1.000"
    assert str(Quantity(2.5, "ms")) == "2.5 ms"
    assert [str(b) for b in (Budget(least=25_000), Budget(most=0.6), Budget(0.97, 1.03))] == [
        ">= 25,000",
        "<= 0.6",
        "0.97-1.03",
    ]


def test_the_table_is_plain_text_where_there_is_no_terminal(tmp_path):
    results = [result(0.3, Budget(most=0.6), note="three times"), result(0.9, Budget(most=0.6))]
    place = tmp_path / "table.txt"
    with place.open("w") as out:
        show(results, [BenchFailure("tls", "no namespaces")], file=out)
    text = place.read_text()
    assert "\x1b" not in text
    lines = text.splitlines()
    assert lines[0].split() == ["what", "measured", "baseline", "against", "figure", "budget"]
    assert lines[1].split() == [
        "a",
        "thing",
        "0.3",
        "s",
        "0.5",
        "s",
        "nothing",
        "0.3",
        "s",
        "<=",
        "0.6",
        "held",
    ]
    assert lines[2].endswith("missed by 50%")
    assert "a thing: three times" in lines
    assert "NOT MEASURED tls: no namespaces" in lines
    assert lines[-1] == summary(results, [BenchFailure("tls", "no namespaces")])
    assert lines[-1] == "1 of 2 budgets held; 1 benchmarks could not be run"


def test_the_document_holds_what_the_table_shows_and_the_rounds():
    told = document(
        [result(0.9, Budget(most=0.6), details={"rounds": [1, 2]})], [BenchFailure("x", "y")], quick=True
    )
    told = json.loads(json.dumps(told))
    (one,) = told["results"]
    assert (one["held"], one["missed_by"]) == (False, 0.5)
    assert one["figure"] == {"value": 0.9, "unit": "s"}
    assert one["budget"] == {"least": None, "most": 0.6}
    assert one["details"] == {"rounds": [1, 2]}
    assert told["quick"] is True
    assert told["machine"]["cpus"] >= 1
    assert told["failures"] == [{"name": "x", "why": "y"}]
