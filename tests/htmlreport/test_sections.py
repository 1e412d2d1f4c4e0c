"""Each section as a function: values in, blocks out."""

import json
import shlex
from dataclasses import replace

from testbed.cli import main
from testbed.htmlreport.blocks import Bullets, DataGrid, Folded, GridCell, PlotFigure, Statement, StoryLadder
from testbed.htmlreport.gather import gather
from testbed.htmlreport.ladderrows import LadderRow, ladder_rows
from testbed.htmlreport.sections import (
    detectors,
    ladders,
    missing,
    reachability,
    receipts,
    reproduce,
    strategies,
    summary,
    throughput,
    topology,
    truth,
    verdicts,
)
from testbed.run.job import Job
from tests.htmlreport.trialmaker import write_evaluation
from tests.htmlreport.values import BLOCKED, STORY, WRONG, curve, facts, matrix, monitor, row, run, way


def tables(section, *, deep=True):
    """Every table of a section, those of folds and pictures too."""
    found, waiting = [], list(section.blocks)
    while waiting:
        block = waiting.pop(0)
        if isinstance(block, DataGrid):
            found.append(block)
        elif isinstance(block, Folded) and deep:
            waiting[:0] = block.blocks
        elif isinstance(block, PlotFigure) and block.grid and deep:
            found.append(block.grid)
    return found


def pictures(section):
    return [
        one
        for block in section.blocks
        for one in (block.blocks if isinstance(block, Folded) else (block,))
        if isinstance(one, PlotFigure)
    ]


def test_the_summary_in_plain_words():
    found = summary.section(facts(run(), matrices=(matrix(),), monitors=(monitor(),)))
    sentences, _, grid = found.blocks
    assert sentences == Bullets(
        (
            "1 run of 1 scenario.",
            "3 measurements compared with what should have been seen: all agree.",
            "Filters interfered with 1 of them.",
            "one was watched at 3 instants: 12 samples, 1 incident.",
            "2 tools met 2 boxes: 1 of 4 pairs got through.",
        )
    )
    assert grid.rows[0] == (
        "one, phase block", GridCell("as expected: 3 of 3", "good"), "measurements by the probe", "runs/one",
    )  # fmt: skip


def test_the_summary_names_what_is_invalid_or_did_not_end():
    found = summary.section(facts(run(valid=False), run(valid=None, verdict=""), unread=("x: gone",)))
    sentences = found.blocks[0].items
    assert "1 run invalid: what was seen there says nothing." in sentences
    assert "1 run did not come to an end; what is there is shown." in sentences
    assert sentences[-1] == "What is missing is named at the end of the page."
    assert [line[1].tone for line in found.blocks[2].rows] == ["bad", "warn"]


def test_the_summary_begins_with_what_is_not_as_it_should_be():
    good, cut, wrong = run(), run(valid=None, verdict="", phase="cut"), run(rows=(WRONG,), phase="wrong")
    found = summary.section(facts(good, cut, good, wrong))
    assert [line[0] for line in found.blocks[2].rows] == [
        "one, phase cut",
        "one, phase wrong",
        "one, phase block",
        "one, phase block",
    ]


def test_verdicts_by_target_and_vantage_the_outside_last():
    rows = (row("outside"), BLOCKED, row("beeline"), WRONG)
    (grid,) = tables(verdicts.section(facts(run(rows=rows))))
    assert grid.head == ("target", "mts", "beeline", "outside")
    assert grid.rows == (
        (
            "https://twitter.com/", GridCell("tls.sni.rst", "held", "social"), GridCell("ok", "good"),
            GridCell("ok", "good"),
        ),
        (
            "https://vk.com/", GridCell("tcp.drop", "bad", "differs; should be ok"), GridCell(""),
            GridCell(""),
        ),
    )  # fmt: skip


def test_several_tries_of_one_target_share_a_cell():
    rows = (row(trial=1), row(trial=2, verdict="differs", seen="tcp.drop", observed="tcp.drop"))
    (grid,) = tables(verdicts.section(facts(run(rows=rows))))
    assert grid.rows[0][1].text == "tcp.drop, 1 of 2 tries as expected"


def test_a_phase_with_something_wrong_is_open_however_many_there_are():
    runs = [run(rows=(row(),)) for _ in range(9)] + [run(rows=(WRONG,))]
    folds = [one for one in verdicts.section(facts(*runs)).blocks if isinstance(one, Folded)]
    assert [one.open for one in folds] == [False] * 9 + [True]


def test_the_topology_has_each_censor_on_its_hop():
    found = topology.section(facts(run()))
    (drawing,) = pictures(found)
    assert drawing.alternative == (
        "MTS (mts) has 5 hops; tspu at hop 2. Beeline (beeline) has 4 hops; no censor. "
        "All lead to one backbone, and from there to sites in Russia and abroad."
    )
    assert drawing.grid.rows == (("mts/tspu", "mts", "hop 2", "t22", "social (rst-rewrite), slow (police)"),)
    assert "◆ tspu" in drawing.svg
    free = pictures(topology.section(facts(run(phases=(replace(run().phases[0], boxes=()),)))))[0]
    assert "◆" not in free.svg, "twin without a censor"


def test_phases_with_the_same_censors_share_a_drawing():
    phase = run().phases[0]
    found = topology.section(facts(run(phases=(phase, replace(phase, key="later")))))
    folds = [one.title for one in found.blocks if isinstance(one, Folded)]
    assert folds == ["one, phases block, later: 1 censor"]


def test_throughput_with_the_limit_of_the_rule():
    found = throughput.section(facts(run(curves=(curve(), curve("outside", None)))))
    (drawing,) = pictures(found)
    assert drawing.alternative == (
        "mts: 140 kbit/s on average after the first second, 600 kbit/s at most, limit 140 kbit/s by "
        "mts/tspu/slow (police)."
    )
    assert "limit 140 kbit/s" in drawing.svg
    assert len(drawing.grid.rows) == 21
    assert [line[6] for line in tables(found, deep=False)[0].rows] == ["140", ""]


def test_a_shaper_behind_many_policers_has_its_picture_all_the_same():
    policed = [curve(target=f"https://t{number}/") for number in range(throughput.MOST)]
    shaped = curve(target="https://shaped/", action="shape", limit=128_000.0)
    found = throughput.section(facts(run(curves=(*policed, shaped))))
    titles = [one.title for one in found.blocks if isinstance(one, Folded)]
    assert len(titles) == throughput.MOST
    assert titles[1] == "https://shaped/ in one, phase block: shape"
    assert found.blocks[-2].text == "1 more limited targets have no picture, only their rows below."


def test_transfers_that_nothing_limits_have_rows_and_no_picture():
    found = throughput.section(facts(run(curves=(curve("outside", None),))))
    assert (pictures(found), len(tables(found)[0].rows)) == ([], 1)
    assert throughput.section(facts(run())) is None


def test_reachability_and_connectivity_over_time():
    found = reachability.section(facts(monitors=(monitor(),)))
    states, levels = pictures(found)
    assert "b: blocked" in states.svg
    assert "slowed down" not in states.svg
    assert states.grid.rows == (
        (
            "https://twitter.com/", "mts", GridCell("reachable", "good"), "2022-03-01T00:00:00Z",
            "2022-03-01T00:00:00Z", "1", "ok",
        ),
        (
            "https://twitter.com/", "mts", GridCell("blocked", "bad"), "2022-03-02T00:00:00Z",
            "2022-03-03T00:00:00Z", "2", "tls.sni.rst",
        ),
        (
            "https://twitter.com/", "outside", GridCell("reachable", "good"), "2022-03-01T00:00:00Z",
            "2022-03-03T00:00:00Z", "3", "ok, tls.sni.rst",
        ),
    )  # fmt: skip
    assert levels.alternative == (
        "The lowest share of what each operator's subscribers reach at their best: "
        "mts 50% at 2022-03-02T00:00:00Z."
    )
    assert [line[1] for line in levels.grid.rows] == ["100 %", "50 %", "50 %"]


def test_a_monitor_without_a_sample_says_so():
    found = reachability.section(facts(monitors=(monitor(samples=(), incidents=(), verdict=""),)))
    assert found.blocks[1] == Statement("There is no sample.", "warn")


def test_a_ladder_row_for_each_step():
    right, note, left, last = ladder_rows(STORY)
    assert right == LadderRow(
        "0.0 ms", 0, 3, 0, "right", "▶", "sends its ClientHello", "mts to twitter.com", stopped=False
    )
    assert note == LadderRow("10.0 ms", 1, 2, 0, "matched", "◆", "rule social matches", "mts/tspu")
    assert left == LadderRow(
        "20.0 ms", 1, 2, 0, "left", "✕", "ServerHello",
        "twitter.com to mts, goes no further than mts/tspu", stopped=True,
    )  # fmt: skip
    assert (last.moment, last.kind, last.sign) == ("", "received", "◀")
    assert ladders.section(facts(run(stories=(STORY,)))).blocks[1].blocks == (StoryLadder(STORY),)
    assert ladders.section(facts(run())) is None


def test_receipts_agree_or_do_not():
    lied = replace(run().rules[0], kernel={"replace": 5})
    rules = (run().rules[0], lied, run().rules[1])
    grid, events = tables(receipts.section(facts(run(rules=rules))))
    assert [(line[4], line[5], line[7]) for line in grid.rows] == [
        ("7 rewritten", "7 rewritten", GridCell("yes", "good")),
        ("7 rewritten", "5 rewritten", GridCell("no", "bad")),
    ]
    assert events.rows == (("social", "mts/tspu", "one, phase block", "match", "1"),)


def test_truth_by_labels_then_what_differs_first():
    (labels, rows) = tables(truth.section(facts(run(rows=(BLOCKED, WRONG, row("outside"))))))
    assert labels.head == ("expected", "ok", "tcp.drop", "tls.sni.rst")
    assert labels.rows == (
        ("ok", GridCell("1", "good"), GridCell("1", "warn"), GridCell("")),
        ("tls.sni.rst", GridCell(""), GridCell(""), GridCell("1", "good")),
    )
    assert [line[0] for line in rows.rows] == ["https://vk.com/", "https://twitter.com/"]
    assert rows.rows[0][4] == "tcp.drop (generic_timeout_error)"


def test_scores_and_every_trial(tmp_path):
    found = detectors.section(gather([str(write_evaluation(tmp_path / "curl"))]))
    standings, parts, *_ = tables(found)
    assert {line[0].text: line[1] for line in standings.rows} == {
        "hit": "8", "miss": "1", "right": "2", "false alarm": "2",
    }  # fmt: skip
    assert parts.rows[0] == ("all", "8 of 9, 89% (57-98 %)", "2 of 4, 50% (15-85 %)", "0 of 13, 0% (0-23 %)")
    assert [len(grid.rows) for grid in tables(found)[-2:]] == [3, 13]


def test_a_matrix_of_tools_and_what_decided():
    table, decided = tables(strategies.section(facts(matrices=(matrix(),))))
    assert table.rows == (
        ("plain", GridCell("blocked", "bad"), GridCell("blocked", "bad", "3 of 5")),
        ("records:name", GridCell("through", "good"), GridCell("skipped", "void")),
    )
    assert [line[:3] for line in decided.rows] == [
        ("plain", "T", GridCell("blocked", "bad")),
        ("plain", "R", GridCell("blocked", "bad")),
        ("records:name", "R", GridCell("skipped", "void")),
    ]


def test_methods_of_circumvention_by_vantage_and_beside_the_direct_way():
    plain = way("plain", fails_by="mts/tspu/social", observed="tls.sni.rst", acted=("mts/tspu/social",))
    lacking = way("tor", vantage="beeline", verdict="skipped", why="tor is missing", observed="")
    wrong = way(vantage="beeline", observed="tcp.drop", verdict="differs", packet="517 bytes at 0")
    found = strategies.section(facts(run(ways=(way(), wrong, plain, lacking))))
    assert found.blocks[1].text == "circumvention NOT as expected; agreeing: 2 of 3, 1 skipped."
    by_vantage, each = tables(found)
    assert by_vantage.head == ("method", "mts", "beeline")
    direct = "direct: tls.sni.rst"
    assert by_vantage.rows == (
        ("fragments", GridCell("ok", "good", direct), GridCell("tcp.drop", "bad", direct)),
        ("plain", GridCell("tls.sni.rst", "bad", direct), GridCell("not tried", "void")),
        ("tor", GridCell("not tried", "void"), GridCell("skipped", "void")),
    )
    assert [row[6:] for row in each.rows] == [
        ("ok", GridCell("ok", "good"), ""),
        ("ok", GridCell("differs", "bad"), "517 bytes at 0"),
        ("fails by mts/tspu/social", GridCell("ok", "good"), "mts/tspu/social"),
        ("ok", GridCell("skipped", "void"), "tor is missing"),
    ]


def test_a_run_without_methods_has_no_matrix():
    assert strategies.section(facts(run())) is None


def test_a_score_alone_has_its_numbers_and_what_was_not_right(tmp_path):
    """Twin of the evaluation's folder: the same score, by the file of `score --json`."""
    folder = write_evaluation(tmp_path / "curl")
    whole = gather([str(folder)]).evaluations[0]
    (tmp_path / "score.json").write_text(json.dumps(whole.score.to_json() | {"exit_status": 1}), "utf-8")
    alone = gather([str(tmp_path / "score.json")])
    assert alone.evaluations[0].score.to_json() == whole.score.to_json()
    of_whole, of_alone = (tables(detectors.section(one)) for one in (gather([str(folder)]), alone))
    assert of_alone == of_whole[:-1]  # but for the list of every trial
    assert "a score alone" in alone.missing[0]
    assert reproduce.section(alone).blocks[0].text.splitlines() == [
        f"testbed report {tmp_path / 'score.json'} -o report.html"
    ]


def test_what_is_missing_is_named_with_its_place():
    found = missing.section(
        facts(run(missing=("no receipt",), problems=("a censor died",)), unread=("x: gone",))
    )
    assert [one.items for one in found.blocks if isinstance(one, Bullets)] == [
        ("x: gone", "runs/one: no receipt"),
        ("one, phase block: a censor died",),
    ]
    assert missing.section(facts(run())).blocks == (
        Statement("Nothing: every file was there and whole.", "good"),
    )


def test_commands_that_make_it_again():
    program = run(command=("curl", "-s", "https://a b/"), vantages=("mts",), captured=True, time_scale=420.0)
    found = reproduce.section(
        facts(run(), program, run(timeline=True), monitors=(monitor(),), matrices=(matrix(),))
    )
    line = "testbed run one --phase block"
    assert found.blocks[0].text.splitlines() == [
        f"{line} --seed 7",
        f"{line} --vantage mts --seed 7 --time-scale 420 --capture -- curl -s 'https://a b/'",
        "testbed run one --timeline --seed 7",
        "testbed monitor one --every '86400 s' --vantage mts --seed 7",
        "testbed matrix --core plain records:name --against T,R --json",
        "testbed report runs/one -o report.html",
    ]


def test_options_that_the_run_was_given_are_in_its_command():
    given = Job(
        "mine.yaml",
        model="R",
        timeout=9.0,
        ipv=6,
        instruments=["hop"],
        serve=["vpn=./serve"],
        circumvention=True,
    )
    asked = {**given.asked(), "model": "R"}
    line = "testbed run mine.yaml --phase block --seed 7"
    assert reproduce.run_command(run(asked=asked)) == (
        f"{line} --model R --timeout 9 --with hop --serve vpn=./serve --circumvention -6"
    )
    assert reproduce.run_command(run(asked=Job("mine.yaml").asked())) == line
    boxed = Job("mine.yaml", image="tool", volumes=["/a:/b"], variables=["KEY=secret"]).asked()
    assert reproduce.run_command(run(asked=boxed)) == f"{line} --image tool --volume /a:/b --env KEY"
    played = {"timeline": ["one", "two"], "speed": 3600.0, "begin": "2022-03-04T00:00:00+00:00"}
    assert reproduce.run_command(run(timeline=True, asked=played)) == (
        "testbed run one two --timeline --seed 7 --speed 3600 --from 2022-03-04T00:00:00+00:00"
    )


def test_the_default_that_is_left_out_is_that_of_a_run():
    assert Job("x").timeout == reproduce.TIMEOUT


def test_a_command_that_the_page_names_is_one_that_testbed_takes():
    page = reproduce.section(facts(run(captured=True), monitors=(monitor(),), matrices=(matrix(),)))
    for line in page.blocks[0].text.splitlines():
        _, name, *words = shlex.split(line)
        with main.testbed.make_context("testbed", [name, "--help"], resilient_parsing=True) as context:
            command = main.testbed.get_command(context, name)
        known = {option for one in command.params for option in one.opts}
        assert {word for word in words if word.startswith("-")} <= known, line
