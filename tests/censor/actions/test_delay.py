"""Delay: later, in order, none lost."""

import pytest

from testbed.censor.actions.delay import Delay
from tests.censor.line import hello, opened, sni


def released(line, *senders: str) -> list[float | None]:
    return [getattr(line, who)(payload=b"data").decision.release_at for who in senders]


def test_every_packet_from_the_trigger_on_comes_later() -> None:
    line = opened(sni(Delay(by=0.2)))
    line.now = 10.0
    assert line.L(payload=hello()).decision.release_at == pytest.approx(10.2)
    line.now = 10.5
    assert released(line, "R", "L") == [pytest.approx(10.7)] * 2


def test_another_name_is_not_delayed() -> None:
    line = opened(sni(Delay(by=0.2)))
    assert line.L(payload=hello("n.com")).untouched
    assert released(line, "R") == [None]


def test_one_direction() -> None:
    line = opened(sni(Delay(by=0.2, direction="down")))
    assert line.L(payload=hello()).decision.release_at is None
    assert released(line, "R", "L") == [pytest.approx(0.2), None]


def test_jitter_keeps_the_order() -> None:
    line = opened(sni(Delay(by=0.2, jitter=0.5)))
    line.L(payload=hello())
    times = []
    for _ in range(50):
        line.wait(0.01)
        times += [line.R(payload=b"data").decision.release_at]
    assert times == sorted(times)
    assert all(0.2 <= time - 0.01 * number <= 0.71 for number, time in enumerate(times, 1) if time)
    assert len(set(times)) > 5


def test_the_time_is_real_however_fast_the_censors_clock_runs() -> None:
    line = opened(sni(Delay(by=0.2)), time_scale=100)
    assert line.L(payload=hello()).decision.release_at == pytest.approx(20)
