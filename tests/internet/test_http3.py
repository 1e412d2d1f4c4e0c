"""HTTP/3 by aioquic's own client."""

import asyncio
import hashlib
import json
import socket
import ssl

import pytest
from aioquic.asyncio import QuicConnectionProtocol
from aioquic.asyncio.client import connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration

from testbed.internet.pages import BLOCK, MAX_BYTES_HTTP3
from testbed.measurement.kinds import parse
from testbed.measurement.passage import Passage
from testbed.probe.measure import measure
from tests.internet.emulated import GOOGLE, TWITTER, VK

pytestmark = pytest.mark.world


class Client(QuicConnectionProtocol):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.http = H3Connection(self._quic)
        self.headers, self.body = {}, bytearray()
        self.done = asyncio.get_running_loop().create_future()

    def quic_event_received(self, event):
        for happened in self.http.handle_event(event):
            if isinstance(happened, HeadersReceived):
                self.headers = {name.decode(): value.decode() for name, value in happened.headers}
            elif isinstance(happened, DataReceived):
                self.body += happened.data
            if getattr(happened, "stream_ended", False) and not self.done.done():
                self.done.set_result(None)

    async def ask(self, method, path, body, extra):
        if method == "HEAD":
            # aioquic's client takes the length of what HEAD leaves out for that of a body, and closes.
            self.http._check_content_length = lambda stream: None
        stream = self._quic.get_next_available_stream_id()
        request = [(":method", method), (":scheme", "https"), (":authority", "twitter.com"), (":path", path)]
        request = [(name.encode(), value.encode()) for name, value in [*request, *extra]]
        self.http.send_headers(stream, request, end_stream=not body)
        if body:
            self.http.send_data(stream, body, end_stream=True)
        self.transmit()
        await self.done
        return self.headers, bytes(self.body)


def ask(vantage, path, method="GET", body=b"", extra=(), address=TWITTER.ipv4, name="twitter.com"):
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, server_name=name, verify_mode=ssl.CERT_REQUIRED)
    configuration.load_verify_locations(str(vantage.root))

    async def main():
        async with (
            asyncio.timeout(30),
            connect(address, 443, configuration=configuration, create_protocol=Client) as client,
        ):
            return await client.ask(method, path, body, extra)

    return asyncio.run(main())


@pytest.mark.parametrize("address", [TWITTER.ipv4, TWITTER.ipv6])
def test_the_page_names_the_site(far_side, address):
    headers, body = far_side.call(ask, "/", address=address)
    assert headers[":status"] == "200"
    assert headers["content-length"] == str(len(body))
    assert b"<h1>twitter.com</h1>" in body


def test_n_bytes(far_side):
    assert far_side.call(ask, "/bytes/1000001")[1] == (BLOCK * 4)[:1000001]


def test_n_has_bounds(far_side):
    assert far_side.call(ask, f"/bytes/{MAX_BYTES_HTTP3 + 1}")[0][":status"] == "400"


def test_head_has_no_body(far_side):
    headers, body = far_side.call(ask, "/bytes/5000", "HEAD")
    assert (headers["content-length"], body) == ("5000", b"")


def test_upload(far_side):
    body = BLOCK * 4
    _, page = far_side.call(ask, "/upload", "PUT", body)
    assert json.loads(page) == {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def test_headers_of_60_kilobytes(far_side):
    extra = [(f"x-pad-{number}", "a" * 4000) for number in range(15)]
    assert far_side.call(ask, "/", "GET", b"", extra)[0][":status"] == "200"


def refused(vantage):
    try:
        ask(vantage, "/", address=VK.ipv4)
    except ConnectionError:
        return True
    return False


def test_the_certificate_is_the_sites_own(far_side):
    assert far_side.call(refused)


def test_a_resolver_speaks_it_too(far_side):
    headers, _ = far_side.call(ask, "/dns-query?dns=AAAA", address=GOOGLE.ipv4[0], name="dns.google")
    assert headers[":status"] == "400"


def by_draft(vantage, name, quic):
    """How the probe's request ends that speaks draft-29 (or version 1), and its status."""
    passage = Passage(quic=quic)
    seen = measure(
        parse(f"h3://{name}/"),
        resolver=GOOGLE.ipv4,
        timeout=5,
        ca_file=str(vantage.root),
        passage=passage,
    )
    return seen.failure, [one.response.code for one in seen.test_keys.requests]


def test_a_site_speaks_draft_29_where_it_is_told_to(far_side):
    """Beside version 1; the others answer with the versions that they speak."""
    asked = [("drafts.example", "draft-29"), ("drafts.example", ""), ("twitter.com", "draft-29")]
    assert [far_side.call(by_draft, *one) for one in asked] == [
        (None, [200]), (None, [200]), ("quic_incompatible_version", []),
    ]  # fmt: skip


def junk(vantage):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for first in (0x00, 0x40, 0xC0, 0xFF):
            for length in (0, 1, 20, 1200, 1400):
                any_socket.sendto(bytes([first] * length), (TWITTER.ipv4, 443))
    return ask(vantage, "/")[0][":status"]


def test_junk_does_not_stop_it(far_side):
    assert far_side.call(junk) == "200"
