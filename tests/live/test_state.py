"""The state of a live view: what each line of a run's folder changes in it, and that it stays bounded."""

import json
from pathlib import Path
from typing import Any

import pytest

from testbed.live.growing import GrowingLines
from testbed.live.state import MOST_FLOWS_SEEN, MOST_RULES, POINTS, RECENT, AtVantage, LiveState, RatePoint
from testbed.world.meter import counters, differences

FLOW = "tcp 91.76.0.100:42808 > 152.199.21.141:443"


def match(**changed: Any) -> dict[str, Any]:
    detail = {"action": "police", "name": "abs.twimg.com", "handover": {"police": {"rate": 140000.0}}}
    event = {"t": 1.5, "censor": "mts/tspu", "kind": "match", "rule": "slow", "flow": FLOW, "detail": detail}
    return {**event, **changed}


def measured(failure: str | None = None) -> dict[str, Any]:
    keys = {"failure": failure, "x_flows": ["udp 91.76.0.100:1 > 91.76.0.53:53", FLOW]}
    return {"input": "https://twitter.com/", "x_monotonic": 102.0, "test_runtime": 0.5, "test_keys": keys,
            "annotations": {"vantage": "mts"}}  # fmt: skip


def test_a_match_is_counted_at_the_censors_operator_and_has_the_configured_limit() -> None:
    state = LiveState.at(["mts", "outside"])
    state.note_event(match())
    state.note_event(match(t=2.0))
    fired = state.rules["mts/tspu/slow"]
    assert (fired.times, fired.last, fired.name, fired.action) == (2, 2.0, "abs.twimg.com", "police")
    assert fired.limit == 140000.0
    assert state.vantages == {"mts": AtVantage(flows=1, fired=2), "outside": AtVantage()}
    assert [(one.t, one.rule, one.kind) for one in state.recent] == [
        (1.5, "mts/tspu/slow", "match"),
        (2.0, "mts/tspu/slow", "match"),
    ]


def test_what_passed_unread_is_a_flow_and_no_firing() -> None:
    state = LiveState.at(["mts"])
    state.note_event(match(kind="unread", detail={"name": "t.co"}))
    assert state.rules == {}
    assert state.vantages["mts"] == AtVantage(flows=1)
    assert [one.kind for one in state.recent] == ["unread"]


@pytest.mark.parametrize(
    ("failure", "outcome", "failed"), [(None, "ok", 0), ("connection_reset",) * 2 + (1,)]
)
def test_a_measurement_has_its_flows_and_its_outcome(failure: str | None, outcome: str, failed: int) -> None:
    state = LiveState.at(["mts"])
    state.note_measurement(measured(failure), started_at=100.0)
    assert state.vantages["mts"] == AtVantage(flows=2, measured=1, failed=failed)
    assert [(one.t, one.name, one.outcome) for one in state.recent] == [
        (2.5, "https://twitter.com/", outcome)
    ]


def test_rates_are_bits_per_second_and_return_to_zero() -> None:
    state = LiveState.at(["mts"])
    state.note_rates({"t": 1.0, "seconds": 0.25, "bytes": {"mts": {"eth0": [1000, 100]}}})
    state.note_rates({"t": 1.25, "seconds": 0.25, "bytes": {}})
    assert [*state.rates["mts:eth0"]] == [
        RatePoint(0.75, 0.0, 0.0),
        RatePoint(1.0, 32000, 3200),
        RatePoint(1.25, 0, 0),
    ]
    assert state.rate("mts:eth0") == RatePoint(1.25, 0, 0)
    assert state.rate("tele2:eth0") == RatePoint(1.25, 0.0, 0.0)


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"kind": "match"},
        match(detail=None),
        match(detail="x"),
        match(flow=None),
        match(t="soon"),
        match(detail={"handover": [1], "name": ["a"]}),
        {"bytes": {"mts": 3}, "seconds": 1},
        {"bytes": {"mts": {"eth0": [1]}}, "seconds": 1, "t": None},
        {"test_keys": [], "annotations": None},
    ],
)
def test_a_line_of_another_shape_breaks_nothing(line: dict[str, Any]) -> None:
    state = LiveState.at(["mts"])
    state.note_event(line)
    state.note_rates(line)
    state.note_measurement(line, 0.0)
    assert state.uncounted == 0


def test_a_flood_leaves_it_bounded_and_is_counted() -> None:
    state = LiveState.at(["mts"])
    for number in range(MOST_FLOWS_SEEN + 5):
        state.note_event(match(flow=f"tcp 91.76.0.100:{number} > 1.2.3.4:443", rule=f"r{number}"))
    for number in range(POINTS + 9):
        state.note_rates({"t": number, "seconds": 1.0, "bytes": {"mts": {"eth0": [1, 1]}}})
    assert (len(state.rules), len(state.recent), len(state.rates["mts:eth0"])) == (MOST_RULES, RECENT, POINTS)
    assert state.vantages["mts"].flows == MOST_FLOWS_SEEN
    assert state.uncounted == 5 + MOST_FLOWS_SEEN + 5 - MOST_RULES


def test_each_look_has_what_is_new_and_waits_for_the_rest_of_a_line(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    lines = GrowingLines(file)
    assert lines.look() == []
    file.write_text('{"a": 1}\n{"a": ', "utf-8")
    assert lines.look() == [{"a": 1}]
    with file.open("a", encoding="utf-8") as more:
        more.write("2}\nno json\n[1]\n")
    assert lines.look() == [{"a": 2}]
    assert (lines.look(), lines.broken, lines.skipped) == ([], 2, 0)


def test_what_comes_too_fast_is_skipped_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps({"n": n}) + "\n" for n in range(1000)), "utf-8")
    lines = GrowingLines(file, at_once=100, behind=500)
    seen = lines.look()
    assert seen[-1] == {"n": 999}
    assert lines.skipped + len(seen) == 1000
    assert lines.broken == 0


def test_a_line_longer_than_a_look_does_not_stop_it(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps({"x": "y" * 300}) + '\n{"n": 1}\n', "utf-8")
    lines = GrowingLines(file, at_once=100)
    seen = [one for _ in range(6) for one in lines.look()]
    assert (seen, lines.skipped, lines.broken) == ([{"n": 1}], 1, 0)


def test_the_kernels_table_of_interfaces_is_read() -> None:
    table = (
        "Inter-|   Receive                     |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes packets errs\n"
        "    lo:     9       1    0    0    0     0          0         0       9       1    0\n"
        "  eth0: 12345      12    0    0    0     0          0         0     678       9    0\n"
    )
    assert counters(table) == {"eth0": [12345, 678]}
    before = {"mts": counters(table), "tele2": {"eth0": [5, 5]}}
    after = {"mts": {"eth0": [12445, 678]}, "tele2": {"eth0": [5, 5]}}
    assert differences(before, after) == {"mts": {"eth0": [100, 0]}}
