"""What the kernel's rings record: every packet, whole or, while too much comes by, with its headers."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
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
                    time.sleep(1.8)
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


def stream(address: str, family: socket.AddressFamily) -> None:
    """A connection that carries 20 MB, with few segments that ask to be pushed (PSH)."""
    with socket.create_server((address, 9), family=family) as server:
        sender = socket.create_connection((address, 9))
        receiver, _ = server.accept()
    with sender, receiver, ThreadPoolExecutor(1) as beside:
        done = beside.submit(lambda: sum(iter(lambda: len(receiver.recv(100_000)), 0)))
        for _ in range(400):
            sender.sendall(bytes(50_000), socket.MSG_MORE)
            time.sleep(0.002)  # the recorder keeps up
        sender.close()
        assert done.result() == 20_000_000


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_of_a_stream_that_comes_faster_still_a_part_is_recorded_and_the_rest_counted(
    tmp_path: Path, family: socket.AddressFamily, address: str
) -> None:
    """SYN, FIN and PSH are all there; of the rest the same segments at every point."""

    def main() -> tuple[list[list[RecordedFrame]], list[dict[str, int]]]:
        there = Namespace.create("mts")
        with inside(there):
            linux.loopback_up()
        sample = CapturePoint("one", "", there, "lo"), CapturePoint("other", "", there, "lo")
        with Children(tmp_path / "logs") as services:
            services.spawn("capture", recorder(sample, tmp_path / "sample", 1e5))
            services.spawn("twin", recorder(sample[:1], tmp_path / "twin", 1e12))
            services.wait_ready(60)
            with inside(there):
                stream(address, family)
            services.stop(60)
        found = [*recorded(tmp_path / "sample", 2), *recorded(tmp_path / "twin", 1)]
        return [list(one) for one in found], [*counts(tmp_path / "sample", 2), *counts(tmp_path / "twin", 1)]

    for name in ("logs", "sample", "twin"):
        (tmp_path / name).mkdir()
    (one, other, whole), counted = isolated_call(main)
    at = 14 + (20 if family == socket.AF_INET else 40)

    def special(frames: list[RecordedFrame]) -> list[bytes]:
        return [each.frame[:HEADERS] for each in frames if each.frame[at + 13] & 0x0F]

    def plain(frames: list[RecordedFrame]) -> set[bytes]:
        return {each.frame[at : at + 12] for each in frames if not each.frame[at + 13] & 0x0F}

    assert special(one) == special(other) == special(whole)
    assert [one["dropped"] for one in counted] == [0, 0, 0]
    assert plain(one) <= plain(whole)
    assert 0 < len(plain(one)) < len(plain(whole)) / 2
    assert len(plain(one) ^ plain(other)) <= len(plain(one)) / 4, "but for when each began to leave out"
    for frames, count in zip((one, other, whole), counted, strict=True):
        assert len(frames) + count["left_out"] == len(whole)
