"""Shapes against the real clients that are at hand, and against what was measured of the others."""

import ssl
from collections.abc import Iterator

import pytest
from aioquic.h3.connection import H3_ALPN
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from testbed.censor.parsers import NOT
from testbed.censor.parsers.quic import DEFAULT, LAYOUTS_2023, InitialReader
from testbed.censor.parsers.quic_packet import LongHeader, long_header
from testbed.censor.parsers.tls import ClientHello
from testbed.errors import InputError
from testbed.probe.connection import client_context
from testbed.shapes.known import SHAPES, shape_of

NAME = "twitter.com"
SEGMENT = 1448  # bytes of data in a segment of TCP with timestamps on an Ethernet path
WITH_TLS = [key for key, shape in SHAPES.items() if shape.hello]
WITH_QUIC = [key for key, shape in SHAPES.items() if shape.flight]


def hello(key: str, draw: int = 0) -> bytes:
    made = SHAPES[key].hello
    assert made
    return made(NAME, draw)


def flight(key: str, draw: int = 0) -> tuple[bytes, ...]:
    made = SHAPES[key].flight
    assert made
    return made(NAME, draw)


def ciphers(record: bytes) -> str:
    """Cipher suites of a ClientHello in a record, in hexadecimal."""
    at = 5 + 4 + 2 + 32
    at += 1 + record[at]
    size = int.from_bytes(record[at : at + 2], "big")
    return record[at + 2 : at + 2 + size].hex(" ", 2)


def extensions(record: bytes) -> list[tuple[int, int]]:
    """Kind and size of each extension of a ClientHello in a record."""
    at = 5 + 4 + 2 + 32
    at += 1 + record[at]
    at += 2 + int.from_bytes(record[at : at + 2], "big")
    at += 1 + record[at] + 2
    return list(_extensions(record, at))


def _extensions(record: bytes, at: int) -> Iterator[tuple[int, int]]:
    while at < len(record):
        size = int.from_bytes(record[at + 2 : at + 4], "big")
        yield int.from_bytes(record[at : at + 2], "big"), size
        at += 4 + size


def real_probe() -> bytes:
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(None).wrap_bio(received, sent, server_hostname=NAME)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return sent.read()


def test_the_probes_clienthello_is_the_real_one_but_for_its_random_bytes() -> None:
    ours, real = hello("probe"), real_probe()
    assert len(ours) == len(real) == 517
    assert ciphers(ours) == ciphers(real)  # also where Python leaves them to OpenSSL, as Debian's does
    assert extensions(ours) == extensions(real)


def test_the_probes_initial_has_the_form_of_the_real_one() -> None:
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=NAME)
    connection = QuicConnection(configuration=configuration)
    connection.connect(("192.0.2.1", 443), now=0.0)
    real = [datagram for datagram, _ in connection.datagrams_to_send(now=0.0)]
    assert [len(one) for one in real] == [len(one) for one in flight("probe")] == [1200]
    for datagram in (real[0], flight("probe")[0], flight("aioquic")[0]):
        header = long_header(datagram)
        assert isinstance(header, LongHeader)
        assert header.end < 700  # the packet ends, and zeros follow
        assert datagram[header.end :].strip(b"\0") == b""


def test_gos_clienthello_has_the_size_that_was_measured() -> None:
    assert len(hello("go")) == 1521
    assert extensions(hello("go"))[0][0] == 0


def test_chromes_name_is_in_the_first_segment_as_often_as_was_measured() -> None:
    """TRACES, of 107 connections: 50 in the first segment, 51 in the second, 6 across."""
    every = [hello("chrome", draw) for draw in range(400)]
    places = [record.index(NAME.encode()) for record in every]
    first = sum(at + len(NAME) <= SEGMENT for at in places) / len(places)
    assert 0.38 <= first <= 0.57  # Wilson's interval of 50 of 107
    assert 1700 <= min(map(len, every)) <= max(map(len, every)) <= 1840
    assert hello("chrome", 7) == hello("chrome", 7)


def test_firefoxs_name_is_at_the_front() -> None:
    assert 1809 <= len(hello("firefox")) <= 1905
    assert hello("firefox").index(NAME.encode()) < 130


@pytest.mark.parametrize("key", WITH_TLS)
def test_every_clienthello_is_one(key: str) -> None:
    from testbed.censor.parsers.tls import client_hello

    found = client_hello(hello(key))
    assert isinstance(found, ClientHello)
    assert found.server_name == NAME


@pytest.mark.parametrize("key", WITH_QUIC)
def test_every_flight_has_a_clienthello_and_is_long_enough(key: str) -> None:
    datagrams, reader = flight(key), InitialReader(DEFAULT)
    assert min(map(len, datagrams)) >= 1200
    found = [reader.feed(datagram) for datagram in datagrams][-1]
    assert isinstance(found, ClientHello)
    assert found.server_name == NAME


@pytest.mark.parametrize("key", ["aioquic", "quiche", "firefox"])
def test_padding_outside_the_packet_is_what_boxes_of_2023_do_not_read(key: str) -> None:
    assert InitialReader(LAYOUTS_2023).feed(flight(key)[0]) is NOT
    assert InitialReader(LAYOUTS_2023).feed(flight("chrome-2022")[0]) is not NOT


def test_a_shape_that_is_not_there() -> None:
    with pytest.raises(InputError, match="there is no client shape 'chrom'; did you mean 'chrome'"):
        shape_of("chrom")
