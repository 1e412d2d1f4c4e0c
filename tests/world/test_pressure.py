"""The timer that says how busy the machine was."""

import time

from testbed.world import pressure
from testbed.world.children import Children
from testbed.world.pressure import Pressure

QUIET = Pressure(seconds=9.0, latest=0.03, late=0.08, waiting=0.3, runnable=1.5)


def test_what_was_measured_on_two_processors():
    """The limits lie between one run and eight at once."""
    assert not QUIET.busy
    for busy in (Pressure(17.0, 0.16, 0.2, 1.0, 15.0), Pressure(17.0, 0.05, 0.47, None, 12.0)):
        assert (busy.busy, busy.stalled) == (True, False)
    assert Pressure(17.0, 1.2, 0.6, 1.0, 25.0).stalled


def test_in_words():
    assert str(Pressure(17.0, 0.367, 0.6, 0.87, 24.7)) == (
        "this machine was busy: a timer came up to 0.37 s late, 24.7 processes for each processor, "
        "processes waited in 87% of the time"
    )
    assert "waited" not in str(Pressure(17.0, 0.367, 0.6, None, 24.7))


def test_a_timer_writes_what_it_measured(tmp_path):
    with Children(tmp_path / "logs") as children:
        children.spawn("timer", pressure.service(tmp_path))
        children.wait_ready()
        assert Pressure.read(tmp_path) is None
        time.sleep(0.3)
        assert children.stop()["timer"].code == 0
    found = Pressure.read(tmp_path)
    assert 0.25 < found.seconds < 30
    assert 0 <= found.late <= 1
    assert found.latest < found.seconds


def test_a_timer_that_is_held_up_is_late(tmp_path):
    """Its twin is the test above."""
    with Children(tmp_path / "logs") as children:
        child = children.spawn("timer", pressure.service(tmp_path))
        children.wait_ready()
        time.sleep(0.1)
        child.send(19)  # SIGSTOP
        time.sleep(1.2)
        child.send(18)  # SIGCONT
        time.sleep(0.1)
        children.stop()
    found = Pressure.read(tmp_path)
    assert found.latest >= 1.0
    assert found.stalled


def test_what_is_no_measurement_is_none(tmp_path):
    for junk in ("", "[]", "{}", '{"seconds": 1}'):
        (tmp_path / pressure.FILE).write_text(junk)
        assert Pressure.read(tmp_path) is None
