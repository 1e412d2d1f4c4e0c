"""One HTTP request over a connection of a way, and the speed of bulk transfers, as the probe states it."""

from collections.abc import Callable
from typing import Any, Final

from testbed.dryrun.drystreams import DryConnection, DryQuic, DryTls
from testbed.measurement.ooni import TransferSpeed
from testbed.probe import failure
from testbed.probe.failure import MeasurementError
from testbed.probe.http1 import IncomingResponse, OutgoingRequest, log_exchange
from testbed.probe.log import MeasurementLog
from testbed.probe.speed import BULK_BOUND

_SETTLE: Final = 1.0  # s left out of the rate of a long transfer
_PIECE: Final = 16384  # bytes of an upload in a record


def fetch(
    log: MeasurementLog,
    connection: DryConnection | DryTls | DryQuic,
    request: OutgoingRequest,
    patience: float,
) -> None:
    """Send the request and read the response, as `testbed.probe.http1.fetch` does."""
    stream = connection.tcp if isinstance(connection, DryTls) else connection
    response, begun = request.response(), log.now()
    log.mark("http_transaction_start")
    stream.allow(BULK_BOUND if request.target.bulk else patience)
    direction = "up" if request.upload else "down"
    before, started, problem = connection.crossed(direction), stream.agenda.now, None
    meter = _Meter(connection, direction, before, started)
    try:
        connection.send(_head(request))
        for at in range(0, request.upload, _PIECE):
            connection.send(bytes(min(_PIECE, request.upload - at)))
        _read(connection, response, meter.look)
    except TimeoutError:
        if not (request.target.bulk and meter.moving(stream.silence)):
            problem = failure.TIMEOUT
    except (OSError, EOFError, MeasurementError) as error:
        problem = failure.of(error)
    if request.target.bulk:
        log.speed = meter.speed(complete=response.complete)
    log_exchange(log, request, response, problem, begun, stream.where, connection.alpn)
    if problem is not None:
        raise MeasurementError(problem)


def _head(request: OutgoingRequest) -> bytes:
    lines = [f"{request.method} {request.target.path} HTTP/1.1"]
    headers = request.headers if request.version != "3" else [("host", request.authority), *request.headers]
    return ("\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers)]) + "\r\n\r\n").encode()


def _read(connection: Any, response: IncomingResponse, look: Callable[[], None]) -> None:
    data, head_ended, length = b"", False, -1
    while True:
        more = connection.receive()
        look()
        if not head_ended:
            data += more
            head, end, rest = data.partition(b"\r\n\r\n")
            if not end:
                if more:
                    continue
                raise EOFError
            line, *fields = head.split(b"\r\n")
            words = line.split(b" ", 2)
            if not line.startswith(b"HTTP/1.") or len(words) < 2 or not words[1].isdigit():
                raise MeasurementError("http_request_failed")
            if 100 <= int(words[1]) < 200 and words[1] != b"101":  # another head follows (RFC 9110 §15.2)
                data = rest
                continue
            response.status = int(words[1])
            pairs = [one.split(b":", 1) for one in fields if b":" in one]
            response.headers = [(name.strip(), value.strip()) for name, value in pairs]
            length = next((int(v) for k, v in response.headers if k.lower() == b"content-length"), -1)
            head_ended = True
            response.add(rest)
        else:
            response.add(more)
        if 0 <= length <= response.size or (length < 0 and not more):
            response.complete = True
            return
        if not more:
            raise EOFError


class _Meter:
    """The speed of a transfer, as the probe states it."""

    def __init__(self, connection: Any, direction: str, before: int, started: float) -> None:
        self._connection, self._direction, self._before, self._started = (
            connection,
            direction,
            before,
            started,
        )
        agenda = self._agenda = (connection.tcp if isinstance(connection, DryTls) else connection).agenda
        self._samples = [(0.0, 0)]
        self._going = True
        if isinstance(connection, DryConnection | DryTls):
            (connection.tcp if isinstance(connection, DryTls) else connection).watch = self.look
        agenda.after(0.02, self._sample)

    def look(self) -> None:
        """How much has crossed by now?"""
        size, at = self._connection.crossed(self._direction) - self._before, self._agenda.now - self._started
        if size > self._samples[-1][1]:
            self._samples.append((at, size))

    def moving(self, silence: float) -> bool:
        """Whether anything crossed in the last `silence` seconds."""
        self.look()
        at, size = self._samples[-1]
        since = self._agenda.now - self._started - at
        return size > 0 and since < min(silence, BULK_BOUND / 2) - 1e-6

    def speed(self, *, complete: bool) -> TransferSpeed:
        """Of the whole, and without the first burst."""
        self.look()
        self._going = False
        last, size = self._samples[-1]
        seconds = max(last if complete else self._agenda.now - self._started, 1e-6)
        first = next((at for at, got in self._samples if got), 0.0)
        early = max((got for at, got in self._samples if at <= first + _SETTLE), default=0)
        settled = 8 * (size - early) / max(seconds - first - _SETTLE, 1e-6)
        overall = 8 * size / seconds
        return TransferSpeed(
            direction=self._direction,
            bytes=size,
            seconds=round(seconds, 6),
            bits_per_second=round(settled if seconds >= 3.0 else overall),
            overall_bits_per_second=round(overall),
            complete=complete,
        )

    def _sample(self) -> None:
        if self._going:
            self.look()
            self._agenda.after(0.02, self._sample)
