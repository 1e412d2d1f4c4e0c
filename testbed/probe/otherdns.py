"""Asking a chosen resolver over UDP, TCP, TLS (RFC 7858) or HTTPS (RFC 8484) instead of the system's."""

import struct

import h11

from testbed.measurement.passage import Endpoint
from testbed.measurement.target import Connection, is_address
from testbed.probe import failure, lookup
from testbed.probe.connection import TcpConnection, TlsConnection, client_context
from testbed.probe.failure import UNKNOWN, MeasurementError
from testbed.probe.log import MeasurementLog

_DNS_MESSAGE = "application/dns-message"
DOH_PATH = "/dns-query"  # where a URL has none, as RFC 8484 has it in its examples


def resolve_at(
    log: MeasurementLog,
    name: str,
    resolver: Endpoint,
    system: tuple[str, ...],
    *,
    ipv: int,
    timeout: float,
    ca_file: str | None,
    kind: str = "",
) -> list[str]:
    """The addresses of `name` as `resolver` gives them; `system` are the resolvers for its own name.

    `kind`: another type of record than the IP version's; the log has what was answered.

    Errors: what a step raises, MeasurementError for an answer without an address.
    """
    if is_address(resolver.host):
        address = resolver.host
    else:
        address = lookup.resolve(log, resolver.host, system, ipv, timeout)[0]
    one = lookup.Lookup(log, name, (address, resolver.port), ipv, kind)
    try:
        if resolver.scheme == "udp":
            return one.over_udp(timeout)
        if resolver.scheme == "tcp":
            return one.over_tcp(timeout)
        return _over_tls(log, one, resolver, address, timeout, ca_file)
    finally:
        one.close()


def _over_tls(
    log: MeasurementLog,
    one: lookup.Lookup,
    resolver: Endpoint,
    address: str,
    timeout: float,
    ca_file: str | None,
) -> list[str]:
    tcp = TcpConnection(log, (address, resolver.port), timeout)
    try:
        tcp.connect()
        tcp.allow(timeout)
        tls = TlsConnection(tcp, resolver.host, client_context(ca_file))
        tls.handshake()
        path = (resolver.path or DOH_PATH) if resolver.scheme == "https" else ""
        return ask_within(one, tls, resolver.host, path)
    finally:
        tcp.close()


def ask_within(one: lookup.Lookup, secure: Connection, host: str, path: str) -> list[str]:
    """Ask on a connection to `host` that was secured: by a POST to `path` (DoH), without one as DoT.

    The addresses of the answer. MeasurementError if there is none, or none in it; it is logged.
    """
    engine, begun, wire = "doh" if path else "dot", one.log.now(), one.query.to_wire()
    try:
        raw = _by_https(secure, host, path, wire) if path else _by_tls(secure, wire)
    except (OSError, EOFError, MeasurementError) as error:
        return one.settle(engine, None, failure.of(error), begun)
    return one.settle(engine, raw, None, begun)


def _by_tls(tls: Connection, wire: bytes) -> bytes:
    tls.send(struct.pack("!H", len(wire)) + wire)
    raw = b""
    while len(raw) < 2 or len(raw) < 2 + struct.unpack_from("!H", raw)[0]:
        if not (more := tls.receive()):
            raise EOFError
        raw += more
    return raw[2:]


def _by_https(tls: Connection, host: str, path: str, wire: bytes) -> bytes:
    http = h11.Connection(h11.CLIENT)
    headers = [("Host", host), ("Content-Type", _DNS_MESSAGE), ("Accept", _DNS_MESSAGE)]
    headers.append(("Content-Length", str(len(wire))))
    request = h11.Request(method="POST", target=path, headers=headers)
    tls.send((http.send(request) or b"") + (http.send(h11.Data(data=wire)) or b""))
    http.send(h11.EndOfMessage())
    body = b""
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(tls.receive())
        elif isinstance(event, h11.Response) and event.status_code != 200:
            raise MeasurementError(f"{UNKNOWN}: the resolver answers with status {event.status_code}")
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return body
        elif isinstance(event, h11.ConnectionClosed):
            raise EOFError
