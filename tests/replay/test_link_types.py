"""Captures of every link type are replayed; others are named."""

import io

import pytest

from testbed.capture.file import CaptureFile
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.replay.play import Replay
from tests.capture.captures import BEGIN, Session, enhanced, interface, pcap, section
from tests.capture.test_links import FRAMES
from tests.censor.line import sni


@pytest.mark.parametrize(
    ("kind", "frame", "at"), [one for one in FRAMES if one[2] >= 0], ids=lambda v: str(v)[:30]
)
def test_a_packet_is_judged_in_every_frame(kind, frame, at):
    run = Replay(sni(SilentDrop()), 1)
    run.run(CaptureFile(io.BytesIO(pcap([(BEGIN, bytes(frame))], link=kind)), "x"), [], [])
    assert run.totals.judged == 1


def test_foreign_link_types_are_counted_and_skipped():
    """Whatever else the capture holds is judged."""
    hello = Session().whole().frames()
    head = section() + interface(link=1) + interface(link=249) + interface(link=105)
    foreign = [enhanced(BEGIN // 1000, b"x" * 27, number=number) for number in (1, 2, 2)]
    first, *rest = [enhanced(at // 1000, frame) for at, frame in hello]
    data = b"".join((head, first, *foreign, *rest))
    run = Replay(sni(SilentDrop()), 1)
    run.run(CaptureFile(io.BytesIO(data), "x"), [], [])
    assert run.totals.judged == len(hello)
    assert run.totals.rules["rule"]["matched"] == 1
    assert dict(run.totals.aside) == {"foreign": 3}
    assert dict(run.totals.foreign) == {249: 1, 105: 2}
