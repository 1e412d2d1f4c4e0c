"""One measurement in OONI's shape, as a frozen value (https://github.com/ooni/spec, df-000 to df-008).

Fields have OONI's names; keys of ours, which begin with x_ in JSON, lose that prefix. None means that the
record does not say; such a field is not written, unless OONI writes a null. Times `t0` and `t` are seconds
since the measurement began. Reading ignores keys that are not listed here, except in the test keys, where
they are kept in `extra`.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from testbed.measurement import codec
from testbed.measurement.codec import UNSAID, StepFailure, named, nullable, rest


@dataclass(frozen=True, slots=True)
class BinaryData:
    """Bytes in JSON (df-001)."""

    data: str | None = None  # base64
    format: str | None = None  # "base64"

    @classmethod
    def of(cls, data: bytes) -> "BinaryData":
        """These bytes."""
        return cls(b64encode(data).decode(), "base64")

    def to_bytes(self) -> bytes:
        """The bytes; b"" if they cannot be read."""
        try:
            return b64decode(self.data or "")
        except ValueError:
            return b""


MaybeBinary = str | BinaryData
"""Bytes as df-001 writes them: text if they are UTF-8, else base64."""


def maybe_binary(data: bytes) -> MaybeBinary:
    """`data` as it is written."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return BinaryData.of(data)


def maybe_binary_bytes(value: MaybeBinary | None) -> bytes:
    """The bytes that were written as `value`, b"" for none."""
    return value.to_bytes() if isinstance(value, BinaryData) else (value or "").encode(errors="replace")


HeadersList = tuple[tuple[str, MaybeBinary], ...]


def headers_map(headers: HeadersList) -> Mapping[str, MaybeBinary]:
    """The older form of headers: only the first value of each name (df-001)."""
    first: dict[str, MaybeBinary] = {}
    for name, value in headers:
        first.setdefault(name, value)
    return first


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """One record of a DNS answer (df-002)."""

    answer_type: str | None = None  # A, AAAA, CNAME, HTTPS
    asn: int | None = None  # of the address
    as_org_name: str | None = None
    hostname: str | None = None  # of a CNAME
    ipv4: str | None = None
    ipv6: str | None = None
    ttl: int | None = nullable()  # seconds
    text: str | None = named("x_text")  # of an HTTPS record, as in a zone file (RFC 9460 2.1)


@dataclass(frozen=True, slots=True)
class Query:
    """One DNS lookup (df-002)."""

    engine: str | None = None  # udp, tcp, …
    hostname: str | None = None
    query_type: str | None = None  # A, AAAA
    resolver_address: str | None = None  # "8.8.8.8:53"
    failure: StepFailure = nullable(UNSAID)
    rcode: int | None = None  # None without an answer
    answers: tuple[DnsAnswer, ...] = ()
    raw_response: str | None = None  # base64
    t0: float | None = None
    t: float | None = None
    tags: tuple[str, ...] = ()
    transaction_id: int | None = None


@dataclass(frozen=True, slots=True)
class TcpStatus:
    """How a connection attempt ended (df-005)."""

    failure: StepFailure = nullable(UNSAID)
    success: bool | None = None


@dataclass(frozen=True, slots=True)
class TcpConnect:
    """One connection attempt (df-005)."""

    ip: str | None = None
    port: int | None = None
    status: TcpStatus = TcpStatus()
    t0: float | None = None
    t: float | None = None
    tags: tuple[str, ...] = ()
    transaction_id: int | None = None

    @property
    def failure(self) -> StepFailure:
        """How it ended."""
        return self.status.failure


@dataclass(frozen=True, slots=True)
class TlsHandshake:
    """One TLS handshake, over TCP or QUIC (df-006)."""

    network: str | None = None  # tcp, udp
    address: str | None = None  # "104.244.42.1:443"
    server_name: str | None = None
    failure: StepFailure = nullable(UNSAID)
    no_tls_verify: bool | None = None
    peer_certificates: tuple[BinaryData, ...] = ()  # DER, the leaf first; also those that were refused
    tls_version: str | None = None
    cipher_suite: str | None = None
    negotiated_protocol: str | None = None
    leaf_sha256: str | None = named("x_leaf_sha256")  # hexadecimal
    issuer: str | None = named("x_issuer")  # of the leaf
    t0: float | None = None
    t: float | None = None
    tags: tuple[str, ...] = ()
    transaction_id: int | None = None


@dataclass(frozen=True, slots=True)
class TorInfo:
    """Whether a request went through tor (df-001)."""

    exit_ip: str | None = nullable()
    exit_name: str | None = nullable()
    is_tor: bool | None = None


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it was sent (df-001)."""

    body: MaybeBinary | None = None  # its beginning
    body_is_truncated: bool | None = None  # whether more was sent than is recorded
    headers_list: HeadersList = ()
    headers: Mapping[str, MaybeBinary] = field(default_factory=dict)
    method: str | None = None
    tor: TorInfo | None = None
    transport: str | None = named("x_transport")  # tcp, udp
    url: str | None = None


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response, as far as it came (df-001); code 0 if nothing did."""

    body: MaybeBinary | None = None  # its beginning
    body_is_truncated: bool | None = None  # whether more came than is recorded
    code: int | None = None
    headers_list: HeadersList = ()
    headers: Mapping[str, MaybeBinary] = field(default_factory=dict)
    body_bytes: int | None = named("x_body_bytes")  # in all
    body_sha256: str | None = named("x_body_sha256")  # of all of it, hexadecimal
    complete: bool | None = named("x_complete")  # all of the body came

    def header(self, name: str) -> str:
        """The first header of that name, "" without one."""
        found = (value for key, value in self.headers_list if key.lower() == name.lower())
        return maybe_binary_bytes(next(found, "")).decode(errors="replace")


@dataclass(frozen=True, slots=True)
class HttpExchange:
    """A request and what came back (df-001)."""

    network: str | None = None  # tcp, udp
    address: str | None = None
    alpn: str | None = None  # as negotiated
    failure: StepFailure = nullable(UNSAID)
    request: HttpRequest | None = None
    response: HttpResponse | None = None
    t0: float | None = None
    t: float | None = None
    tags: tuple[str, ...] = ()
    transaction_id: int | None = None


@dataclass(frozen=True, slots=True)
class NetworkEvent:
    """One operation on a socket, or one mark in time (df-008).

    Operations: connect, read, write, read_from, write_to; bytes_received_cumulative, every quarter of a
    second; and as OONI's programs write them, NAME_start and NAME_done for resolve, dns_round_trip,
    tls_handshake, quic_handshake, http_transaction.
    """

    address: str | None = None
    failure: StepFailure = nullable(UNSAID)
    num_bytes: int | None = None
    operation: str | None = None
    proto: str | None = None  # tcp, udp
    t0: float | None = None
    t: float | None = None
    tags: tuple[str, ...] = ()
    transaction_id: int | None = None


@dataclass(frozen=True, slots=True)
class TransferSpeed:
    """A bulk transfer (ours)."""

    direction: str | None = None  # down, up
    bytes: float | None = None  # on the wire
    seconds: float | None = None
    bits_per_second: float | None = None  # without the first burst
    overall_bits_per_second: float | None = None
    complete: bool | None = None


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """Counters of the kernel for one connection, at its end (ours)."""

    retransmits: int | None = None  # of the oldest unacknowledged segment
    rtt_us: int | None = None  # smoothed, microseconds
    bytes_acked: int | None = None  # of ours, the SYN counted as one
    segments_in: int | None = None  # every segment that reached the socket, also those without new data


@dataclass(frozen=True, slots=True)
class CloserLook:
    """What further connections showed of the interference with this one (ours). None: not found out."""

    hop: int | None = None  # the router with the box
    routers: tuple[str, ...] = ()  # that answered on the way, the first one first; "" for one that did not
    residual: float | None = None  # seconds for which the 4-tuple stays blocked; 0: it does not
    residual_of_ports: float | None = None  # the same of other ports
    connections: int | None = None  # that work side by side before one does not
    words: tuple[str, ...] = ()  # for a person


@dataclass(frozen=True, slots=True)
class RepeatedLooks:
    """Labels of repeated measurements of what failed, the first ones included (ours)."""

    here: tuple[str, ...] = ()  # of the target
    outside: tuple[str, ...] = ()  # of the target from outside
    controls: tuple[str, ...] = ()  # of the vantage's controls


@dataclass(frozen=True, slots=True)
class TestKeys:
    """The blocks: what happened, layer by layer. Keys as in OONI's urlgetter (ts-027)."""

    agent: str | None = None  # "agent": redirects are not followed; "redirect"
    failed_operation: str | None = nullable()  # resolve, connect, tls_handshake, …
    failure: StepFailure = nullable(UNSAID)  # of the measurement as a whole
    network_events: tuple[NetworkEvent, ...] = ()
    queries: tuple[Query, ...] = ()
    requests: tuple[HttpExchange, ...] = ()  # the newest first
    tcp_connect: tuple[TcpConnect, ...] = ()
    tls_handshakes: tuple[TlsHandshake, ...] = ()
    failed_step: str | None = named("x_failed_step")  # dns, tcp, tls, quic, http
    dns_late_replies: tuple[Query, ...] | None = named("x_dns_late_replies")  # None: not listened for
    speed: TransferSpeed | None = named("x_speed")
    tcp_info: TcpInfo | None = named("x_tcp_info")
    flows: tuple[str, ...] | None = named("x_flows")  # as events.jsonl names them, in the order opened
    closer: CloserLook | None = named("x_closer")  # None: nothing interferes, or nobody looked
    repeated: RepeatedLooks | None = named("x_repeated")  # None: nothing seemed to interfere, or nobody did
    probe_error: str | None = named("x_probe_error")  # an exception that is a bug of the probe
    extra: Mapping[str, Any] = rest()

    __test__ = False  # not a pytest class, whatever its name


@dataclass(frozen=True, slots=True)
class Measurement:
    """One target measured once from one vantage (df-000)."""

    data_format_version: str | None = None
    extensions: Mapping[str, int] = field(default_factory=dict)
    target: str = named("input", "")  # the URL
    started: str | None = named("measurement_start_time")  # UTC, "2022-03-05 12:00:00"
    probe_asn: str | None = None  # "AS8359"; AS0 is unknown
    probe_cc: str | None = None  # "RU"; ZZ is unknown
    probe_ip: str | None = None  # 127.0.0.1 is hidden
    probe_network_name: str | None = None
    report_id: str | None = None
    resolver_asn: str | None = None
    resolver_ip: str | None = None
    resolver_network_name: str | None = None
    software_name: str | None = None
    software_version: str | None = None
    test_name: str | None = None
    test_version: str | None = None
    test_start_time: str | None = None
    runtime: float | None = named("test_runtime")  # seconds
    monotonic: float | None = named("x_monotonic")  # seconds, the kernel's clock at its beginning (ours)
    annotations: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()  # as urlgetter names them: "HTTP3Enabled=true"
    test_keys: TestKeys = TestKeys()

    @property
    def vantage(self) -> str:
        """Where it was measured, "" if the annotations do not say."""
        return self.annotations.get("vantage", "")

    @property
    def ipv(self) -> int | None:
        """4 or 6, None if the annotations do not say."""
        return {"4": 4, "6": 6}.get(self.annotations.get("ip_version", ""))

    @property
    def failure(self) -> StepFailure:
        """What ended the measurement, as the record says it."""
        return self.test_keys.failure

    def to_json(self) -> dict[str, Any]:
        """The measurement as OONI's JSON object."""
        return codec.to_json(self)

    @classmethod
    def from_json(cls, document: object) -> "Measurement":
        """What can be read of a JSON value. Never fails: see `testbed.measurement.codec`."""
        return codec.from_json(cls, document)
