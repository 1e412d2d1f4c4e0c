"""The streams of a container, without an engine: what it would send is fed by hand."""

import os
import threading
from contextlib import ExitStack
from socket import socketpair
from struct import pack

import pytest

from testbed.containers.attach import Frames, pump


def frame(stream, data):
    return pack(">BxxxI", stream, len(data)) + data


@pytest.mark.parametrize("size", [1, 3, 8, 1000])
def test_frames_are_the_same_however_they_arrive(size):
    sent = frame(1, b"out\n") + frame(2, b"error\n") + frame(1, b"") + frame(1, b"more")
    frames, found = Frames(), []
    for at in range(0, len(sent), size):
        found += frames.feed(sent[at : at + size])
    assert found == [(1, b"out\n"), (2, b"error\n"), (1, b""), (1, b"more")]


def test_what_is_incomplete_waits():
    assert list(Frames().feed(frame(1, b"whole")[:-1])) == []


@pytest.fixture
def ends():
    """The engine's two ends, and the run's two."""
    with ExitStack() as stack:
        yield tuple(stack.enter_context(end) for _ in range(2) for end in socketpair())


def test_streams_are_joined_until_the_container_ends(capfd, ends):
    ours, theirs, requests, run = ends
    reading, writing = os.pipe()
    os.write(writing, b"typed")
    os.close(writing)
    stdin = os.dup(0)
    os.dup2(reading, 0)
    heard = []

    def answer(request):  # the run passes a signal on: the container ends by it
        heard.append((request, theirs.recv(100)))
        theirs.sendall(frame(1, b"out\n") + frame(2, b"bad\n"))
        theirs.close()

    try:
        threading.Timer(0.2, run.sendall, [b'{"signal": 15}\n']).start()
        pump(ours, requests, answer, terminal=False)
    finally:
        os.dup2(stdin, 0)
        os.close(stdin)
        os.close(reading)
    assert heard == [(b'{"signal": 15}\n', b"typed")]
    assert capfd.readouterr() == ("out\n", "bad\n")


def test_the_end_of_the_run_ends_the_waiting(ends):
    ours, _, requests, run = ends
    run.close()
    with pytest.raises(EOFError):
        pump(ours, requests, print, terminal=False)
