"""Two runs side by side: what differs, and where."""

from dataclasses import replace

from testbed.explain.evidence import read
from testbed.explain.parting import difference
from testbed.report.differing import differing
from tests.explain.runs import MATCH, event, receipt, write_run

ROW = {"vantage": "mts", "target": "https://twitter.com/", "by": "social", "expected": "tls.sni.rst"}
RESET = {**ROW, "observed": "tls.sni.rst", "verdict": "ok"}
PASSED = {**ROW, "observed": "ok", "verdict": "differs"}
READ = "(model T, 5 more packets in its budget)"
WHY = "its ClientHello came in 2 segments, and this box (model T) does not put segments together"


def test_runs_that_agree(tmp_path):
    first, second = (read(write_run(tmp_path / name, rows=[RESET])) for name in "ab")
    assert differing(difference(first, second)) == "the same in all 1 rows\n"


def test_the_first_step_where_a_changed_flow_parts(tmp_path):
    unread = event(1.14, "unread", name="twitter.com", why=WHY)
    first = read(write_run(tmp_path / "a", rows=[RESET]))
    second = read(write_run(tmp_path / "b", rows=[PASSED], events=[unread], receipts=[receipt(0, 0)]))
    assert (
        differing(difference(first, second))
        == f"""\
https://twitter.com/ from mts: tls.sni.rst by social | ok (differs)
  both: client to server: sends its ClientHello for twitter.com (517 bytes)
  first run:  mts/tspu: reads the name twitter.com in bytes 0 to 516 of the client's stream {READ}
  second run: mts/tspu: twitter.com goes by: {WHY}
1 of 1 rows differ
"""
    )


def test_a_limit_that_changed_is_a_parting_and_a_count_is_not(tmp_path):
    def run(name, rate, packets, row):
        given = {"police": {"rate": rate, "burst": 16_384, "direction": "both"}}
        events = [event(1.14, **{**MATCH, "handover": given})]
        return read(write_run(tmp_path / name, rows=[row], events=events, receipts=[receipt(1, packets)]))

    [row] = difference(run("a", 140e3, 7, RESET), run("b", 128e3, 9, PASSED)).rows
    assert [one.partition("exceeds ")[2].partition(" with")[0] for one in row.parts] == [
        "140 kbit/s",
        "128 kbit/s",
    ]
    [row] = difference(run("c", 140e3, 7, RESET), run("d", 140e3, 9, PASSED)).rows
    assert row.parts == ("", "")


def test_a_row_that_only_one_has(tmp_path):
    first = read(write_run(tmp_path / "a", rows=[RESET, {**RESET, "target": "https://vk.com/"}]))
    second = read(write_run(tmp_path / "b", rows=[RESET]))
    [row] = difference(first, second).rows
    assert (row.target, row.first, row.second) == ("https://vk.com/", "tls.sni.rst by social", "")


def after_a_command(run, *fired, **more):
    return replace(run, summary={"valid": True, "rules_fired": dict.fromkeys(fired, 2), **more})


def test_of_commands_the_rules_that_acted_are_compared(tmp_path):
    run = read(write_run(tmp_path / "a"))
    first = after_a_command(run, "mts/tspu/social", "mts/tspu/quic")
    second = after_a_command(
        run, "mts/tspu/social", "mts/tspu/drafts", phases=[{"phase": "a"}, {"phase": "b"}]
    )
    found = difference(first, second)
    assert (found.rules, found.same) == (
        (("mts/tspu/quic", True, False), ("mts/tspu/drafts", False, True)), 0,
    )  # fmt: skip
    assert differing(found).splitlines() == [
        "phases: absent | a, b",
        "mts/tspu/quic acted in the first run only",
        "mts/tspu/drafts acted in the second run only",
        "no rows to compare, as after a command: the rules that acted differ",
    ]
    same = differing(difference(first, first))
    assert same == "no rows to compare, as after a command: the same rules acted\n"


def test_an_invalid_run_and_one_that_did_not_end_are_named(tmp_path):
    whole = read(write_run(tmp_path / "a", rows=[RESET]))
    late = replace(whole, summary={**whole.summary, "valid": False, "problems": ["the machine was too busy"]})
    killed = replace(whole, summary={"phase": "p"})
    assert differing(difference(late, killed)) == (
        "the first run proves nothing: the machine was too busy\n"
        "the second run proves nothing: it did not come to its end\n"
        "https://twitter.com/ from mts: tls.sni.rst by social | absent\n"
        "1 of 1 rows differ\n"
    )
