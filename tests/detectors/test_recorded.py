"""What is recorded as trials: run folders, truth files, evaluations' folders; and `testbed score` on them."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from testbed.cli.score import command
from testbed.detectors import recorded
from testbed.detectors.adapter import ToolOutput, adapter
from testbed.detectors.recorded import ProbeView
from testbed.errors import InputError
from testbed.measurement.ooni import Measurement
from testbed.scenario import library
from testbed.scenario.loader import load
from testbed.truth.record import TruthFile, TruthRecord
from tests.detectors.test_score import HIT, MISS, RIGHT

PLAIN = adapter("plain")
SLOW, FINE = "https://abs.twimg.com/bytes/140000", "https://vk.com/"
POLICER = "mts/tspu-exact/twitter-policer"


def run_folder(path, fired=(POLICER,), problems=(), **more):
    path.mkdir()
    summary = {"scenario": "twitter-throttling-2021", "phase": "exact", "vantages": ["mts"]}
    summary |= {"problems": list(problems), "rules_fired": dict.fromkeys(fired, 9)} | more
    (path / "summary.json").write_text(json.dumps(summary))
    return path


def output(*verdicts):
    return ToolOutput(
        "".join(json.dumps({"target": target, "verdict": said}) + "\n" for target, said in verdicts)
    )


def standings(trials):
    return {trial.target: trial.standing(PLAIN) for trial in trials}


def test_a_commands_output_beside_what_its_run_had_to_show(tmp_path):
    run = run_folder(tmp_path / "run")
    said = output((SLOW, "blocked"), (FINE, "blocked"), ("https://nowhere.example/", "free"))
    trials, complaints = recorded.of_run(run, PLAIN, said)
    found = standings(trials)
    assert (found[SLOW], found[FINE]) == ("hit", "false alarm")
    assert {found[target] for target in found.keys() - {SLOW, FINE}} == {"no verdict"}
    assert [(one.kind, one.place) for one in complaints] == [("no such target", "https://nowhere.example/")]
    (slow,) = (trial for trial in trials if trial.target == SLOW)
    assert (slow.technique, slow.profile, slow.hop) == ("police", "t21", 2)


def test_the_scenario_of_a_run_is_the_file_that_it_was_asked_for(tmp_path):
    found = library.find("twitter-throttling-2021")
    (tmp_path / "mine.yaml").write_text(found.read_text())
    run = run_folder(tmp_path / "run", scenario="mine")
    (run / "job.json").write_text(json.dumps({"scenario": str(tmp_path / "mine.yaml")}))
    trials, _ = recorded.of_run(run, PLAIN, output((SLOW, "blocked")))
    assert standings(trials)[SLOW] == "hit"
    (tmp_path / "mine.yaml").unlink()
    with pytest.raises(InputError) as gone:
        recorded.of_run(run, PLAIN, output((SLOW, "blocked")))
    said = f"--run: {run}: its scenario 'mine' is not in the library, nor is it at {tmp_path / 'mine.yaml'}"
    assert str(gone.value) == f"{said}; give its file: --scenario FILE"


def test_a_rule_that_did_not_act_in_the_run_was_not_met(tmp_path):
    trials, _ = recorded.of_run(run_folder(tmp_path / "run", fired=()), PLAIN, output((SLOW, "free")))
    assert standings(trials)[SLOW] == "not met"


def test_an_invalid_run_is_no_miss(tmp_path):
    run = run_folder(tmp_path / "run", problems=["mts.tspu died"])
    trials, _ = recorded.of_run(run, PLAIN, output((SLOW, "free")))
    assert set(standings(trials).values()) == {"lab-error"}


def test_a_target_that_is_named_twice_is_two_repeats(tmp_path):
    trials, _ = recorded.of_run(
        run_folder(tmp_path / "run"), PLAIN, output((SLOW, "blocked"), (SLOW, "free"))
    )
    assert [(one.repeat, one.standing(PLAIN)) for one in trials if one.target == SLOW] == [
        (1, "hit"),
        (2, "miss"),
    ]


def test_a_name_alone_is_its_https_page(tmp_path):
    trials, complaints = recorded.of_run(run_folder(tmp_path / "run"), PLAIN, output(("VK.com", "free")))
    assert (standings(trials)[FINE], complaints) == ("right", [])


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("results.jsonl", '{"input"', "results.jsonl:1: it cannot be read: "),
        ("results.jsonl", "[" * 3000, "results.jsonl:1: it cannot be read: it is nested too deeply"),
        ("receipts/x.json", '{"censor": "mts/x", "rules": {"a": 1}}', "x.json: it is no receipt of a censor"),
    ],
)
def test_a_run_folder_with_a_damaged_file(tmp_path, file, text, said):
    run = run_folder(tmp_path / "run")
    (run / "receipts").mkdir()
    (run / "receipts/delay.json").write_text("{}")
    (run / "results.jsonl").write_text("")
    recorded.of_run(run, PLAIN, None)
    (run / file).write_text(text)
    with pytest.raises(InputError) as caught:
        recorded.of_run(run, PLAIN, None)
    assert said in str(caught.value)


def test_what_is_no_run_folder(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        recorded.of_run(tmp_path, PLAIN, output())
    with pytest.raises(InputError, match="not the folder of one run"):
        recorded.of_run(run_folder(tmp_path / "world", world="w"), PLAIN, output())


def test_a_run_of_several_phases_has_no_one_truth(tmp_path):
    with pytest.raises(
        InputError, match=r"not the folder of one run in one phase; give the folder of .* without"
    ):
        recorded.of_run(run_folder(tmp_path / "timeline", phases=[{}, {}]), PLAIN, output())


def of_file(path, scenario):
    """A run of a scenario of one's own, as `testbed run` records what it was made from."""
    run = run_folder(path, scenario=scenario.stem)
    (run / "job.json").write_text(json.dumps({"scenario": str(scenario)}))
    (run / "scenario.json").write_text(json.dumps({"files": dict(load(scenario).files)}))
    return run


def test_a_run_is_scored_by_the_scenario_that_it_had(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(library.find("twitter-throttling-2021").read_text("utf-8"))
    run = of_file(tmp_path / "run", mine)
    trials, _ = recorded.of_run(run, PLAIN, output((SLOW, "blocked")))
    assert standings(trials)[SLOW] == "hit"
    before = mine.rename(tmp_path / "before.yaml")
    with pytest.raises(
        InputError, match=r"its scenario 'mine' is not in the library, nor is it at .*--scenario FILE"
    ):
        recorded.of_run(run, PLAIN, output())
    mine.write_text(before.read_text("utf-8").replace("140 kbit/s", "150 kbit/s"))
    with pytest.raises(InputError, match=r"another than the run's: mine.yaml; give the file as it was"):
        recorded.of_run(run, PLAIN, output())


def test_a_run_that_tried_no_tools_is_of_the_same_scenario(tmp_path):
    run = run_folder(tmp_path / "run", fired=(), scenario="telegram-ip-blocking-2018", phase="own-nets")
    for tools in (False, True):
        files = dict(load("telegram-ip-blocking-2018", tools=tools).files)
        (run / "scenario.json").write_text(json.dumps({"files": files}))
        recorded.of_run(run, PLAIN, output())


def test_a_command_that_chose_the_other_ip_version_met_its_rule(tmp_path):
    """Over IPv6 Telegram was free; what a rule of IPv4 did to the command is no false alarm."""
    rule, site = "mts/own-nets/telegram-nets", "https://web.telegram.org/"
    run = run_folder(tmp_path / "run", fired=(rule,), scenario="telegram-ip-blocking-2018", phase="own-nets")
    control = replace(measured("mts", FINE), annotations={"vantage": "mts", "ip_version": "6"})
    (run / "results.jsonl").write_text(json.dumps(control.to_json()) + "\n")
    trials, _ = recorded.of_run(run, PLAIN, output((site, "blocked"), (FINE, "blocked")))
    found = standings(trials)
    assert (found[site], found[FINE]) == ("another rule", "false alarm")


def test_a_tools_output_from_standard_input(tmp_path):
    words = ["-", "--adapter", "plain", "--run", str(run_folder(tmp_path / "run")), "--json"]
    shown = CliRunner().invoke(command, words, input=output((SLOW, "blocked")).text)
    assert json.loads(shown.stdout)["counts"]["hit"] == 1


def test_a_run_from_outside_alone_has_nothing_to_find(tmp_path):
    run = run_folder(tmp_path / "run", fired=(), vantages=["outside"])
    with pytest.raises(InputError, match="it ran outside alone"):
        recorded.of_run(run, PLAIN, output((FINE, "free")))


def truth_file(path, **changed):
    common = {
        "level": "policy",
        "scenario": "s",
        "phase": "p",
        "vantage": "mts",
        "transport": "tls",
        "ipv": 4,
    } | changed
    blocked = TruthRecord(
        **common, client="curl", target="https://twitter.com/", outcome="tls.sni.rst",
        mechanism="tls.sni.rst", layer="tls", rule="mts/tspu/social-reset",
        action="rst-rewrite", chances={"tls.sni.rst": 1.0}, hop=2,
    )  # fmt: skip
    free = TruthRecord(
        **common, client="curl", target=FINE, outcome="ok", mechanism="ok", chances={"ok": 1.0}
    )
    path.write_text(json.dumps(TruthFile(records=(blocked, free)).to_json()))
    return path


def test_a_truth_file(tmp_path):
    said = output(("https://twitter.com/", "blocked"), (FINE, "free"))
    trials, _ = recorded.of_truth(truth_file(tmp_path / "truth.json"), PLAIN, said)
    assert standings(trials) == {"https://twitter.com/": "hit", FINE: "right"}
    assert (trials[0].technique, trials[0].client, trials[0].by) == (
        "rst-rewrite",
        "curl",
        "tspu/social-reset",
    )


def several(path, **changed):
    """A truth file of two vantages, phases or so."""
    both = [json.loads(truth_file(path, **one).read_text()) for one in ({}, changed)]
    path.write_text(json.dumps(both[0] | {"records": [record for one in both for record in one["records"]]}))
    return path


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"vantage": "tele2"}, "has more than one vantage: mts, tele2; say which: --vantage"),
        ({"phase": "q"}, "has more than one phase: p, q; say which: --phase"),
        ({"ipv": 6}, "has more than one ipv: 4, 6; make it of one ipv"),
    ],
)
def test_a_truth_file_of_several_places_does_not_count_one_output_for_each(tmp_path, changed, said):
    file = several(tmp_path / "truth.json", **changed)
    with pytest.raises(InputError) as refused:
        recorded.of_truth(file, PLAIN, output((FINE, "free")))
    assert str(refused.value) == f"--truth: {file} {said}"


def test_where_and_when_the_tool_ran(tmp_path):
    file = several(tmp_path / "truth.json", vantage="tele2", phase="q")
    said = output((FINE, "free"))
    trials, _ = recorded.of_truth(file, PLAIN, said, "tele2", "q")
    assert {(one.vantage, one.phase) for one in trials} == {("tele2", "q")}
    with pytest.raises(InputError, match=r"--vantage: .* has no vantage 'tele'; did you mean 'tele2'"):
        recorded.of_truth(file, PLAIN, said, "tele")
    with pytest.raises(InputError, match=r"--phase: .* has no phase 'p'"):
        recorded.of_truth(file, PLAIN, said, "tele2", "p")
    named = ToolOutput(json.dumps({"target": FINE, "verdict": "free", "vantage": "mts"}))
    trials, _ = recorded.of_truth(file, PLAIN, named)
    assert {one.vantage for one in trials} == {"mts"}, "the output says where"


# -- testbed score


def evaluation(path, *trials):
    path.mkdir()
    (path / "plan.json").write_text(json.dumps({"detector": "mine", "adapter": "plain"}))
    (path / "trials.jsonl").write_text("".join(json.dumps(one.to_json()) + "\n" for one in trials))
    return path


def call(*words):
    done = CliRunner().invoke(command, [str(word) for word in words], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.return_value, done.output


def test_the_score_of_an_evaluation(tmp_path):
    good = evaluation(tmp_path / "good", HIT, RIGHT)
    bad = evaluation(tmp_path / "bad", MISS, RIGHT)
    assert call(good)[0] == 0
    status, text = call(bad, "--json")
    assert (status, json.loads(text)["recall"]["hits"], json.loads(text)["detector"]) == (1, 0, "mine")
    assert call(bad, "--recall", "0")[0] == 0


def test_a_line_that_was_cut_and_a_trial_that_was_made_again(tmp_path):
    folder = evaluation(tmp_path / "cut", MISS, replace(MISS, repeat=2), HIT)
    with (folder / "trials.jsonl").open("a") as file:
        file.write(json.dumps(HIT.to_json())[:70])
    _, text = call(folder, "--json")
    assert json.loads(text)["counts"] == {"hit": 1, "miss": 1}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give the folder of an evaluation"),
        (["--run", ".", "--adapter", "curl"], "RESULTS need --adapter"),
        (["--run", "."], "summary.json cannot be read"),
        (["."], "plan.json cannot be read"),
    ],
)
def test_what_is_wrong_with_the_command_line(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match=message):
        call(*words)


def test_outputs_that_were_kept_are_read_again_by_another_adapter(tmp_path):
    folder = evaluation(
        tmp_path / "e", replace(MISS, raw="raw/1.out", status=35), replace(RIGHT, raw="raw/2.out", status=0)
    )
    (folder / "raw").mkdir()
    for name in ("1.out", "1.err", "2.out", "2.err"):
        (folder / "raw" / name).write_text("")
    assert call(folder)[0] == 1
    status, text = call(folder, "--adapter", "exit-status", "--json")
    score = json.loads(text)
    assert (status, score["counts"]) == (0, {"hit": 1, "right": 1})
    assert (score["detector"], score["mechanism_not_named"]) == ("mine, read by exit-status", 1)
    (folder / "raw/1.out").unlink()
    with pytest.raises(InputError, match="score with its own adapter"):
        call(folder, "--adapter", "exit-status")


def measured(vantage, target, failure=None, page=None):
    """A measurement of the probe: a page, or the step that failed."""
    answer = {"code": 200, "body": f"<title>{page}</title>", "x_complete": True}
    request = {"failure": failure, "request": {"url": target}, "response": answer if page else {"code": 0}}
    keys = {"failure": failure, "requests": [request] if page else []}
    connect = {"ip": "192.0.2.1", "port": 80, "status": {"failure": failure if not page else None}}
    keys["tcp_connect"] = [connect]
    return Measurement.from_json({"input": target, "annotations": {"vantage": vantage}, "test_keys": keys})


SITE, CONTROL, OTHER = "http://site.example/", "http://control.example/", "http://other.example/"


def view(**seen):
    """What the probe says of `SITE` at each vantage, given what `SITE` and the two controls gave there."""
    fine = [measured("outside", target, page=target) for target in (SITE, CONTROL, OTHER)]
    here = [
        measured("mts", target, **({"page": answer} if answer else {"failure": "generic_timeout_error"}))
        for target, answer in zip((SITE, CONTROL, OTHER), seen["mts"], strict=True)
    ]
    judged = ProbeView([*here, *fine], [CONTROL, OTHER])
    verdict = judged.verdict(here[0])
    return verdict.said, verdict.mechanisms


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        (("log in", "log in", "log in"), ("blocked", ("portal",))),
        (("log in", CONTROL, OTHER), ("blocked", ("http.page",))),
        (("log in", "log in", OTHER), ("blocked", ("http.page",))),
        ((None, None, None), ("free", ())),  # an outage
        ((None, CONTROL, OTHER), ("blocked", ("ip.drop",))),
        ((SITE, "log in", "log in"), ("free", ())),
    ],
    ids=["portal", "block page", "one control harmed", "outage", "block", "a site that works at a portal"],
)
def test_the_controls_show_the_probe_a_portal_and_an_outage(pages, said):
    assert view(mts=pages) == said
