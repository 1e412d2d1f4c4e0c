"""What the kernel's rings record: every packet, whole or, while too much comes by, with its headers."""

import socket
import time
from pathlib import Path

import pytest

from testbed.world import linux
from testbed.world.children import Children
from testbed.world.enter import isolated_call
from testbed.world.netns import Namespace, inside
from testbed.world.ring import CapturePoint, RecordedFrame, counts, recorded, recorder

pytestmark = pytest.mark.world
SIZE, BURST = 8000, 400  # octets of a datagram, datagrams
HEADERS = 128


def recording(folder: Path, fast: float) -> list[RecordedFrame]:
    """Of a burst over the loopback of a namespace, then of three datagrams that come slowly."""

    def main() -> list[RecordedFrame]:
        there = Namespace.create("mts")
        with inside(there):
            linux.loopback_up()
        with Children(folder / "logs") as services:
            services.spawn("capture", recorder([CapturePoint("lo", "", there, "lo")], folder, fast))
            services.wait_ready(60)
            with inside(there), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for number in range(BURST):
                    sender.sendto(number.to_bytes(2, "big") * (SIZE // 2), ("127.0.0.1", 9))
                    if number % 50 == 49:
                        time.sleep(0.05)  # the recorder sees what has come
                for _ in range(3):
                    time.sleep(1.3)
                    sender.sendto(b"slow" * (SIZE // 4), ("127.0.0.1", 9))
            services.stop(60)
        assert counts(folder, 1)[0]["dropped"] == 0
        return list(recorded(folder, 1)[0])

    (folder / "logs").mkdir(parents=True)
    return isolated_call(main)


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedFrame]:
    return recording(tmp_path_factory.mktemp("ring") / "hurried", 1e5)


def datagrams(frames: list[RecordedFrame]) -> list[RecordedFrame]:
    """Each once: the loopback interface sends and receives it."""
    return [one for one in frames if one.outgoing and one.wire > SIZE]


def test_every_packet_is_there_and_those_that_came_too_fast_have_their_headers(
    hurried: list[RecordedFrame],
) -> None:
    sent = datagrams(hurried)
    assert len(sent) == BURST + 3
    assert {one.wire for one in sent} == {SIZE + 42}
    cut = [one for one in sent if one.cut]
    assert {len(one.frame) for one in cut} == {HEADERS}
    assert len(cut) > BURST / 4
    assert [int.from_bytes(one.frame[42:44], "big") for one in sent[:BURST]] == [*range(BURST)]


def test_once_it_is_calm_packets_are_whole_again(hurried: list[RecordedFrame]) -> None:
    last = datagrams(hurried)[-1]
    assert (last.cut, last.frame[42:46]) == (False, b"slow")


def test_what_does_not_come_too_fast_is_whole(tmp_path: Path) -> None:
    sent = datagrams(recording(tmp_path / "calm", 1e12))
    assert [len(sent), sum(one.cut for one in sent)] == [BURST + 3, 0]
