"""Every kind of client against every kind of page, in a world."""

import asyncio
import hashlib
import json
import socket
import ssl
import subprocess

import httpx
import pytest

from testbed.internet.pages import BLOCK, MAX_BYTES
from tests.internet.emulated import TWITTER, VK

pytestmark = pytest.mark.world


def curl(vantage, *arguments, site=TWITTER, address=None, body=None):
    """(exit status, body, [HTTP version, status, length], stderr) of one curl."""
    address = address or site.ipv4
    bare = f"[{address}]" if ":" in address else address
    to = ["--connect-to", f"::{bare}:", "--cacert", vantage.root]
    line = [
        "curl",
        "-sS",
        "-m",
        "20",
        *to,
        "-w",
        "\n%{http_version} %{response_code} %header{content-length}",
    ]
    done = subprocess.run([*line, *arguments], capture_output=True, input=body, timeout=30)
    page, _, numbers = done.stdout.rpartition(b"\n")
    return done.returncode, page, numbers.decode().split(), done.stderr.decode()


@pytest.mark.parametrize(
    ("url", "option", "version"),
    [
        ("http://twitter.com/", "--http1.1", "1.1"),
        ("https://twitter.com/", "--http1.1", "1.1"),
        ("https://api.twitter.com/", "--http2", "2"),
    ],
)
@pytest.mark.parametrize("address", [TWITTER.ipv4, TWITTER.ipv6])
def test_the_page_names_the_site(far_side, url, option, version, address):
    status, page, numbers, _ = far_side.call(curl, option, url, address=address)
    assert status == 0
    assert b"<h1>twitter.com</h1>" in page
    assert numbers == [version, "200", str(len(page))]


@pytest.mark.parametrize("option", ["--http1.1", "--http2"])
@pytest.mark.parametrize("count", [0, 1, len(BLOCK), 1_000_001])
def test_n_bytes(far_side, option, count):
    _, page, numbers, _ = far_side.call(curl, option, f"https://twitter.com/bytes/{count}")
    assert page == (BLOCK * (count // len(BLOCK) + 1))[:count]
    assert numbers[1:] == ["200", str(count)]


@pytest.mark.parametrize("number", [str(MAX_BYTES + 1), "9" * 5000, "-1", "", "x", "²", "1.5"])
def test_n_has_bounds(far_side, number):
    _, page, numbers, _ = far_side.call(curl, f"http://twitter.com/bytes/{number}")
    assert numbers[1] == "400"
    assert b"from 0 to" in page


@pytest.mark.parametrize("option", ["--http1.1", "--http2"])
@pytest.mark.parametrize(("path", "length"), [("/", None), ("/bytes/5000000", "5000000"), ("/none", None)])
def test_head_has_the_length_and_no_body(far_side, option, path, length):
    status, page, numbers, _ = far_side.call(curl, option, "-I", f"https://twitter.com{path}")
    assert status == 0
    assert page.count(b"\r\n\r\n") == 1  # the headers, and nothing after them
    assert page.endswith(b"\r\n\r\n")
    assert numbers[2] == (length or far_side.call(curl, option, f"https://twitter.com{path}")[2][2])


@pytest.mark.parametrize("option", ["--http1.1", "--http2"])
@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("count", [0, 3_000_000])
def test_upload_is_counted_and_digested(far_side, option, method, count):
    body = (BLOCK * 12)[:count]
    arguments = [option, "-X", method, "--data-binary", "@-", "https://twitter.com/upload"]
    _, page, numbers, _ = far_side.call(curl, *arguments, body=body)
    assert numbers[1] == "200"
    assert json.loads(page) == {"bytes": count, "sha256": hashlib.sha256(body).hexdigest()}


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["http://twitter.com/none"], "404"),
        (["http://twitter.com/bytes"], "404"),
        (["http://twitter.com/upload"], "405"),
        (["-X", "DELETE", "http://twitter.com/"], "405"),
        (["--data-binary", "@-", "http://twitter.com/none"], "404"),
        (["--data-binary", "@-", "https://twitter.com/none"], "404"),
    ],
)
def test_other_paths_and_methods(far_side, arguments, status):
    """A body that the page does not need is read all the same: 1 MB is more than any buffer on the way."""
    code, _, numbers, stderr = far_side.call(curl, *arguments, body=bytes(1_000_000))
    assert (code, numbers[1]) == (0, status), stderr


def test_headers_of_64_kilobytes_and_keep_alive(far_side):
    for option in ("--http1.1", "--http2"):
        padding = [argument for n in range(15) for argument in ("-H", f"X-Pad-{n}: {'a' * 4000}")]
        urls = ["-I", *["https://twitter.com/"] * 16]
        _, page, _, stderr = far_side.call(curl, option, *padding, "-v", *urls)
        assert (page.count(b"HTTP/"), page.count(b"HTTP/2 200") + page.count(b"HTTP/1.1 200")) == (16, 16)
        assert stderr.count("Re-using existing connection") == 15


def test_alt_svc_announces_http3(far_side):
    _, page, _, _ = far_side.call(curl, "-I", "https://twitter.com/")
    assert b'alt-svc: h3=":443"; ma=86400' in page


def certificate(vantage, address, name):
    context = ssl.create_default_context(cafile=vantage.root)
    context.check_hostname = False
    with (
        socket.create_connection((address, 443), timeout=10) as connection,
        context.wrap_socket(connection, server_hostname=name) as secured,
    ):
        return [value for _, value in secured.getpeercert()["subjectAltName"]]


@pytest.mark.parametrize("name", ["twitter.com", "www.twitter.com", "vk.com", "not.known", None])
def test_a_site_shows_its_own_certificate_whatever_the_name(far_side, name):
    assert far_side.call(certificate, TWITTER.ipv4, name) == list(TWITTER.names)
    assert far_side.call(certificate, VK.ipv6, name) == list(VK.names)


def wrong_name(vantage):
    return curl(vantage, "https://vk.com/", site=TWITTER)[0]


def test_a_client_that_verifies_refuses_another_sites_certificate(far_side):
    assert far_side.call(wrong_name) == 60


def openssl(vantage, name, *arguments):
    line = ["openssl", "s_client", "-connect", f"{TWITTER.ipv4}:443", "-servername", name, *arguments]
    line += ["-CAfile", str(vantage.root), "-verify_return_error", "-verify_hostname", name, "-brief"]
    done = subprocess.run(line, input=b"", capture_output=True, timeout=20)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("version", ["1_2", "1_3"])
def test_openssl_verifies(far_side, version):
    status, said = far_side.call(openssl, "twitter.com", f"-tls{version}")
    assert status == 0, said
    assert "Verification: OK" in said
    assert f"TLSv{version.replace('_', '.')}" in said


def records_of_tls13(vantage, address, port):
    """The types of the TLS records in a server's first answer to a ClientHello of TLS 1.3."""
    context = ssl.create_default_context(cafile=vantage.root)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    with socket.create_connection((address, port), timeout=10) as connection:
        connection.sendall(outgoing.read())
        stream = connection.makefile("rb")
        types = []
        for _ in range(3):
            header = stream.read(5)
            types.append(header[0])
            stream.read(int.from_bytes(header[3:], "big"))
    return types


@pytest.mark.parametrize(("address", "port"), [(TWITTER.ipv4, 443), ("8.8.8.8", 443), ("8.8.8.8", 853)])
def test_servers_send_change_cipher_spec_in_tls13(far_side, address, port):
    """As servers for browsers do (RFC 8446 D.4): ServerHello (22), ChangeCipherSpec (20), encrypted (23)."""
    assert far_side.call(records_of_tls13, address, port) == [22, 20, 23]


def test_openssl_refuses_another_name(far_side):
    assert far_side.call(openssl, "vk.com")[0] != 0


def by_httpx(vantage):
    context = ssl.create_default_context(cafile=vantage.root)
    transport = httpx.HTTPTransport(verify=context)
    with httpx.Client(transport=transport, trust_env=False) as client:
        url = f"https://{TWITTER.ipv4}/bytes/300000"
        extensions = {"sni_hostname": "twitter.com"}
        return client.get(url, headers={"Host": "twitter.com"}, extensions=extensions).content


def test_httpx(far_side):
    assert far_side.call(by_httpx) == (BLOCK * 2)[:300000]


def hundred(vantage):
    """How many of 100 connections, all open at once, get their page."""

    async def one(context, all_open):
        reader, writer = await asyncio.open_connection(
            TWITTER.ipv4, 443, ssl=context, server_hostname="twitter.com"
        )
        await all_open.wait()
        writer.write(b"GET /bytes/100000 HTTP/1.1\r\nHost: twitter.com\r\nConnection: close\r\n\r\n")
        page = await reader.read()
        writer.close()
        return page.endswith((BLOCK * 1)[:100000]) and page.startswith(b"HTTP/1.1 200")

    async def main():
        context = ssl.create_default_context(cafile=vantage.root)
        barrier = asyncio.Barrier(100)
        async with asyncio.timeout(60):
            return sum(await asyncio.gather(*(one(context, barrier) for _ in range(100))))

    return asyncio.run(main())


def test_a_hundred_connections_at_once(far_side):
    assert far_side.call(hundred) == 100


def junk(vantage):
    """What is no HTTP and no TLS gets an error or a closed connection, and the next client is served."""
    for port in (80, 443):
        with socket.create_connection((TWITTER.ipv4, port), timeout=10) as connection:
            connection.sendall(bytes(range(256)) * 8)
            connection.shutdown(socket.SHUT_WR)
            try:
                while connection.recv(4096):
                    pass
            except ConnectionError:
                continue
    return curl(vantage, "https://twitter.com/")[0]


def test_junk_does_not_stop_a_site(far_side):
    assert far_side.call(junk) == 0
