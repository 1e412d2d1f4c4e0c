"""How a held world is asked for something: JSON lines over a Unix socket, open files beside them.

A reply is {"ok": …} or {"error": …}; an error is raised again where the question was asked.
"""

import json
import socket
from collections.abc import Sequence
from typing import Any

from testbed.errors import InputError, InvalidRunError, Problem, TestbedError

_CHUNK = 65_536
_MOST_FILES = 16


class Line:
    """One connection, either end of it."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._rest = b""

    def send(self, message: Any, files: Sequence[int] = ()) -> None:
        """Send one message. OSError if the other end has gone."""
        data = json.dumps(message, default=str).encode() + b"\n"
        sent = socket.send_fds(self.socket, [data], files) if files else 0
        self.socket.sendall(data[sent:])

    def receive(self) -> tuple[Any, list[int]]:
        """The next message and the files that came with it; None if the other end has gone."""
        files: list[int] = []
        while b"\n" not in self._rest:
            data, new, _, _ = socket.recv_fds(self.socket, _CHUNK, _MOST_FILES)
            files += new
            if not data:
                return None, files
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line), files

    def ask(self, question: dict[str, Any]) -> tuple[Any, list[int]]:
        """Send a question; the answer. InvalidRunError if the world ends meanwhile, else what it raised."""
        try:
            self.send(question)
            reply, files = self.receive()
        except OSError:
            reply, files = None, []
        if reply is None:
            raise InvalidRunError("the world ended before it answered")
        if "error" in reply:
            raise _raised(reply["error"])
        return reply["ok"], files

    def answer(self, value: Any, files: Sequence[int] = ()) -> None:
        """Reply with a value, or with an error that the other end raises."""
        if isinstance(value, TestbedError):
            self.send({"error": _described(value)})
        else:
            self.send({"ok": value}, files)

    def close(self) -> None:
        """End the connection."""
        self.socket.close()


def _described(error: TestbedError) -> dict[str, Any]:
    if isinstance(error, InputError):
        return {"input": [[one.place, one.message, one.remedy] for one in error.problems]}
    return {"invalid": str(error)}


def _raised(error: dict[str, Any]) -> TestbedError:
    if "input" in error:
        return InputError(*(Problem(*parts) for parts in error["input"]))
    return InvalidRunError(error["invalid"])
