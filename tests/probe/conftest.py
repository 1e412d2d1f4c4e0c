"""Small real servers on loopback, each with one behaviour."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import dns.message
import dns.rrset
import pytest
import trustme

from testbed.measurement.kinds import parse
from testbed.measurement.ooni import Measurement
from testbed.probe import measure as probe

NAME = "site.example"
Behaviour = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Lab:
    """Starts servers; `ca_file` is what a client of them must trust."""

    ca: trustme.CA
    ca_file: str
    start: Callable[[Behaviour], int]
    resolver: Callable[..., str]

    def tls(self, inside: Behaviour, *, name: str = NAME, ca: trustme.CA | None = None) -> Behaviour:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (ca or self.ca).issue_cert(name).configure_cert(context)

        def behave(sock: socket.socket) -> None:
            with suppress(OSError), context.wrap_socket(sock, server_side=True) as secure:
                inside(secure)

        return behave


@pytest.fixture
def lab(tmp_path) -> Iterator[Lab]:  # noqa: C901  three small servers
    ca = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(ca_file)
    sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def run(act: Callable[[], None]) -> None:
        threads.append(threading.Thread(target=act))
        threads[-1].start()

    def start(behave: Behaviour) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    sock.settimeout(20)
                    run(partial(finish, behave, sock))

        run(serve)
        return listener.getsockname()[1]

    def resolver(*addresses: str, rcode: int = 0, answers: int = 1, truth: str = "") -> str:
        """Answers each query `answers` times with `addresses`, then once with `truth`."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sockets.append(sock)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    raw, peer = sock.recvfrom(2000)
                    if not raw:
                        return
                    for given in [addresses] * answers + ([(truth,)] if truth else []):
                        sock.sendto(dns_answer(raw, given, rcode), peer)

        run(serve)
        return f"127.0.0.1:{sock.getsockname()[1]}"

    yield Lab(ca, str(ca_file), start, resolver)
    for sock in sockets:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()
    for thread in threads:
        thread.join(timeout=20)


def finish(behave: Behaviour, sock: socket.socket) -> None:
    with suppress(OSError), sock:
        behave(sock)


def dns_answer(raw: bytes, addresses: tuple[str, ...], rcode: int) -> bytes:
    query = dns.message.from_wire(raw)
    answer = dns.message.make_response(query)
    answer.set_rcode(rcode)
    question = query.question[0]
    if addresses:
        answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", question.rdtype, *addresses))
    return answer.to_wire()


def measure(url: str, **options) -> Measurement:
    return probe.measure(parse(url), **options)


def reset(sock: socket.socket) -> None:
    """Close with a RST instead of a FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def until_gone(sock: socket.socket) -> None:
    """Send nothing until the client closes."""
    while sock.recv(65536):
        pass


def read_head(sock: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got:
        if not (more := sock.recv(65536)):
            break
        got += more
    return got


def one_tcp_answer(sock: socket.socket) -> None:
    """A DNS server over TCP whose answer is always 1.2.3.4."""
    answer = dns_answer(sock.recv(2000)[2:], ("1.2.3.4",), 0)
    sock.sendall(len(answer).to_bytes(2, "big") + answer)


def page(body: bytes = b"<title>Site</title>hello", status: str = "200 OK", headers: str = "") -> Behaviour:
    def behave(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)

    return behave
