"""The mark word."""

import pytest

from testbed.censor.decision import PASS, Decision, Handover, HandoverKind, Verdict
from testbed.middlebox import marks


def word(**parts):
    return marks.verdict_mark(Decision(**parts))


def test_a_packet_that_just_passes_carries_nothing():
    assert marks.verdict_mark(PASS) == 0
    assert word(rule=3) == 0


@pytest.mark.parametrize(
    ("parts", "mark"),
    [
        ({"verdict": Verdict.DROP, "rule": 0}, 0x00010003),
        ({"verdict": Verdict.DROP}, 0x00000003),
        ({"verdict": Verdict.REPLACE, "packet": b"", "rule": 1}, 0x00020005),
        ({"release_at": 0.0, "rule": 0}, 0x00010009),
        ({"handover": Handover(HandoverKind.PASS, 1.0)}, 0x00000011),
        ({"handover": Handover(HandoverKind.DROP, 1.0), "rule": 0, "verdict": Verdict.DROP}, 0x00010023),
        ({"handover": Handover(HandoverKind.POLICE, 1.0), "rule": 65_534}, 0xFFFF0031),
    ],
)
def test_each_part_has_its_place(parts, mark):
    assert word(**parts) == mark


def test_no_two_decisions_share_a_word():
    handovers = [None, *(Handover(kind, 1.0) for kind in HandoverKind)]
    words = [
        word(verdict=verdict, release_at=held, handover=handover, rule=rule)
        for verdict in Verdict
        for held in (None, 1.0)
        for handover in handovers
        for rule in (0, 1, 65_534)
    ]
    passing = words.count(0)
    assert passing == 3
    assert len(set(words) - {0}) == len(words) - passing
    assert all(one & marks.VERDICT and one <= 0xFFFFFFFF for one in words if one)
    assert not any(one & (marks.INJECTED | marks.ID_ZERO) for one in words)


def test_injections_ask_for_an_ip_id_of_zero_where_theirs_is():
    zero, other = bytes([0x45]) + bytes(19), bytes([0x45, 0, 0, 20, 0, 1]) + bytes(14)
    assert marks.injected_mark(zero, 0) == 0x000100C1
    assert marks.injected_mark(other, 2) == 0x00030041
    assert marks.injected_mark(bytes([0x60]) + bytes(39), None) == 0x00000041
