"""The policer without a kernel. What the kernel's does is measured in tests/middlebox."""

import pytest

from testbed.censor.actions.policer import Policer
from testbed.censor.handover import Police
from testbed.censor.units import BitsPerSecond, Octets, Seconds
from tests.censor.line import Line, hello, opened, sni

BOTH = pytest.mark.parametrize("version", [4, 6])


def police(version: int = 4, kernel: bool = True, time_scale: float = 1.0, **fields: object) -> Line:
    """A connection in a policer of 1,000 bytes/s with a bucket of 5,000."""
    action = Policer(**{"rate": BitsPerSecond(8000), "burst": Octets(5000), **fields})
    line = opened(sni(action, profile="t21"), version, kernel=kernel, time_scale=time_scale)
    assert line.L(payload=hello()).arrived is not None
    return line


def arrived(line: Line, who: str, seconds: float, size: int = 1000, gap: float = 0.1) -> int:
    """Bytes of IP packets that arrive of a steady stream, twice to ten times the rate."""
    header = 40 if line.version == 4 else 60
    send, total = {"L": line.L, "R": line.R}[who], 0
    for _ in range(round(seconds / gap)):
        line.wait(gap)
        total += 0 if send(payload=bytes(size - header)).silent else size
    return total


@BOTH
@pytest.mark.parametrize("who", ["L", "R"])
def test_c79_c81_the_rate_holds_in_each_direction(version: int, who: str) -> None:
    line = police(version)
    assert arrived(line, who, 60) == pytest.approx(5000 + 60 * 1000, abs=1000)
    other = "R" if who == "L" else "L"
    assert arrived(line, other, 5) == pytest.approx(5000 + 5 * 1000, abs=1000), "its own bucket"


def test_nothing_is_lost_under_the_rate() -> None:
    line = police()
    assert arrived(line, "R", 100, size=90) == 1000 * 90


def test_the_core_leaves_it_to_the_kernel() -> None:
    line = police(kernel=False)
    for _ in range(20):
        decision = line.R(payload=bytes(1000)).decision
        assert isinstance(decision.handover, Police)
        assert decision.rule == 0


def test_a_drop_names_its_rule_and_hands_nothing_over() -> None:
    line = police()
    decisions = [line.R(payload=bytes(1000)).decision for _ in range(10)]
    assert {decision.rule for decision in decisions} == {None, 0}
    assert {decision.handover for decision in decisions} == {None}


@pytest.mark.parametrize("direction", ["up", "down"])
def test_one_direction_alone(direction: str) -> None:
    line = police(direction=direction)
    limited, free = ("L", "R") if direction == "up" else ("R", "L")
    assert arrived(line, limited, 10) <= 5000 + 10_000
    assert arrived(line, free, 10) == 100 * 1000


@pytest.mark.parametrize(("per", "share"), [("flow", 5), ("host", 0)])
def test_per_flow_or_per_host(per: str, share: int) -> None:
    line = police(per=per)
    assert [line.R(payload=bytes(960)).silent for _ in range(6)] == [False] * 5 + [True]
    line.new_port()
    line.handshake()
    line.L(payload=hello())
    assert sum(not line.R(payload=bytes(960)).silent for _ in range(6)) == share


@pytest.mark.parametrize("per", ["flow", "host"])
def test_an_idle_bucket_is_forgotten(per: str) -> None:
    line = police(per=per, idle=Seconds(2))
    for _ in range(6):
        line.R(payload=bytes(960))
    line.wait(1)
    assert not line.R(payload=bytes(960)).silent
    assert line.R(payload=bytes(960)).silent
    line.wait(3)
    line.new_port()
    line.handshake()
    line.L(payload=hello())
    assert [line.R(payload=bytes(960)).silent for _ in range(6)] == [False] * 5 + [True]


def test_a_faster_clock_does_not_change_the_rate() -> None:
    line = police(time_scale=60)
    assert arrived(line, "R", 600, gap=6) == pytest.approx(5000 + 10 * 1000, abs=1000)
