"""The pieces without a kernel: the hold, the event stream, claims and receipts."""

import json

import pytest

from testbed.censor.actions.allow import Allow
from testbed.censor.decision import Decision, Direction, Event, Injection, Verdict
from testbed.censor.handover import PASS_ON, Police
from testbed.censor.releasequeue import ReleaseQueue
from testbed.middlebox.acts import FlowActs
from testbed.middlebox.eventstream import EventStream
from testbed.middlebox.receipts import Claims, Receipts
from tests.middlebox.lab import policy


def test_the_hold_gives_back_by_time_and_equal_times_in_order():
    hold = ReleaseQueue(10)
    for due, name in [(2.0, "c"), (1.0, "a"), (2.0, "d"), (1.0, "b")]:
        assert hold.push(due, name)
    assert hold.next_due() == 1.0
    assert [hold.pop_due(1.5) for _ in range(3)] == ["a", "b", None]
    assert [hold.pop_due(2.0) for _ in range(3)] == ["c", "d", None]
    assert not hold.heap
    assert hold.next_due() is None


def test_the_hold_is_bounded():
    hold = ReleaseQueue(1)
    assert hold.push(1.0, "a")
    assert not hold.push(0.0, "b")
    assert hold.pop_due(9.0) == "a"


def test_things_that_cannot_be_compared_may_be_due_together():
    hold = ReleaseQueue(2)
    assert hold.push(1.0, object())
    assert hold.push(1.0, object())


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_events_are_lines(tmp_path):
    path = tmp_path / "events.jsonl"
    one, other = EventStream(path, "mts/tspu"), EventStream(path, "beeline/tspu")
    one.write(Event("match", "r", "tcp a > b", {"name": "почта.рф", "raw": b"\xff"}), 1.25)
    other.write(Event("act", "r", ""), 2.0)
    one.write(Event("miss", "r", ""), 3.0)
    order = [(line["censor"], line["t"]) for line in read(path)]
    assert order == [("mts/tspu", 1.25), ("beeline/tspu", 2.0), ("mts/tspu", 3.0)]
    assert read(path)[0] == {
        "t": 1.25,
        "censor": "mts/tspu",
        "kind": "match",
        "rule": "r",
        "flow": "tcp a > b",
        "detail": {"name": "почта.рф", "raw": "b'\\xff'"},
    }


def test_faults_are_all_counted_and_recorded_once_per_kind(tmp_path):
    stream = EventStream(tmp_path / "events.jsonl", "mts/tspu")
    for _ in range(3):
        stream.fault("KeyError at x.py:1", 1.0, KeyError("flow"))
    stream.fault("another", 2.0)
    assert stream.faults == 4
    lines = read(tmp_path / "events.jsonl")
    assert [line["detail"]["what"] for line in lines] == ["KeyError at x.py:1", "another"]
    assert "KeyError: 'flow'" in lines[0]["detail"]["traceback"]


def test_a_full_disk_is_a_fault_and_is_said_once(tmp_path, capfd):
    (tmp_path / "events.jsonl").symlink_to("/dev/full")
    stream = EventStream(tmp_path / "events.jsonl", "mts/tspu")
    for _ in range(3):
        stream.write(Event("match", "r", ""), 1.0)
    assert stream.faults == 3
    said = capfd.readouterr().err
    assert said.count("No space left on device") == 1
    assert "events.jsonl: an event of mts/tspu was lost" in said


def test_claims_count_what_decisions_ask_for():
    claims, injection = Claims(), Injection(b"", Direction.DOWN)
    for decision in (
        Decision(Verdict.DROP, rule=0, inject=(injection, injection)),
        Decision(Verdict.REPLACE, b"", rule=0),
        Decision(rule=0, release_at=1.0),
        Decision(rule=0, handover=Police(8, 1, 1.0)),
        Decision(rule=0, handover=PASS_ON),
    ):
        claims.add(decision)
    assert claims == Claims(drop=1, replace=1, inject=2, police=1, delay=1)


def test_what_is_held_counts_as_delayed_when_it_is_released():
    claims = Claims()
    held = Decision(rule=0, release_at=1.0, inject=(Injection(b"", Direction.DOWN),))
    claims.add_sent(held)
    assert claims == Claims(inject=1)
    claims.add_verdict(held)
    assert claims == Claims(inject=1, delay=1)


def test_a_second_receipt_has_what_came_after_the_first(tmp_path):
    receipts = Receipts("mts/tspu", policy(Allow()), packets=7, faults=1, faults_in_words=["one"])
    receipts.claims[0].drop = 3
    receipts.write(tmp_path, {"drop_0": 3}, [{"tcp a > b": FlowActs(3, 3), "tcp a > c": FlowActs(1, 1)}])
    receipts.packets, receipts.faults, receipts.faults_in_words = 9, 2, ["one", "two"]
    receipts.claims[0].drop = 4
    path = receipts.write(
        tmp_path, {"drop_0": 4}, [{"tcp a > b": FlowActs(3, 5), "tcp a > c": FlowActs(1, 1)}]
    )
    written = json.loads(path.read_text())
    assert (written["packets"], written["faults"], written["faults_in_words"]) == (2, 1, ["two"])
    assert written["rules"]["r0"]["claimed"]["drop"] == written["rules"]["r0"]["kernel"]["drop"] == 1
    assert written["rules"]["r0"]["flows"] == {"tcp a > b": {"claimed": 0, "kernel": 2, "up": 0, "down": 0}}


@pytest.mark.parametrize("seen", [3, 2])
def test_a_receipt_holds_both_places(tmp_path, seen):
    receipts = Receipts("mts/tspu", policy(Allow()), packets=7, faults=1)
    receipts.claims[0].drop = 3
    flow = "tcp 10.0.0.2:4000 > 192.0.2.1:443"
    path = receipts.write(tmp_path, {"drop_0": seen, "policed_drop_0": 9}, [{flow: FlowActs(3, seen)}])
    assert path == tmp_path / "receipts" / "mts.tspu.json"
    written = json.loads(path.read_text())
    counts = written.pop("rules")["r0"]
    assert counts["claimed"] == {"drop": 3, "replace": 0, "inject": 0, "police": 0, "delay": 0}
    assert (counts["kernel"]["drop"], counts["kernel"]["policed_drop"]) == (seen, 9)
    assert counts["flows"] == {flow: {"claimed": 3, "kernel": seen, "up": 0, "down": 0}}
    nothing = {"queue_dropped": 0, "user_dropped": 0, "undecided": 0, "unjoined": 0}
    nothing |= {"evictions": 0, "fragments_discarded": 0}
    assert written == {"censor": "mts/tspu", "packets": 7, "faults": 1, "faults_in_words": []} | nothing
