"""Captures of every link type are replayed; others are named."""

import io

import pytest

from testbed.capture.file import CaptureFile
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.errors import InputError
from testbed.replay.play import Replay
from tests.capture.captures import BEGIN, pcap
from tests.capture.test_links import FRAMES
from tests.censor.line import sni


@pytest.mark.parametrize(
    ("kind", "frame", "at"), [one for one in FRAMES if one[2] >= 0], ids=lambda v: str(v)[:30]
)
def test_a_packet_is_judged_in_every_frame(kind, frame, at):
    run = Replay(sni(SilentDrop()), 1)
    run.run(CaptureFile(io.BytesIO(pcap([(BEGIN, bytes(frame))], link=kind)), "x"), [], [])
    assert run.totals.judged == 1


def test_an_unknown_link_type_is_named():
    run = Replay(sni(SilentDrop()), 1)
    with pytest.raises(InputError, match="packet 1: the link type 105 is unknown; Ethernet"):
        run.run(CaptureFile(io.BytesIO(pcap([(BEGIN, b"x")], link=105)), "x"), [], [])
