"""The ladder of a flow whose packets were captured: where each was seen last, and what left in its place."""

import json

from testbed.explain.chosen import choose
from testbed.explain.compose import compose
from testbed.explain.evidence import read
from testbed.middlebox.actlog import identity
from testbed.run.annotated import write_capture
from testbed.run.folder import RunFolder
from testbed.scenario.loader import load
from tests.explain.runs import FLOW, event, measurement, receipt, write_run
from tests.run.recordings import write_recording
from tests.run.test_annotated import ANSWER, BEGIN, HELLO, POINTS, POST, PRE, RESET, TRIGGER, packet

MS = 1_000_000
UP = [
    (BEGIN, "client.mts", True, HELLO),
    (BEGIN + MS, PRE, False, HELLO),
    (BEGIN + 2 * MS, POST, True, HELLO),
    (BEGIN + 3 * MS, "server.far", False, HELLO),
    (BEGIN + 4 * MS, "server.far", True, ANSWER),
    (BEGIN + 5 * MS, POST, False, packet(False, "SA", ttl=50)),
]
REWRITE = {
    "censor": "mts/tspu", "rule": "social", "packet": identity(ANSWER), "as": identity(RESET),
    "verdict": "replace", "flow": FLOW,
}  # fmt: skip


def arrows(folder, sights, acts, **run):
    write_run(folder, **run)
    (folder / "start.json").write_text(
        json.dumps({"monotonic": 100.0, "epoch": BEGIN / 1e9 - 1, "phase": "p"})
    )
    write_recording(folder, POINTS, sights)
    (folder / "acts.jsonl").write_text("".join(json.dumps(one) + "\n" for one in acts))
    scenario = load("twitter-facebook-block-2022-03")
    assert write_capture(RunFolder(folder), scenario, scenario.default_phase)
    evidence = read(folder)
    story = compose(evidence, choose(evidence, FLOW))
    assert story.packets
    return [(one.lane, one.stops or one.to, one.words) for one in story.steps if one.to], story


def test_a_rewritten_packet_ends_at_the_censor_and_another_leaves(tmp_path):
    sights = [*UP, (BEGIN + 6 * MS, PRE, True, RESET), (BEGIN + 7 * MS, "client.mts", False, RESET)]
    found, story = arrows(tmp_path, sights, [TRIGGER, REWRITE])
    assert found == [
        ("client", "server", "data"),
        ("server", "mts/tspu", "SYN/ACK"),
        ("mts/tspu", "client", "RST/ACK (TTL 64)"),
    ]
    kinds = [one.kind for one in story.steps]
    assert kinds[:4] == ["sent", "saw", "matched", "did"]  # right behind the packet that triggered it


def test_without_the_rule_it_arrives(tmp_path):
    answer = packet(False, "SA", ttl=49)
    sights = [*UP, (BEGIN + 6 * MS, PRE, True, answer), (BEGIN + 7 * MS, "client.mts", False, answer)]
    found, story = arrows(tmp_path, sights, [], events=[], receipts=[receipt(0, 0)])
    assert found == [("client", "server", "data"), ("server", "client", "SYN/ACK")]
    assert story.stopped is False


def test_neighbours_that_are_alike_share_an_arrow(tmp_path):
    again = [
        (BEGIN + number * MS, "client.mts", True, packet(True, "PA", b"x", ip_id=number))
        for number in range(9)
    ]
    found, _ = arrows(tmp_path, again, [], events=[event(1.0)], measured=[measurement()])
    assert found == [("client", "server", "9 × data, not seen again")]


def test_packets_that_a_capture_left_out_are_missing(tmp_path):
    folder = write_run(tmp_path)
    summary = json.loads((folder / "summary.json").read_text())
    assert not any("came too fast" in one for one in read(folder).missing)
    (folder / "summary.json").write_text(json.dumps({**summary, "capture": {"left_out": 1200}}))
    assert "capture.pcapng: 1,200 packets are not in it, as they came too fast" in read(folder).missing
