"""Encrypted ClientHello: a client and a server of ours, and browsers' libraries with the server."""

import asyncio
from base64 import b64encode
from dataclasses import replace
from io import BytesIO

import pytest
from cryptography import x509

from testbed.censor.parsers.tls import ClientHello, client_hello
from testbed.internet.authority import Authority
from testbed.internet.echkeys import EchKey
from testbed.internet.echserver import Identity, accepted, welcomed
from testbed.internet.hosts import certificate_of
from testbed.internet.tls13 import DATA, HelloFields, TlsError
from testbed.matrix import echclient
from testbed.matrix.echclient import PUBLIC_NAME, front_of
from testbed.matrix.livecells import CALLED

HIDDEN = "hidden.example.org"
OWN = EchKey.of(PUBLIC_NAME)


@pytest.fixture(scope="module")
def authority():
    return Authority.create()


@pytest.fixture(scope="module")
def identity(authority, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ech")
    chain, key = authority.certificate_for([PUBLIC_NAME, HIDDEN, "localhost"])
    (folder / "chain").write_text(chain)
    (folder / "key").write_text(key)
    return Identity.read(str(folder / "chain"), str(folder / "key"))


def conversation(identity, client, key=OWN):
    """What a client came to, how the server welcomed it, and the client's first record."""

    async def all_of_it():
        met, first = [], []

        async def converse(reader, writer):
            header = await reader.readexactly(5)
            record = header + await reader.readexactly(int.from_bytes(header[3:], "big"))
            first.append(record)
            again = asyncio.StreamReader()
            again.feed_data(record)
            feeding = asyncio.create_task(_feed(reader, again))
            try:
                stream, welcome = await accepted(again, writer, key, identity)
                met.append(welcome)
                request = await stream.data()
                body = b"heard " + request[:3]
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                stream.send(DATA, head + body)
                stream.close()
            except (TlsError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()
                await feeding

        server = await asyncio.start_server(converse, "127.0.0.1", 0)
        async with server:
            found = await client(server.sockets[0].getsockname()[1])
        return found, met, first[0]

    return asyncio.run(asyncio.wait_for(all_of_it(), 60))


async def _feed(source, to):
    while data := await source.read(65536):
        to.feed_data(data)
    to.feed_eof()


def ours(authority, *, hidden):
    from cryptography.x509.verification import Store

    async def ask(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            stream = await echclient.shaken(reader, writer, HIDDEN, Store([authority.root]), hidden=hidden)
            stream.send(DATA, b"GET / HTTP/1.1\r\n\r\n")
            return await stream.data()
        finally:
            writer.close()
            await writer.wait_closed()

    return ask


@pytest.mark.parametrize(("hidden", "seen"), [(True, PUBLIC_NAME), (False, HIDDEN)])
def test_the_name_arrives_and_is_not_seen(authority, identity, hidden, seen):
    """Twin: the same client in the open."""
    answer, (welcome,), first = conversation(identity, ours(authority, hidden=hidden))
    assert answer.endswith(b"heard GET")
    assert (welcome.hello.name, welcome.inner) == (HIDDEN, hidden)
    on_the_wire = client_hello(first)
    assert isinstance(on_the_wire, ClientHello)
    assert on_the_wire.server_name == seen
    assert (HIDDEN.encode() in first) is not hidden


def test_a_server_with_another_key(authority, identity):
    """It goes on with the outer hello, and the client notices."""
    other = replace(EchKey.of("other.example.net"), public_name=PUBLIC_NAME)
    with pytest.raises(TlsError, match="did not take the encrypted hello"):
        conversation(identity, ours(authority, hidden=True), other)


def test_a_certificate_without_the_inner_name(authority, tmp_path):
    """As of a front that is no server of that site."""
    chain, key = authority.certificate_for([PUBLIC_NAME])
    (tmp_path / "chain").write_text(chain)
    (tmp_path / "key").write_text(key)
    outer_alone = Identity.read(str(tmp_path / "chain"), str(tmp_path / "key"))
    with pytest.raises(TlsError, match="the server's certificate"):
        conversation(outer_alone, ours(authority, hidden=True))


def test_a_front_s_certificate_has_the_names_of_the_sites_behind_it(authority):
    found = [certificate_of(front_of(HIDDEN), (), authority), certificate_of(CALLED, (), authority)]
    names = [
        x509.load_pem_x509_certificate(chain.encode())
        .extensions.get_extension_for_class(x509.SubjectAlternativeName)
        .value.get_values_for_type(x509.DNSName)
        for chain, _ in found
    ]
    assert names == [[PUBLIC_NAME, HIDDEN], [*CALLED.names]]


def test_an_authority_that_nobody_trusts(identity):
    with pytest.raises(TlsError, match="certificate"):
        conversation(identity, ours(Authority.create(), hidden=True))


def test_what_cannot_be_decrypted_is_the_outer_hello():
    """A client's GREASE (RFC 9849 section 6.2): an extension that no server can read."""
    key = EchKey.of(PUBLIC_NAME)
    hello = HelloFields(bytes(32), b"", b"\x13\x01", ((0, b"\0\x08\0\0\x05a.org"),))
    grease = (0xFE0D, b"\0\0\1\0\1\1" + b"\0\x20" + bytes(32) + b"\0\x20" + bytes(range(32)))
    told = welcomed(replace(hello, extensions=(*hello.extensions, grease)).body(), key)
    assert (told.hello.name, told.inner, told.offered) == ("a.org", False, True)


@pytest.mark.parametrize(
    "message", [b"", b"\3\3", b"\3\3" + bytes(32) + b"\xff", b"\3\3" + bytes(32) + b"\0\0\2\x13"]
)
def test_a_broken_hello(message):
    with pytest.raises(TlsError, match="ends too early"):
        HelloFields.read(message)


def test_the_stack_of_a_browser(authority, identity, tmp_path):
    """BoringSSL, by curl_cffi, with the configuration as DNS publishes it."""
    curl_cffi = pytest.importorskip("curl_cffi")
    bundle = tmp_path / "root.pem"
    bundle.write_text(authority.root_pem)
    config = b64encode(EchKey.of(PUBLIC_NAME).config_list).decode()

    async def ask(port):
        def fetch():
            curl = curl_cffi.Curl()
            body = BytesIO()
            curl.setopt(curl_cffi.CurlOpt.URL, f"https://localhost:{port}/".encode())
            curl.setopt(curl_cffi.CurlOpt.RESOLVE, [f"localhost:{port}:127.0.0.1"])
            curl.setopt(curl_cffi.CurlOpt.ECH, f"ecl:{config}".encode())
            curl.setopt(curl_cffi.CurlOpt.CAINFO, str(bundle).encode())
            curl.setopt(curl_cffi.CurlOpt.WRITEDATA, body)
            curl.perform()
            return body.getvalue()

        return await asyncio.to_thread(fetch)

    answer, (welcome,), first = conversation(identity, ask)
    assert answer == b"heard GET"
    assert (welcome.hello.name, welcome.inner) == ("localhost", True)
    assert client_hello(first).server_name == PUBLIC_NAME
