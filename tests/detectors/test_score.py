"""How trials are counted: what a detector could not know is not counted, and never guessed."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from testbed.detectors.adapter import adapter
from testbed.detectors.pairing import about, rule_of
from testbed.detectors.score import Thresholds, score
from testbed.detectors.trials import Trial
from testbed.detectors.verdicts import Complaint, ToolVerdict
from testbed.detectors.wilson import CountedShare
from testbed.report import scores, scoring
from testbed.scenario.loadcache import load_kept

ANY, CURL = adapter("plain"), adapter("curl")
RULE = "mts/tspu/social-reset"
BLOCKED = Trial(
    scenario="s", phase="p", vantage="mts", target="https://twitter.com/", outcome="tls.sni.rst",
    by="social-reset", technique="rst-rewrite", profile="t22", acted=(RULE,),
)  # fmt: skip
FREE = Trial(scenario="s", phase="p", vantage="mts", target="https://vk.com/", outcome="ok", acted=())


def says(trial, said, *mechanisms, **more):
    return replace(trial, verdict=ToolVerdict(trial.target, said, mechanisms, **more))


HIT, MISS = says(BLOCKED, "blocked", "tls.sni.rst"), says(BLOCKED, "free")
RIGHT, FALSE = says(FREE, "free"), says(FREE, "blocked", "ip.drop")

STANDINGS = {
    "hit": HIT,
    "miss": MISS,
    "right": RIGHT,
    "false alarm": FALSE,
    "inconclusive": says(BLOCKED, "inconclusive"),
    "no verdict": BLOCKED,
    "hung": replace(MISS, ending="hung"),
    "crashed": replace(MISS, ending="crashed"),
    "flooded": replace(HIT, ending="flooded"),
    # A ClientHello of two segments passes the boxes of 2022: `free` is then right, and no miss.
    "not met": replace(MISS, acted=()),
    "another rule": replace(MISS, acted=("mts/tspu/news-drop",)),
    "lab-error": replace(MISS, lab_error="a censor died"),
}


@pytest.mark.parametrize("standing", STANDINGS)
def test_what_a_trial_counts_as(standing):
    assert STANDINGS[standing].standing(ANY) == standing


def test_a_faulty_server_is_no_censorship():
    for outcome in ("broken", "refused"):
        assert says(replace(FREE, outcome=outcome), "blocked").standing(ANY) == "false alarm"
        assert says(replace(FREE, outcome=outcome), "free").standing(ANY) == "right"


def test_the_wrong_answer_where_the_rule_was_not_met_is_not_counted_either():
    assert replace(HIT, acted=()).standing(ANY) == "not met"


def test_what_is_not_known_of_the_rules_does_not_excuse_a_detector():
    assert replace(MISS, acted=None).standing(ANY) == "miss"


def test_what_a_tool_cannot_see_is_not_counted():
    assert says(replace(BLOCKED, outcome="conncount"), "free").standing(CURL) == "not observable"
    assert says(replace(FREE, target="dns://8.8.8.8/vk.com"), "free").standing(CURL) == "not observable"
    portal = replace(BLOCKED, outcome="portal")
    assert [says(portal, "blocked", *named).standing(ANY) for named in ((), ("http.page",), ("portal",))] == [
        "not observable", "not observable", "not observable",
    ]  # fmt: skip
    assert says(replace(FREE, target="dns://8.8.8.8/vk.com"), "free").standing(ANY) == "right"


def test_a_cause_that_one_measurement_does_not_show_counts_by_what_it_shows():
    trial = replace(BLOCKED, outcome="quic.sni.drop", target="h3://twitter.com/")
    assert score("d", [says(trial, "blocked", "quic.drop")], ANY).mechanisms == CountedShare(1, 1)


# -- the whole score


def test_shares_and_parts():
    trials = [HIT] * 9 + [MISS] + [RIGHT] * 3 + [FALSE] + [*STANDINGS.values()][4:]
    made = score("d", trials, ANY)
    assert (made.whole.recall, made.whole.false_positives) == (CountedShare(9, 10), CountedShare(1, 4))
    assert made.whole.inconclusive == CountedShare(5, 19)
    assert sum(made.whole.counts.values()) == len(trials)
    assert made.by_technique["rst-rewrite"].recall == CountedShare(9, 10)
    assert made.by_profile["t22"].recall == CountedShare(9, 10)
    assert made.by_client == {}
    assert made.mechanisms == CountedShare(9, 9)


def test_the_matrix_of_layers_and_its_f1():
    wrong_layer = says(BLOCKED, "blocked", "ip.drop")
    made = score("d", [HIT, HIT, wrong_layer, MISS, RIGHT, FALSE, says(BLOCKED, "inconclusive")], ANY)
    assert made.layers == {
        ("tls", "tls"): 2, ("tls", "ip"): 1, ("tls", "none"): 1, ("tls", "inconclusive"): 1,
        ("none", "none"): 1, ("none", "ip"): 1,
    }  # fmt: skip
    assert made.macro_f1 == pytest.approx(2 * 2 / (5 + 2))
    assert made.mechanisms == CountedShare(2, 3)


def test_numbers_are_compared_with_the_range_that_is_true():
    slow = replace(BLOCKED, outcome="throttle", rate=(130_000.0, 150_000.0), hop=2, residual=420.0)
    trials = [
        says(slow, "blocked", "throttle", parameters={"rate": rate, "hop": hop, "residual": 400.0})
        for rate, hop in ((140_000.0, 2.0), (160_000.0, 3.0), (120_000.0, 2.0))
    ]
    made = score("d", trials, ANY)
    assert made.errors == {
        "rate": (3, pytest.approx(20_000 / 3)), "hop": (3, pytest.approx(1 / 3)), "residual": (3, 20.0),
    }  # fmt: skip


def test_repeats_that_disagree_are_flaky_unless_chance_is_expected():
    repeats = [replace(HIT, repeat=1), replace(HIT, repeat=2), replace(MISS, repeat=3)]
    made = score("d", [*repeats, RIGHT, replace(RIGHT, repeat=2)], ANY)
    assert (made.steady, made.flaky) == (CountedShare(1, 2), ("s/p mts https://twitter.com/",))
    by_chance = score("d", [replace(one, chance=True) for one in repeats], ANY)
    assert (by_chance.steady, by_chance.flaky) == (CountedShare(0, 0), ())


# -- thresholds and outputs


def test_the_default_thresholds():
    limits = Thresholds()
    assert score("d", [HIT] * 19 + [MISS, RIGHT], ANY).failures(limits) == []
    assert len(score("d", [HIT] * 18 + [MISS, RIGHT], ANY).failures(limits)) == 1
    assert len(score("d", [HIT] + [RIGHT] * 49 + [FALSE], ANY).failures(limits)) == 0
    assert len(score("d", [HIT] + [RIGHT] * 48 + [FALSE], ANY).failures(limits)) == 1
    assert score("d", [], ANY).failures(limits) == ["nothing could be counted"]


def test_who_never_answers_at_one_kind_of_target_has_not_passed():
    """Such as `true`, a detector that sends nothing, and one that ends at whatever is blocked."""
    limits = Thresholds()
    unmet = replace(says(BLOCKED, "free"), acted=())
    crashed = replace(BLOCKED, ending="crashed")
    assert score("d", [unmet, unmet, crashed, RIGHT], ANY).failures(limits) == [
        "of blocked targets nothing could be counted: 2 not met, 1 crashed"
    ]
    assert score("d", [HIT, FREE, replace(FREE, ending="hung")], ANY).failures(limits) == [
        "of free targets nothing could be counted: 1 no verdict, 1 hung"
    ]
    assert score("d", [RIGHT], ANY).failures(limits) == [], (
        "where nothing is blocked there is nothing to find"
    )
    assert score("d", [HIT, crashed, RIGHT], ANY).failures(limits) == [], (
        "its other trials are beside the score"
    )
    silent = [HIT, RIGHT, says(BLOCKED, "inconclusive")]
    assert score("d", silent, ANY).failures(limits) == []
    assert len(score("d", silent, ANY).failures(Thresholds(inconclusive=0.3))) == 1


def test_the_exit_status(capsys):
    def status(*trials):
        return scoring.publish(score("d", trials, ANY), trials, Thresholds(), as_json=True)

    assert (status(HIT, RIGHT), status(MISS), status(STANDINGS["lab-error"])) == (0, 1, 3)
    documents = capsys.readouterr().out
    assert json.loads(documents[: documents.index("\n}\n") + 2])["recall"]["hits"] == 1


@pytest.mark.parametrize(
    ("spoiled", "expected", "reasons"),
    [
        (1, 0, []),
        (2, 3, ["the laboratory spoiled 2 of 11, 18% (5-48 %) of the trials"]),
    ],
)
def test_a_score_of_what_the_laboratory_left_means_little(spoiled, expected, reasons):
    trials = [HIT, *[RIGHT] * 8, *[STANDINGS["lab-error"]] * spoiled]
    found = score("d", trials, ANY)
    assert (scoring.exit_status(found, Thresholds()), found.failures(Thresholds())) == (expected, reasons)


def test_junit_and_markdown(tmp_path):
    trials = [*STANDINGS.values()]
    made = score("a detector", trials, ANY, [Complaint("unknown field", "line 1", "'mood'")])
    junit, page = tmp_path / "score.xml", tmp_path / "score.md"
    assert scoring.publish(made, trials, Thresholds(), as_json=False, junit=junit, markdown=page) == 1
    suites = ElementTree.parse(junit).getroot()
    counts = ("name", "tests", "failures", "errors", "skipped")
    assert [tuple(map(one.get, counts)) for one in suites] == [
        ("a detector", "1", "1", "0", "0"), ("s/p", "12", "2", "4", "4"),
    ]  # fmt: skip
    text = page.read_text()
    assert "| hit | 1 |" not in text  # the number comes first
    assert "| 1 | hit | blocked, and it says so |" in text
    assert "**not enough: recall 1 of 2" in text
    assert "not understood: line 1: unknown field: 'mood'" in text


def test_what_a_tool_says_is_no_command_for_a_terminal_and_no_markup(capsys):
    words = "\x1b[2J\u202e| <b>bold</b>\n| next"
    made = score("d", [says(FREE, "blocked", words=words)], ANY, [Complaint("truncated line", "l", words)])
    scores.show(made, Thresholds())
    page = scores.markdown(made, Thresholds())
    for text in (capsys.readouterr().out, page):
        assert [one for one in ("\x1b", "\u202e") if one in text] == []
    [row] = [line for line in page.splitlines() if line.startswith("| false alarm | s/p")]
    said = r"blocked: \x1b[2J\u202e\| &lt;b>bold&lt;/b> \| next"
    assert row == f"| false alarm | s/p mts | https://vk.com/ | ok | {said} |"
    assert r"- not understood: l: truncated line: \x1b[2J\u202e| &lt;b>bold&lt;/b> | next" in page


def test_the_terminals_table_has_the_same_last_line(capsys):
    made = score("d", [HIT, RIGHT], ANY)
    scores.show(made, Thresholds())
    assert capsys.readouterr().out.splitlines()[-1] == scores.ending(made, Thresholds())


def test_a_trial_is_json_and_back():
    for trial in [
        *STANDINGS.values(),
        says(replace(BLOCKED, rate=(1.0, 2.0)), "blocked", parameters={"rate": 3.0}),
    ]:
        again = Trial.from_json(json.loads(json.dumps(trial.to_json())))
        assert again.to_json() == trial.to_json()
        assert again.standing(ANY) == trial.standing(ANY)


# -- Wilson's interval: Newcombe 1998, table I, method 3


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval(hits, of, low, high):
    assert CountedShare(hits, of).interval == pytest.approx((low, high), abs=5e-5)


def test_of_nothing_nothing_is_known():
    assert (CountedShare(0, 0).value, CountedShare(0, 0).interval, str(CountedShare(0, 0))) == (
        None,
        (0.0, 1.0),
        "none",
    )
    assert CountedShare(59, 59).interval[0] > 0.93


def test_a_rule_that_acted_where_nothing_is_blocked_is_no_false_alarm():
    for trial in (FALSE, RIGHT, says(FREE, "inconclusive")):
        assert replace(trial, acted=("mts/tspu/news-drop",)).standing(ANY) == "another rule"


def test_the_f1_of_a_detector_that_is_always_right():
    assert score("d", [HIT, HIT, RIGHT], ANY).macro_f1 == 1


@pytest.mark.parametrize(
    ("said", "target", "same"),
    [
        ("https://vk.com:443/", "https://vk.com/", True),
        ("https://vk.com", "https://vk.com:443/", True),
        ("http://vk.com:80/", "http://vk.com/", True),
        ("https://vk.com:80/", "https://vk.com/", False),
        ("http://vk.com:443/", "http://vk.com/", False),
    ],
)
def test_a_port_that_the_scheme_has_anyway(said, target, same):
    assert about(ToolVerdict(said, "free"), replace(FREE, target=target)) is same


def test_where_a_rule_is():
    scenario = load_kept("twitter-facebook-block-2022-03")

    def place(vantage: str, by: str) -> tuple[str, str]:
        found, technique = rule_of(scenario, "block", vantage, by)
        return found.name if found else "", technique

    assert place("mts", "social-reset") == ("mts/tspu-mts", "rst-rewrite")
    assert place("rostelecom", "tspu/social-reset") == ("rostelecom/tspu", "rst-rewrite")
    for vantage, by in (("rostelecom", "tspu-mts/social-reset"), ("mts", "other/social-reset"), ("mts", "")):
        assert place(vantage, by) == ("", "")


def test_a_place_without_repeats_is_neither_steady_nor_flaky():
    assert score("d", [HIT, RIGHT], ANY).steady == CountedShare(0, 0)
