"""Random loss on the core."""

import pytest

from testbed.censor.actions.loss import Loss
from testbed.censor.decision import Verdict
from testbed.censor.units import Share
from tests.censor.line import Line, hello, opened, sni

BOTH = pytest.mark.parametrize("version", [4, 6])
PACKETS = 1000


def lost(line: Line, who: str, packets: int = PACKETS) -> list[bool]:
    """Which of the packets that one side sends are lost."""
    send = {"L": line.L, "R": line.R}[who]
    return [send(payload=b"data").silent for _ in range(packets)]


@BOTH
@pytest.mark.parametrize("share", [0.02, 0.5])
def test_the_share_is_lost(version: int, share: float) -> None:
    line = opened(sni(Loss(Share(share)), profile="t24"), version)
    assert line.L(payload=hello()).arrived is not None, "the trigger itself passes"
    for who in ("L", "R"):
        spread = 4 * (share * (1 - share) / PACKETS) ** 0.5
        assert sum(lost(line, who)) / PACKETS == pytest.approx(share, abs=spread)


@pytest.mark.parametrize(("direction", "up", "down"), [("up", True, False), ("down", False, True)])
def test_in_one_direction_only(direction: str, up: bool, down: bool) -> None:
    line = opened(sni(Loss(Share(0.5), direction=direction), profile="t24"))
    line.L(payload=hello())
    assert (any(lost(line, "L", 40)), any(lost(line, "R", 40))) == (up, down)


def test_without_a_share_nothing_is_lost_and_other_flows_never_lose() -> None:
    line = opened(sni(Loss(Share(0.0)), profile="t24"))
    assert line.L(payload=hello()).fired
    assert not any(lost(line, "R"))
    line = opened(sni(Loss(Share(1.0)), profile="t24"))
    line.L(payload=hello("n.com"))
    assert not any(lost(line, "R", 40))


def test_the_same_seed_loses_the_same_packets() -> None:
    runs = []
    for seed in (1, 1, 2):
        line = opened(sni(Loss(Share(0.3)), profile="t24"), seed=seed)
        line.L(payload=hello())
        runs.append(lost(line, "R", 100))
    assert runs[0] == runs[1] != runs[2]


def test_a_loss_names_its_rule_and_an_idle_flow_is_free_again() -> None:
    line = opened(sni(Loss(Share(1.0)), profile="t24"))
    line.L(payload=hello())
    decision = line.R(payload=b"data").decision
    assert (decision.verdict, decision.rule, decision.handover) == (Verdict.DROP, 0, None)
    for _ in range(3):
        line.wait(400)
        assert line.R(payload=b"data").silent
    line.wait(490)
    assert line.R(payload=b"data").arrived is not None
