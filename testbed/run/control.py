"""Requests to a held world and their answers: JSON lines over a Unix socket.

A reply is {"ok": …} or {"error": …}; the client raises the error again.
"""

import json
import socket
from typing import Any

from testbed.errors import InputError, InvalidRunError, Problem, TestbedError

_CHUNK = 65_536


class Line:
    """One connection, either end of it."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._rest = b""

    def send(self, message: Any) -> None:
        """Send one message. OSError if the other end has closed."""
        self.socket.sendall(json.dumps(message, default=str).encode() + b"\n")

    def receive(self) -> Any:
        """The next message; None if the other end has closed."""
        while b"\n" not in self._rest:
            data = self.socket.recv(_CHUNK)
            if not data:
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def ask(self, question: dict[str, Any]) -> Any:
        """Send a question; the answer. InvalidRunError if the world ends meanwhile, else what it raised."""
        try:
            self.send(question)
            reply = self.receive()
        except OSError:
            reply = None
        if reply is None:
            raise InvalidRunError("the world ended before it answered")
        if "error" in reply:
            raise _raised(reply["error"])
        return reply["ok"]

    def answer(self, value: Any) -> None:
        """Reply with a value, or with an error that the other end raises."""
        self.send({"error": _described(value)} if isinstance(value, TestbedError) else {"ok": value})

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
