"""One HTTP/2 request (RFC 9113) over TLS, by h2."""

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from testbed.probe import failure
from testbed.probe.connection import TlsConnection
from testbed.probe.failure import UNKNOWN, MeasurementError
from testbed.probe.http1 import IncomingResponse, OutgoingRequest, log_exchange
from testbed.probe.log import MeasurementLog

ALPN = "h2"


def fetch(log: MeasurementLog, connection: TlsConnection, request: OutgoingRequest, patience: float) -> None:
    """One request and its response; MeasurementError if it does not come whole in `patience` seconds."""
    response, begun, problem = request.response(), log.now(), None
    log.mark("http_transaction_start")
    connection.tcp.allow(patience)
    try:
        if connection.alpn != ALPN:
            raise MeasurementError(f"{UNKNOWN}: the server does not speak HTTP/2")
        _exchange(connection, request, response)
    except (OSError, EOFError, MeasurementError) as error:
        problem = failure.of(error)
    except h2.exceptions.ProtocolError:
        problem = "http_request_failed"
    log_exchange(log, request, response, problem, begun, connection.tcp.where, connection.alpn)
    if problem is not None:
        raise MeasurementError(problem)


def _exchange(connection: TlsConnection, request: OutgoingRequest, response: IncomingResponse) -> None:
    http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
    http.initiate_connection()
    stream = http.get_next_available_stream_id()
    head = [
        (":method", request.method),
        (":scheme", request.scheme),
        (":authority", request.authority),
        (":path", request.target.path),
        *request.headers,
    ]
    http.send_headers(stream, head, end_stream=True)
    connection.send(http.data_to_send())
    while not response.complete:
        data = connection.receive()
        if not data:
            raise EOFError
        for event in http.receive_data(data):
            _take(http, event, response)
        if waiting := http.data_to_send():
            connection.send(waiting)


def _take(http: h2.connection.H2Connection, event: h2.events.Event, response: IncomingResponse) -> None:
    if isinstance(event, h2.events.ResponseReceived):
        pairs = [(bytes(name), bytes(value)) for name, value in event.headers or ()]
        response.status = int(dict(pairs).get(b":status", b"0"))
        response.headers = [pair for pair in pairs if not pair[0].startswith(b":")]
    elif isinstance(event, h2.events.DataReceived):
        response.add(event.data or b"")
        http.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
    elif isinstance(event, h2.events.StreamEnded):
        response.complete = True
    elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
        raise EOFError
