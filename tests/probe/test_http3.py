"""HTTP/3 against a real aioquic server on loopback."""

import asyncio
import hashlib
import re
import socket
import threading
from typing import ClassVar

import pytest
import trustme
from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration

from tests.measurement.oonireader import lost, not_in_ooni

from .conftest import NAME, measure


class Site(QuicConnectionProtocol):
    """Answers every request with "hello"."""

    http = None
    asked: ClassVar[list] = []  # the headers of every request

    def quic_event_received(self, event):
        self.http = self.http or H3Connection(self._quic)
        for part in self.http.handle_event(event):
            if isinstance(part, HeadersReceived):
                self.asked.append([(name.decode(), value.decode()) for name, value in part.headers])
                self.http.send_headers(part.stream_id, [(b":status", b"200"), (b"server", b"test")])
                self.http.send_data(part.stream_id, b"hello", end_stream=True)
        self.transmit()


@pytest.fixture
def site(tmp_path):
    """Starts the server with a CA's certificate, returns its port."""
    ended, threads = threading.Event(), []

    def start(ca, name=NAME):
        leaf = ca.issue_cert(name)
        leaf.cert_chain_pems[0].write_to_path(tmp_path / "leaf.pem")
        leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
        configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
        configuration.load_cert_chain(tmp_path / "leaf.pem", tmp_path / "key.pem")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        ready = threading.Event()

        async def run():
            server = await serve("127.0.0.1", port, configuration=configuration, create_protocol=Site)
            ready.set()
            while not ended.is_set():
                await asyncio.sleep(0.02)
            server.close()
            await asyncio.sleep(0.05)

        threads.append(threading.Thread(target=asyncio.run, args=(run(),)))
        threads[-1].start()
        assert ready.wait(5)
        return port

    yield start
    ended.set()
    for thread in threads:
        thread.join(5)


def h3(lab, port):
    where = (lab.resolver("127.0.0.1"),)
    return measure(f"h3://{NAME}:{port}/", resolver=where, ca_file=lab.ca_file, timeout=0.8)


def test_a_quic_connection_is_recorded_as_a_flow(site, tmp_path):
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    port = site(ca)
    seen = measure(f"h3://127.0.0.1:{port}/", resolver=(), timeout=1, ca_file=str(tmp_path / "ca.pem"))
    (flow,) = seen.test_keys.flows
    assert re.fullmatch(rf"udp 127\.0\.0\.1:\d+ > 127\.0\.0\.1:{port}", flow)


def test_a_page_over_http3(lab, site):
    seen = h3(lab, site(lab.ca))
    assert seen.failure is None
    assert seen.test_keys.tls_handshakes[0].network == "udp"
    response = seen.test_keys.requests[0].response
    assert (response.code, response.body) == (200, "hello")
    operations = [event.operation for event in seen.test_keys.network_events]
    assert {"write_to", "read_from"} <= set(operations)
    sent = [event.num_bytes for event in seen.test_keys.network_events if event.operation == "write_to"]
    assert sent[0] == 1200  # an Initial alone (RFC 9000 §14.1): one event for each datagram
    assert max(sent) <= 1500


def test_the_request_is_the_one_that_was_sent(lab, site):
    port = site(lab.ca)
    exchange = h3(lab, port).test_keys.requests[0]
    sent = dict(Site.asked[-1])
    assert exchange.request.headers_list == tuple(
        (name, value) for name, value in Site.asked[-1] if name[0] != ":"
    )
    assert exchange.request.headers_list
    assert exchange.request.url == f"{sent[':scheme']}://{sent[':authority']}{sent[':path']}"
    assert exchange.request.url == f"https://{NAME}:{port}/"
    assert (exchange.network, exchange.alpn, exchange.request.transport) == ("udp", "h3", "udp")


def test_a_handshake_has_its_cipher_certificates_and_events(lab, site):
    seen = h3(lab, site(lab.ca))
    handshake = seen.test_keys.tls_handshakes[0]
    assert (handshake.tls_version, handshake.negotiated_protocol) == ("TLSv1.3", "h3")
    assert handshake.cipher_suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                      "TLS_CHACHA20_POLY1305_SHA256")  # fmt: skip
    leaf = handshake.peer_certificates[0].to_bytes()
    assert hashlib.sha256(leaf).hexdigest() == handshake.leaf_sha256
    assert "trustme" in handshake.issuer
    operations = [event.operation for event in seen.test_keys.network_events]
    assert operations.index("quic_handshake_start") < operations.index("quic_handshake_done")
    assert "bytes_received_cumulative" in operations
    document = seen.to_json()
    assert lost(document) == not_in_ooni(document) == []


@pytest.mark.parametrize(
    ("authority", "name", "problem"),
    [
        ("another", NAME, "ssl_unknown_authority"),
        ("ours", "other.example", "ssl_invalid_hostname"),
        ("another", "other.example", "ssl_invalid_hostname"),
    ],
)
def test_a_refused_certificate_is_recorded(lab, site, authority, name, problem):
    seen = h3(lab, site(lab.ca if authority == "ours" else trustme.CA(), name))
    keys = seen.test_keys
    assert (seen.failure, keys.failed_step, keys.failed_operation) == (problem, "quic", "quic_handshake")
    assert len(keys.tls_handshakes[0].peer_certificates) == 1
    assert keys.tls_handshakes[0].leaf_sha256


def test_silence(lab):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        seen = h3(lab, silent.getsockname()[1])
    assert (seen.failure, seen.test_keys.failed_step) == ("generic_timeout_error", "quic")
    assert 0.7 < seen.runtime < 1.5


def test_a_closed_port_is_refused_at_once(lab):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    seen = h3(lab, port)
    assert seen.failure == "connection_refused"
    failures = {event.failure for event in seen.test_keys.network_events if event.operation == "read_from"}
    assert failures == {"connection_refused"}
    assert seen.runtime < 0.6
