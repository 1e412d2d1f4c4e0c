"""ClientHellos: in one record and without records, and what fingerprints need of them."""

import pytest

from testbed.censor.parsers import MORE, NOT
from testbed.censor.parsers.tls import ClientHello, client_hello, hello_message
from tests.censor.line import hello
from tests.censor.parsers.real import read

(CHROME,) = read("chrome146-tls")
(EDGE,) = read("edge101-tls")


def record(content: bytes, kind: int = 22) -> bytes:
    return bytes([kind]) + b"\x03\x01" + len(content).to_bytes(2, "big") + content


def test_what_chrome_sends() -> None:
    found = client_hello(CHROME)
    assert isinstance(found, ClientHello)
    assert (found.server_name, found.ech, found.legacy_version) == ("example.com", True, 0x0303)
    assert found.alpn == b"h2"
    assert found.versions[1:] == (0x0304, 0x0303)
    assert found.signature_algorithms[:2] == (0x0403, 0x0804)
    assert found.groups[1:] == (0x11EC, 0x1D, 0x17, 0x18)  # X25519MLKEM768 first
    assert found.ciphers[1:4] == (0x1301, 0x1302, 0x1303)
    assert len(found.extensions) == 18  # 16 and two GREASE values


def test_without_extensions_nothing_is_read() -> None:
    body = b"\x03\x01" + bytes(32) + b"\0" + b"\0\x02\0\x2f" + b"\x01\0"
    found = client_hello(record(b"\x01" + len(body).to_bytes(3, "big") + body))
    assert found == ClientHello(None, legacy_version=0x0301, cipher_block=b"\0\x2f")
    assert (found.ciphers, found.extensions) == ((0x2F,), ())
    assert (found.versions, found.signature_algorithms, found.groups, found.alpn) == ((), (), (), b"")


@pytest.mark.parametrize("body", [b"", b"\0", b"\0\x05", b"\0\x05\x09h2", b"\0\x03\x02h", b"\x01" * 9])
@pytest.mark.parametrize("kind", [10, 13, 16, 43])
def test_odd_extension_bodies_read_as_far_as_they_go(kind: int, body: bytes) -> None:
    found = ClientHello(
        "x.com", extension_block=kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body
    )
    assert found.extensions == ((kind, body),)
    for numbers in (found.versions, found.groups, found.signature_algorithms):
        assert len(numbers) <= len(body) // 2
    assert len(found.alpn) <= len(body)


@pytest.mark.parametrize("payload", [CHROME, EDGE, hello("x.com"), hello(None)])
def test_the_same_without_the_record(payload: bytes) -> None:
    assert hello_message(payload[5:]) == client_hello(payload)
    assert hello_message(payload[5:] + b"\x14\0\0\x20") == client_hello(payload)
    for cut in range(len(payload) - 5):
        assert hello_message(payload[5 : 5 + cut]) is MORE
    assert hello_message(b"\x02" + payload[6:]) is NOT
    assert hello_message(b"\x01\xff\xff\xff") is NOT  # longer than anything worth waiting for
