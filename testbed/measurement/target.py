"""A target: the parsed URL of a measurement; and what a kind of target is.

`testbed.measurement.kinds` has the kinds that are built in and the parser.
"""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import ClassVar, Protocol

Fault = tuple[str, str]  # what is wrong, with the value; what to do about it


@dataclass(frozen=True, slots=True)
class Target:
    """One target. Made by `testbed.measurement.kinds.parse`."""

    url: str
    kind: "ProbeKind"
    host: str  # a name or an address, in lower case
    path: str = "/"  # with the query, as a request line has it
    written_port: int | None = None

    @property
    def port(self) -> int:
        """The port in the URL, or else the kind's."""
        return self.written_port or self.kind.port

    @property
    def bulk(self) -> bool:
        """Whether the target measures speed."""
        return self.kind.bulk(self)


class Connection(Protocol):
    """A connection that the probe opened, with or without TLS."""

    def send(self, data: bytes) -> None:
        """Send all of it; OSError if that fails, TimeoutError if the peer takes nothing."""
        ...

    def receive(self) -> bytes:
        """Some bytes, b"" at the end of the stream; TimeoutError on silence or at the step's limit."""
        ...


class Steps(Protocol):
    """What a kind may ask of the probe. Every call is logged, limited in time, and raises if it fails.

    The first exception ends the measurement. OSError (with TimeoutError) and EOFError become OONI's failure
    strings; anything else is reported as a bug and makes the run invalid.
    """

    step: str  # the current step, for `x_failed_step`; a kind with steps of its own sets it
    timeout: float  # seconds of silence that count as no answer
    ipv: int  # 4 or 6

    def resolve(self, host: str) -> str:
        """An address of `host`, of version `ipv`; `host` itself if it is an address."""
        ...

    def connect(self, target: Target) -> AbstractContextManager[Connection]:
        """Resolve the target's host and open a TCP connection to its port."""
        ...

    def datagrams(self, target: Target) -> AbstractContextManager[Connection]:
        """Resolve the target's host; what is sent and received are datagrams to and from its UDP port."""
        ...

    def secure(self, connection: Connection, name: str, *, protocol: str = "http/1.1") -> Connection:
        """Complete a TLS handshake on `connection` with `name` as SNI; the certificate is verified.

        `protocol` is what it offers by ALPN, "http/1.1" or "h2"; `fetch` then speaks that.
        """
        ...

    def offer(self, flow: Connection, hello: bytes, name: str) -> bytes:
        """Send a ClientHello of the kind's own making (or an Initial) as it is; the first of the answer.

        Logged as a handshake for `name` that is done when the server answers; EOFError if it closes instead.
        """
        ...

    def fetch(self, connection: Connection, target: Target, *, upload: int = 0) -> None:
        """One GET of the target's path, or a PUT of `upload` bytes. Redirects are not followed."""
        ...

    def fetch_http3(self, target: Target) -> None:
        """Resolve the target's host, connect by QUIC, send one HTTP/3 GET."""
        ...

    def open_quic(self, target: Target) -> None:
        """Resolve the target's host and complete a QUIC handshake."""
        ...

    def ask(self, name: str, target: Target | None, *, tcp: bool = False, kind: str = "") -> None:
        """Ask the resolver at the target's host and port for `name`; None is the vantage's own resolver.

        `kind` is the type of record; "" is that of the IP version.
        """
        ...

    def ask_within(
        self, connection: Connection, name: str, target: Target, *, path: str = "", kind: str = ""
    ) -> None:
        """Ask for `name` on a connection that was secured; `path`: by a POST there (DoH), else as DoT."""
        ...

    def random_bytes(self, size: int) -> bytes:
        """Bytes for what a kind makes up, as a connection id: where nothing is sent, its seed draws them."""
        ...

    def note(self, key: str, value: object) -> None:
        """Put a JSON value into the test keys. `key` MUST begin with x_ and not be one of the probe's own."""
        ...


class Hosts(Protocol):
    """The hosts of a world. Both methods return None if there is such a host, else what is wrong."""

    def host(self, name: str) -> Fault | None:
        """A server that answers to this name or address."""
        ...

    def resolver(self, address: str) -> Fault | None:
        """A public resolver with this address."""
        ...


class ProbeKind(ABC):
    """A kind of target: its URL, what it needs of a world, how it is measured. Objects have no state.

    Derive one class per URL scheme. Import what `measure` needs inside it, not at the top of the file: the
    class is also loaded by commands that never measure.
    """

    scheme: ClassVar[str] = ""  # "https"
    form: ClassVar[str] = ""  # the URL with capitals for what one fills in: "https://NAME/"
    transport: ClassVar[str] = ""  # what carries it, for truth.json and tables: "tls"
    port: ClassVar[int] = 0  # where the URL has none; 0: it must have one
    any_port: ClassVar[bool] = False  # a scenario may name a port; else only `port`, where the sites listen
    steps_only: ClassVar[bool] = False  # `measure` touches nothing but its steps: policy truth is asked of it
    modules: ClassVar[tuple[str, ...]] = ()  # slow to import: imported once, before the probe forks

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def fault(self, target: Target) -> Fault | None:
        """What is wrong with the URL, None if nothing is."""
        if not target.port:
            return f"{target.url!r} has no port", f"write {self.form}"
        return None

    def missing(self, target: Target, hosts: Hosts) -> Fault | None:
        """What a scenario's world lacks for this target, None if nothing."""
        return hosts.host(target.host)

    def bulk(self, target: Target) -> bool:
        """Whether it measures speed. Such targets are measured after the others."""
        return False

    @abstractmethod
    def measure(self, target: Target, steps: Steps) -> None:
        """Take the steps, in order. Returning means success."""


def endpoint_text(address: str, port: int) -> str:
    """Address and port as one text: "8.8.8.8:53", "[2001:db8::1]:53"."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@lru_cache(4096)
def is_address(text: str) -> bool:
    """Whether `text` is an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
