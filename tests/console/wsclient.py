"""A WebSocket client over a real connection to loopback, by wsproto. Everything it waits for has a limit."""

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)

PATIENCE: Final = 60.0  # seconds, on a machine under load


class SocketRefusedError(Exception):
    """The server did not accept it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the WebSocket was refused with {status}")
        self.status = status


class WebSocketClient:
    """One open WebSocket. `closed`: the code and reason by which the server ended it."""

    def __init__(self, port: int, path: str, headers: Mapping[str, str]) -> None:
        self.received = b""  # what came as bytes
        self.messages: list[dict[str, Any]] = []  # what came as JSON
        self.closed: tuple[int, str] | None = None
        self._made = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._protocol = WSConnection(ConnectionType.CLIENT)
        given = {"host": f"127.0.0.1:{port}", "origin": f"http://127.0.0.1:{port}", **headers}
        more = [(name.encode(), value.encode()) for name, value in given.items() if name != "host"]
        self._send(Request(host=given["host"], target=path, extra_headers=more))
        self._open = False
        self._until(lambda: self._open)

    def wait_at_most(self, seconds: float) -> None:
        """For whatever comes next."""
        self._made.settimeout(seconds)

    def type(self, text: str) -> None:
        """As from a keyboard."""
        self._send(BytesMessage(text.encode()))

    def say(self, text: str) -> None:
        """A message of text."""
        self._send(TextMessage(text))

    def until(self, words: str) -> str:
        """Everything that came as bytes, once the words are in it."""
        self._until(lambda: words.encode() in self.received)
        return self.received.decode(errors="replace")

    def next_message(self) -> dict[str, Any]:
        """The next JSON message."""
        self._until(lambda: bool(self.messages))
        return self.messages.pop(0)

    def to_the_end(self) -> tuple[int, str]:
        """Why the server closed it."""
        self._until(lambda: self.closed is not None)
        assert self.closed
        return self.closed

    def drop(self) -> None:
        """Break the connection, as a page does that is killed."""
        self._made.close()

    def _until(self, done: Callable[[], bool]) -> None:
        while not done():
            if self.closed is not None:
                raise AssertionError(f"closed by {self.closed} after {self.received[-2000:]!r}")
            data = self._made.recv(65_536)  # raises TimeoutError
            self._protocol.receive_data(data or None)
            for event in self._protocol.events():
                self._handle(event)

    def _handle(self, event: Event) -> None:
        match event:
            case AcceptConnection():
                self._open = True
            case RejectConnection():
                self._made.close()
                raise SocketRefusedError(event.status_code)
            case BytesMessage():
                self.received += event.data
            case TextMessage():
                self._text = getattr(self, "_text", "") + event.data
                if event.message_finished:
                    self.messages.append(json.loads(self._text))
                    self._text = ""
            case Ping():
                self._send(event.response())
            case CloseConnection():
                self.closed = int(event.code), event.reason or ""

    def _send(self, event: Event) -> None:
        self._made.sendall(self._protocol.send(event))


@contextmanager
def websocket(port: int, path: str, **headers: str) -> Iterator[WebSocketClient]:
    """A WebSocket that is open. Errors: SocketRefusedError."""
    client = WebSocketClient(port, path, headers)
    try:
        yield client
    finally:
        client.drop()
