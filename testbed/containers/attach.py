"""The streams of a container joined to those of this process, until it ends."""

import fcntl
import os
import selectors
import signal
import struct
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_WR, socket

_HEADER = struct.Struct(">BxxxI")  # of the engine's stream format: 1 stdout, 2 stderr; length
_CHUNK = 1 << 16


class Frames:
    """What the engine sends for a container without a terminal, cut into (descriptor, octets)."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that are complete with `data`."""
        self._data += data
        while len(self._data) >= _HEADER.size:
            stream, length = _HEADER.unpack_from(self._data)
            if len(self._data) < _HEADER.size + length:
                return
            yield stream, self._data[_HEADER.size : _HEADER.size + length]
            self._data = self._data[_HEADER.size + length :]


def pump(engine: socket, requests: socket, answer: Callable[[bytes], None], *, terminal: bool) -> None:
    """Copy between `engine` and our stdin, stdout and stderr until the container has ended.

    What comes from `requests` goes to `answer`; its end raises EOFError: nobody waits for the container.
    """
    frames, chosen = Frames(), selectors.PollSelector()  # unlike epoll, it takes files as stdin
    for source in (engine, requests, 0):
        chosen.register(source, selectors.EVENT_READ)
    while True:
        for key, _ in chosen.select():
            if key.fileobj is requests:
                answer(_or_eof(requests.recv(_CHUNK)))
            elif key.fileobj == 0:
                if not _give(os.read(0, _CHUNK), engine):
                    chosen.unregister(0)
            elif data := engine.recv(_CHUNK):
                for stream, part in [(1, data)] if terminal else frames.feed(data):
                    _write(2 if stream == 2 else 1, part)
            else:
                return


def _or_eof(data: bytes) -> bytes:
    if not data:
        raise EOFError
    return data


def _give(data: bytes, engine: socket) -> bool:
    with suppress(OSError):  # the container has closed its stdin, or has ended
        if data:
            engine.sendall(data)
            return True
        engine.shutdown(SHUT_WR)
    return False


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


@contextmanager
def raw_terminal(resize: Callable[[int, int], None]) -> Iterator[None]:
    """For the block, the terminal passes every key on; `resize` is called with its (rows, columns)."""
    before = termios.tcgetattr(0)

    def sized(*_: object) -> None:
        rows, columns = struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))[:2]
        with suppress(Exception):  # it may have ended
            resize(rows, columns)

    former = signal.signal(signal.SIGWINCH, sized)
    try:
        tty.setraw(0, termios.TCSADRAIN)  # what was typed before is not lost
        sized()
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, former)
