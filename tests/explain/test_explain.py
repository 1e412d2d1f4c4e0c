"""The story of a flow, from run folders written by hand: what is drawn, what is said, what is missing."""

import json
from pathlib import Path

import pytest

from testbed.errors import InputError
from testbed.explain.chosen import choose
from testbed.explain.compose import compose
from testbed.explain.evidence import read, run_folder
from testbed.explain.flowstory import FlowStory
from testbed.report.explained import explained
from tests.explain.runs import (
    FLOW,
    MATCH,
    OPERATIONS,
    event,
    measurement,
    operation,
    receipt,
    write_run,
)


def story(folder: Path, wanted: str = "") -> FlowStory:
    evidence = read(folder)
    return compose(evidence, choose(evidence, wanted))


def kinds(of: FlowStory) -> list[str]:
    return [step.kind for step in of.steps]


def test_the_flow_of_the_rule_that_decides_is_shown(tmp_path):
    """Not the last on which any rule acted: a lie about the address comes before the connection."""
    other = FLOW.replace("40000", "40001")
    flows = measurement()["test_keys"] | {"x_flows": [other, FLOW]}
    lie = receipt(flow=other) | {"censor": "mts/lying"}
    lie["rules"] = {"lie": lie["rules"]["social"]}
    row = {"vantage": "mts", "target": "https://twitter.com/", "verdict": "ok", "expected": "dns.poison"}
    shown = []
    for by in ("lying/lie", "social"):
        rows = [row | {"observed": "dns.poison", "by": by}]
        measured = [measurement(test_keys=flows)]
        run = write_run(tmp_path / by[:3], receipts=[receipt(), lie], rows=rows, measured=measured)
        shown.append(choose(read(run), "https://twitter.com/").flow)
    assert shown == [other, FLOW]


def test_a_flow_that_a_rule_stopped(tmp_path):
    assert (
        explained(story(write_run(tmp_path)), 100)
        == """\
https://twitter.com/   tcp 91.76.0.100:40000 > 104.244.42.1:443
mts in s, phase p
observed: tls.sni.rst, as expected

           mts                                   mts/tspu                              twitter.com
           91.76.0.100:40000                     hop 2, t22                            104.244.42.1:443
   0.0 ms  │─ opens the connection (SYN) ────────┼────────────────────────────────────▶│
  20.0 ms  ◀ is connected                        │                                     │
  30.0 ms  │─ sends its ClientHello for twitter.com (517 bytes) ──────────────────────▶│
  40.0 ms  │                                     ◇ reads the name twitter.com in bytes 0 to 516 of
           │                                       the client's stream (model T, 5 more packets in
           │                                       its budget)                         │
           │                                     ◆ rule social (rst-rewrite) matches on tls.sni:
           │                                       twitter.com, *.twitter.com          │
           │                                     ● lets this packet pass               │
           │                                     ◷ the rule holds the flow for 75 s    │
           │                                     # the kernel counted 7 packets rewritten; acted
           │                                       on: 7 from the server               │
  50.0 ms  ◀ gets a reset                        │                                     │
  51.0 ms  ■ TLS handshake failed: connection_reset                                    │

why: mts/tspu interfered: rule social (rst-rewrite) acted on 7 of its packets
legend: ──▶ sent on, ─┼─ passes a censor, ◇ the box saw, ◆ a rule matched, ● it did, ◷ timer, #
        counted by the kernel, ◀ the client received, ■ how it ended
"""
    )


def test_a_name_that_no_rule_lists(tmp_path):
    calm = [
        operation("connect", 0.1, 0.12),
        operation("write", 0.13, 0.131, 517),
        operation("read", 0.14, 0.2, 9),
    ]
    folder = write_run(tmp_path, events=[], receipts=[receipt(0, 0, flow="x")], rows=[],
                       measured=[measurement(calm, "vk.com")])  # fmt: skip
    found = story(folder)
    assert found.stopped is False
    assert found.why == (
        (
            "mts/tspu left it alone: quic-v1: it is about QUIC, and this is TCP; "
            "social: vk.com is none of its names (twitter.com, *.twitter.com)"
        ),
    )


def test_a_listed_name_that_the_box_did_not_read(tmp_path):
    why = "its ClientHello came in 2 segments, and this box (model T) does not put segments together"
    unread = event(1.14, "unread", name="twitter.com", why=why)
    found = story(write_run(tmp_path, events=[unread], receipts=[receipt(0, 0, flow="x")]))
    assert found.why == (f"mts/tspu did not stop it: {why} (t22, rule social)",)
    assert kinds(found) == ["sent", "received", "sent", "saw", "passed", "received", "ended"]


@pytest.mark.parametrize("late", [1.14, 1.16, 9.0])  # when the censor wrote its event
def test_cause_comes_before_effect_however_late_it_was_written_down(tmp_path, late):
    found = story(write_run(tmp_path, events=[event(late)]))
    assert kinds(found) == [
        "sent", "received", "sent", "saw", "matched", "did", "timer", "counted", "received", "ended",
    ]  # fmt: skip


def test_a_packet_that_is_dropped_does_not_reach_the_server(tmp_path):
    dropped = {**MATCH, "verdict": "drop", "handover": {"drop": {"timeout": 420.0, "refresh": True}}}
    found = story(write_run(tmp_path, events=[event(1.14, **dropped)]))
    hello = next(step for step in found.steps if "ClientHello" in step.words)
    assert (hello.to, hello.stops) == ("server", "mts/tspu")
    assert [step.words for step in found.steps if step.kind == "did"] == [
        "drops this packet",
        "hands the flow to the kernel, which drops it both ways for 7 min, counted from the last packet",
    ]


def test_a_limit_that_the_kernel_was_given(tmp_path):
    limits = {"rate": 140_000.0, "burst": 16_384, "idle": 600.0, "per": "flow", "direction": "both"}
    found = story(write_run(tmp_path, events=[event(1.14, **MATCH, handover={"police": limits})]))
    assert [step.words for step in found.steps if step.kind == "did"][-1] == (
        "hands the flow to the kernel, which drops what exceeds 140 kbit/s "
        "with a burst of 16,384 bytes, each way"
    )


@pytest.mark.parametrize(
    "wanted", [FLOW, "91.76.0.100:40000", "40000", ":40000", "https://twitter.com/", "twitter.com", ""]
)
def test_ways_to_name_a_flow(tmp_path, wanted):
    assert story(write_run(tmp_path), wanted).flow == FLOW


@pytest.mark.parametrize("wanted", ["https://twitter.com/i/flow", "twitter.com", "https://TWITTER.com:443/"])
def test_a_commands_flow_by_the_name_that_a_censor_read(tmp_path, wanted):
    read_in_all = [event(1.1, flow=FLOW.replace("40000", "40001")), event(1.2), event(1.3, flow=other_flow())]
    read_in_all[2]["detail"] = {**MATCH, "name": "vk.com"}
    found = story(write_run(tmp_path, events=read_in_all, measured=[]), wanted)
    assert found.flow == FLOW, "on which a rule acted"


def other_flow():
    return FLOW.replace("40000", "40002")


def test_a_flow_that_does_not_exist_names_the_nearest(tmp_path):
    evidence = read(write_run(tmp_path))
    with pytest.raises(InputError, match=r"no flow or target 'twiter.com' in this run; did you mean"):
        choose(evidence, "https://twiter.com/".removeprefix("https://").removesuffix("/"))


def test_a_run_that_was_killed(tmp_path):
    folder = write_run(tmp_path, receipts=[], summary=False)
    with (folder / "events.jsonl").open("a") as file:
        file.write('{"t": 2.0, "censor": "mts/tspu", "kind": "mat')
    found = story(folder)
    assert found.stopped is None
    assert "why: rule social of mts/tspu matched" in explained(found)
    assert found.missing == (
        "summary.json is not there: the run did not come to its end",
        "events.jsonl is cut short in its last line",
        "no receipt of mts/tspu: it did not end in order, so what the kernel counted is not known",
    )


RECEIPT = "receipts/mts.tspu.json"


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("start.json", {"monotonic": "x"}, "start.json holds something else than times, which are not used"),
        ("start.json", {"epoch": [1]}, "start.json holds something else than times, which are not used"),
        ("summary.json", {"rows": [3]}, "summary.json: 1 rows have another form than this testbed writes"),
        ("summary.json", {"rows": 3}, "summary.json: 1 rows have another form than this testbed writes"),
        (RECEIPT, {"rules": {"social": 3}}, "mts.tspu.json holds something else than a receipt"),
        (RECEIPT, {"rules": None}, "mts.tspu.json holds something else than a receipt"),
        (RECEIPT, {"censor": 3}, "mts.tspu.json holds something else than a receipt"),
        (RECEIPT, {"rules": {"social": {"flows": {FLOW: {"kernel": "7"}}}}},
         "mts.tspu.json holds something else than a receipt"),
    ],
)  # fmt: skip
def test_a_file_with_values_of_other_kinds(tmp_path, file, change, said):
    """What is fine in the folder is shown."""
    folder = write_run(tmp_path)
    values = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(values | change))
    found = story(folder)
    assert said in found.missing
    assert (found.flow, FLOW in explained(found)) == (FLOW, True)


def test_names_that_a_terminal_would_obey_are_written_out(tmp_path):
    evil = "\x1b[2Jtwitter.com\r\u202e<script>"
    folder = write_run(tmp_path, events=[event(1.14, **{**MATCH, "name": evil})], measured=[])
    text = explained(story(folder))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"\x1b[2Jtwitter.com\r\u202e<script>" in text


def test_a_million_events(tmp_path):
    folder = write_run(tmp_path, events=[])
    line = json.dumps(event(1.0, flow="tcp 91.76.0.100:PORT > 104.244.42.1:443"))
    with (folder / "events.jsonl").open("w") as file:
        file.writelines(line.replace("PORT", str(number % 30_000)) + "\n" for number in range(1_000_000))
        file.write(json.dumps(event(1.14)) + "\n")
    assert kinds(story(folder, FLOW)).count("matched") == 1
    assert len(read(folder).triggered()) == 30_001


def test_the_same_as_json(tmp_path):
    found = story(write_run(tmp_path)).to_json()
    assert (
        json.loads(json.dumps(found))["steps"][2]["words"]
        == "sends its ClientHello for twitter.com (517 bytes)"
    )
    assert (found["stopped"], found["lanes"][1]["detail"]) == (True, "hop 2, t22")


def test_a_folder_that_is_no_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="there is no run in runs/"):
        run_folder("last")
    write_run(tmp_path / "runs" / "s-1")
    assert run_folder("last") == Path("runs/s-1")
    with pytest.raises(InputError, match="there is no run 's-2'; did you mean 's-1'"):
        run_folder("s-2")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"is no run's folder: it has no scenario.json"):
        run_folder("empty")


def test_without_a_clock_the_order_is_that_of_cause_and_effect(tmp_path):
    old = measurement(OPERATIONS)
    del old["x_monotonic"]
    found = story(write_run(tmp_path, measured=[old]))
    assert kinds(found)[:4] == ["sent", "received", "sent", "saw"]
