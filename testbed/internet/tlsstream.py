"""TLS 1.3 over a connection: messages and data in records, for clients and servers."""

from asyncio import IncompleteReadError, StreamReader, StreamWriter, Task, create_task

from testbed.internet.tls13 import ALERT, CHANGE, DATA, HANDSHAKE, Reader, TlsError, TrafficKey, vector

_HEADER = 5  # bytes of a record


class TlsStream:
    """Records of one connection, in plain text until there are keys."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._messages = b""
        self._pump: Task[None] | None = None
        self.theirs: TrafficKey | None = None
        self.mine: TrafficKey | None = None

    async def message(self) -> tuple[int, bytes, bytes]:
        """The next handshake message: its kind, its body, and the whole. TlsError for anything else."""
        while len(self._messages) < 4 or len(self._messages) < 4 + int.from_bytes(self._messages[1:4], "big"):
            kind, data = await self._record()
            if kind != HANDSHAKE:
                raise TlsError(f"the peer sent {_named(kind, data)} instead of a handshake message")
            self._messages += data
        end = 4 + int.from_bytes(self._messages[1:4], "big")
        whole, self._messages = self._messages[:end], self._messages[end:]
        return whole[0], whole[4:], whole

    async def data(self) -> bytes:
        """What the peer sends next; b"" at its end."""
        while True:
            try:
                kind, data = await self._record()
            except IncompleteReadError:
                return b""
            if kind == ALERT:
                return b""
            if kind == DATA and data:
                return data  # tickets, which a server may send after the handshake, are of no use here

    def reading(self) -> StreamReader:
        """All that the peer sends from now on."""
        found = StreamReader()

        async def pumped() -> None:
            try:
                while data := await self.data():
                    found.feed_data(data)
                found.feed_eof()
            except (OSError, TlsError) as error:
                found.set_exception(error)

        self._pump = create_task(pumped())
        return found

    def send(self, kind: int, data: bytes) -> None:
        """Send it in records."""
        self._writer.write(
            self.mine.sealed(kind, data) if self.mine else bytes([kind]) + b"\3\3" + vector(data, 2)
        )

    def change(self) -> None:
        """What makes middleboxes think of TLS 1.2 (section D.4)."""
        self._writer.write(b"\x14\3\3\0\1\1")

    async def sent(self) -> None:
        """Wait until there is room for more."""
        await self._writer.drain()

    def close(self) -> None:
        """Say that this was all, and close."""
        self.send(ALERT, b"\1\0")
        self._writer.close()

    async def _record(self) -> tuple[int, bytes]:
        while True:
            header = await self._reader.readexactly(_HEADER)
            data = await self._reader.readexactly(int.from_bytes(header[3:], "big"))
            if header[0] == CHANGE:
                continue
            if header[0] == DATA and self.theirs:
                return self.theirs.opened(header, data)
            return header[0], data


def _named(kind: int, data: bytes) -> str:
    return (
        f"alert {Reader(data[1:]).number(1)}"
        if kind == ALERT and len(data) > 1
        else f"a record of type {kind}"
    )
