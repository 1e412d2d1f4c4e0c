"""The mark word."""

from functools import cache

import pytest

from testbed.censor.actions.allow import Allow
from testbed.censor.decision import Decision, Verdict
from testbed.censor.handover import PASS_ON, Drop, Police
from testbed.middlebox import marks
from testbed.middlebox.marks import Marks, Position
from tests.middlebox.lab import Declares, policy

DROP, POLICE, LATER = Drop(1.0), Police(8.0, 1, 1.0), Drop(2.0)
HANDED = Declares((DROP, POLICE, LATER))
ALONE = Position()


@cache
def box():
    """As many rules as a word can tell apart."""
    return policy(HANDED, HANDED, *[Allow()] * 65_532, HANDED)


def word(position=ALONE, **parts):
    return Marks(box(), position).verdict(Decision(**parts))


def test_a_packet_that_just_passes_carries_nothing_unless_another_censor_follows():
    assert word() == word(rule=3) == 0
    assert word(Position(1, 3)) == 0x00001001


@pytest.mark.parametrize(
    ("parts", "mark"),
    [
        ({"verdict": Verdict.DROP, "rule": 0}, 0x00010003),
        ({"verdict": Verdict.DROP}, 0x00000003),
        ({"verdict": Verdict.REPLACE, "packet": b"", "rule": 1}, 0x00020005),
        ({"release_at": 0.0, "rule": 0}, 0x00010009),
        ({"handover": PASS_ON}, 0x00000101),
        ({"handover": DROP, "rule": 0, "verdict": Verdict.DROP}, 0x00010203),
        ({"handover": POLICE, "rule": 65_534}, 0xFFFF0301),
        ({"handover": LATER, "rule": 0, "position": Position(2, 3)}, 0x00012401),
    ],
)
def test_each_part_has_its_place(parts, mark):
    assert word(**parts) == mark


def test_no_two_decisions_share_a_word():
    writers = [Marks(box(), Position(index, 2)) for index in range(2)]
    words = [
        writer.verdict(Decision(verdict, None, (), held, handover, rule))
        for writer in writers
        for verdict in Verdict
        for held in (None, 1.0)
        for handover in (None, PASS_ON, DROP, POLICE, LATER)
        for rule in (0, 1, 65_534)
    ]
    passing = [one for one in words if one & ~marks.POSITION_MASK == marks.VERDICT]
    assert len(passing) == 2 * 3
    assert len(set(words) - set(passing)) == len(words) - len(passing)
    assert all(one & marks.VERDICT and one <= 0xFFFFFFFF for one in words)
    assert not any(one & (marks.INJECTED | marks.ID_ZERO) for one in words)


def test_injections_ask_for_an_ip_id_of_zero_where_theirs_is():
    zero, other = bytes([0x45]) + bytes(19), bytes([0x45, 0, 0, 20, 0, 1]) + bytes(14)
    one = Marks(box(), Position())
    assert one.injected(zero, 0) == 0x000100C1
    assert one.injected(other, 2) == 0x00030041
    assert one.injected(bytes([0x60]) + bytes(39), None) == 0x00000041
    assert Marks(box(), Position(1, 2)).injected(other, 2) == 0x00031041


def test_an_action_may_declare_only_so_many_handovers():
    with pytest.raises(ValueError, match="'r0' declares 7 handovers, not 6"):
        Marks(policy(Declares(tuple(Drop(float(n)) for n in range(1, 8)))), Position())
