"""From a recording and the censors' acts to a capture with comments, without a world."""

import json
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.utils import RawPcapNgReader

from testbed.middlebox.actlog import identity
from testbed.run.annotated import CAPTURE, CaptureRecord, write_capture
from testbed.run.folder import RunFolder
from testbed.run.taps import KEYS
from testbed.scenario.loader import load
from tests.run.recordings import Sight, write_recording

PRE, POST = "pre-censor.mts.hop2", "post-censor.mts.hop2"
POINTS = [
    {"name": name, "description": "", "censors": ["mts/tspu"] if "censor" in name else []}
    for name in ("client.mts", PRE, POST, "server.far")
]
FLOW = "tcp 91.76.0.100:40000 > 104.244.42.1:443"
BEGIN = 1_646_395_200_000_000_000


def packet(up: bool, flags: str, payload: bytes = b"", ttl: int = 64, ip_id: int = 7) -> bytes:
    near, far = ("91.76.0.100", 40000), ("104.244.42.1", 443)
    source, target = (near, far) if up else (far, near)
    segment = TCP(sport=source[1], dport=target[1], flags=flags, seq=1, ack=1)
    return bytes(IP(src=source[0], dst=target[0], ttl=ttl, id=ip_id) / segment / payload)


HELLO, ANSWER = packet(True, "PA", b"hello"), packet(False, "SA")
RESET, FORGED = packet(False, "RA"), packet(False, "R", ip_id=9)
MATCH = {"action": "rst-rewrite", "fields": ["tls.sni"], "name": "twitter.com", "holds": 75.0}
TRIGGER = {
    "censor": "mts/tspu", "rule": "social", "packet": identity(HELLO), "verdict": "pass", "flow": FLOW,
    "event": "match", "detail": MATCH,
}  # fmt: skip
PASSING: list[Sight] = [
    (BEGIN, "client.mts", True, HELLO),
    (BEGIN + 1, PRE, False, packet(True, "PA", b"hello", ttl=63)),
    (BEGIN + 2, POST, True, packet(True, "PA", b"hello", ttl=62)),
    (BEGIN + 3, "server.far", False, packet(True, "PA", b"hello", ttl=50)),
]


def captured(
    tmp_path: Path, sights: list[Sight], acts: list[dict], dropped: int = 0
) -> list[tuple[str, str]]:
    """Interface and comment of each packet that has one."""
    record(tmp_path, sights, acts, dropped)
    with RawPcapNgReader(str(tmp_path / CAPTURE)) as reader:
        found = [(meta.ifname.decode(), b"".join(meta.comments or ()).decode()) for _, meta in reader]
    assert len(found) == len(sights)
    return [one for one in found if one[1]]


def record(
    tmp_path: Path, sights: list[Sight], acts: list[dict], dropped: int = 0, kept: int = 1 << 18
) -> CaptureRecord:
    write_recording(tmp_path, POINTS, sights, dropped, kept)
    (tmp_path / "acts.jsonl").write_text("".join(json.dumps(one) + "\n" for one in acts))
    scenario = load("twitter-facebook-block-2022-03")
    found = write_capture(RunFolder(tmp_path), scenario, scenario.default_phase)
    assert found is not None
    return found


def test_without_acts_nothing_is_commented(tmp_path):
    assert captured(tmp_path, PASSING, []) == []


def test_the_trigger_says_which_rule_matched_on_which_field(tmp_path):
    trigger = "trigger: rst-rewrite on tls.sni twitter.com"
    assert captured(tmp_path, PASSING, [TRIGGER]) == [
        (
            PRE,
            f"censor mts/tspu: verdict=pass rule=social, {trigger}, held for 75 s",
        )
    ]


def test_a_rewritten_packet_names_the_frame_that_it_was(tmp_path):
    rewrite = {**TRIGGER, "packet": identity(ANSWER), "as": identity(RESET), "verdict": "replace"}
    del rewrite["event"], rewrite["detail"]
    sights = [*PASSING, (BEGIN + 9, POST, False, ANSWER), (BEGIN + 10, PRE, True, RESET)]
    assert captured(tmp_path, sights, [TRIGGER, rewrite])[1:] == [
        (POST, "censor mts/tspu: verdict=replace rule=social, trigger=2"),
        (PRE, "censor mts/tspu: rewritten from frame 5 rule=social trigger=2"),
    ]


def test_a_forged_packet_names_its_trigger(tmp_path):
    forging = {**TRIGGER, "forged": [identity(FORGED)]}
    sights = [*PASSING, (BEGIN + 9, PRE, True, FORGED)]
    assert captured(tmp_path, sights, [forging])[1:] == [
        (PRE, "censor mts/tspu: injected rule=social trigger=2")
    ]


@pytest.mark.parametrize("leaves", [False, True])
def test_what_the_kernel_dropped_of_a_flow_that_it_was_given(tmp_path, leaves):
    given = {**TRIGGER, "handover": {"police": {"rate": 140_000.0, "burst": 16_384}}}
    sights = [*PASSING, (BEGIN + 9, POST, False, ANSWER)]
    sights += [(BEGIN + 10, PRE, True, packet(False, "SA", ttl=63))] * leaves
    limits = "handover=police rate=140000 burst=16384"
    dropped = f"censor mts/tspu: verdict=drop by=kernel rule=social {limits} trigger=2"
    assert captured(tmp_path, sights, [given])[1:] == ([] if leaves else [(POST, dropped)])


def test_what_the_capture_itself_lost_is_counted(tmp_path):
    found = record(tmp_path, PASSING, [], dropped=12)
    assert found.lost == {"client.mts": 12}
    assert str(found) == "4 packets at 4 points, 0 with comments, the capture itself lost 12 at client.mts"


def test_what_was_cut_is_counted_and_has_no_comment(tmp_path):
    """Packets of the same headers cannot be told apart. Twin: the same sights whole."""
    cut = record(tmp_path / "cut", PASSING, [TRIGGER], kept=56)
    assert (cut.packets, cut.cut, cut.comments) == (4, 4, 0)
    assert "4 with their headers alone, as they came too fast" in str(cut)
    with RawPcapNgReader(str(cut.file)) as reader:
        assert {(len(data), meta.wirelen) for data, meta in reader} == {(56, 14 + len(HELLO))}
    whole = record(tmp_path / "whole", PASSING, [TRIGGER])
    assert (whole.cut, whole.comments, "headers alone" in str(whole)) == (0, 1, False)


def test_of_a_recorder_that_was_killed_what_is_there_is_written(tmp_path):
    folder = write_recording(tmp_path, POINTS, PASSING)
    (folder / "counts.json").unlink()
    data = (folder / "packets.ring").read_bytes()
    (folder / "packets.ring").write_bytes(data[:-10])
    scenario = load("free-network")
    found = write_capture(RunFolder(tmp_path), scenario, scenario.default_phase)
    assert str(found) == "3 packets at 4 points, 0 with comments, cut short"


def test_nothing_was_recorded(tmp_path):
    scenario = load("free-network")
    assert write_capture(RunFolder(tmp_path), scenario, scenario.default_phase) is None


def test_secrets_are_within(tmp_path):
    (tmp_path / KEYS).write_text("CLIENT_RANDOM a b\n")
    assert record(tmp_path, PASSING, []).secrets == 1
    assert b"CLIENT_RANDOM a b\n" in (tmp_path / CAPTURE).read_bytes()
