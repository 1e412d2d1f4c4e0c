"""The room's own packets are right, by the word of scapy, aioquic and of what the tools were seen to send."""

import hashlib

import pytest
from aioquic.buffer import Buffer
from aioquic.quic.crypto import CryptoPair
from aioquic.quic.packet import pull_quic_header
from scapy.layers.dns import DNS
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.tls.handshake import TLSClientHello
from scapy.layers.tls.record import TLS

from testbed.conformance.cases.models import ROWS
from testbed.conformance.packets import ACK, PSH, SYN, Ip, Tcp, echo, fragments, read, udp, with_ttl
from testbed.conformance.payloads import ECH, JA4, addresses, answer, chrome, hello, query
from testbed.conformance.quic import initial

ENDS = Ip("213.87.0.100", "104.244.42.1", ttl=63, ip_id=4711)
SHOWN = IP(src=ENDS.source, dst=ENDS.destination, ttl=63, id=4711)


@pytest.mark.parametrize("payload", [b"", b"odd", b"even" * 300])
def test_tcp_as_scapy_builds_it(payload: bytes) -> None:
    made = ENDS.around(6, Tcp(40000, 443, 7, 9, PSH | ACK).segment(ENDS, payload))
    theirs = SHOWN / TCP(sport=40000, dport=443, seq=7, ack=9, flags="PA", window=64240) / payload
    assert made == bytes(theirs)


def test_udp_and_icmp_as_scapy_builds_them() -> None:
    assert ENDS.around(17, udp(ENDS, 5, 53, b"abc")) == bytes(SHOWN / UDP(sport=5, dport=53) / b"abc")
    theirs = SHOWN / ICMP(type=8, id=77, seq=3) / (b"abcdefgh" * 4)
    assert ENDS.around(1, echo(3)) == bytes(theirs)


def test_reading_what_scapy_built() -> None:
    heard = read(bytes(SHOWN / TCP(sport=1, dport=2, seq=3, ack=4, flags="RA", window=5)) + b"padding")
    assert heard is not None
    assert (heard.sport, heard.dport, heard.seq, heard.ack, heard.window) == (1, 2, 3, 4, 5)
    assert heard.is_reset
    assert heard.checksums_valid
    assert (heard.ttl, heard.ip_id) == (63, 4711)


def test_a_wrong_checksum_is_wrong() -> None:
    wrong = ENDS.around(6, Tcp(1, 2, flags=SYN, wrong_sum=True).segment(ENDS, b"x"))
    again = IP(wrong)
    del again[TCP].chksum
    assert bytes(again) != wrong
    assert not read(wrong).checksums_valid


def test_a_router_s_packet_has_a_right_header() -> None:
    packet = ENDS.around(17, udp(ENDS, 5, 53, b"abc"))
    assert with_ttl(packet, 9) == bytes(
        SHOWN.__class__(src=SHOWN.src, dst=SHOWN.dst, ttl=9, id=4711) / IP(packet)[UDP]
    )


@pytest.mark.parametrize("pieces", [2, 3, 45, 46])
def test_fragments_are_the_packet_again(pieces: int) -> None:
    packet = ENDS.around(17, udp(ENDS, 5, 9000, bytes(range(256)) * 8)[: 8 * pieces * 4])
    views = [read(one) for one in fragments(packet, pieces)]
    assert len(views) == pieces
    assert all(view.fragment for view in views)
    assert b"".join(view.payload for view in views) == packet[20:]


def test_the_clienthello_is_one() -> None:
    parsed = TLS(hello("x.com", after=ECH))
    greeting = parsed.msg[0]
    assert isinstance(greeting, TLSClientHello)
    assert [bytes(e.servernames[0].servername) for e in greeting.ext if e.type == 0] == [b"x.com"]
    assert 0xFE0D in [e.type for e in greeting.ext]


def test_chrome_has_the_fingerprint() -> None:
    greeting = TLS(chrome(key_share=32)).msg[0]
    grease = {0x0A0A + 0x1010 * step for step in range(16)}
    ciphers = sorted(f"{one:04x}" for one in greeting.ciphers if one not in grease)
    kinds = [e.type for e in greeting.ext if e.type not in grease]
    signatures = next(e for e in greeting.ext if e.type == 13).sig_algs
    listed = ",".join(sorted(f"{one:04x}" for one in kinds if one not in (0, 16)))
    signed = ",".join(f"{one:04x}" for one in signatures)

    def digest(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    own = f"t13d{len(ciphers)}{len(kinds)}h2_{digest(','.join(ciphers))}_{digest(f'{listed}_{signed}')}"
    assert own == JA4


@pytest.mark.parametrize("layout", ["ngtcp2", "chromium"])
def test_the_initial_can_be_decrypted_by_a_server(layout: str) -> None:
    datagram = initial("x.com", layout=layout)
    buffer = Buffer(data=datagram)
    head = pull_quic_header(buffer, host_cid_length=8)
    pair = CryptoPair()
    pair.setup_initial(head.destination_cid, is_client=False, version=1)
    _, plain, number = pair.decrypt_packet(datagram, buffer.tell(), 0)
    assert (len(datagram), number) == (1200, 0)
    assert b"x.com" in plain or layout == "chromium"


def test_dns_messages_are_read_by_scapy() -> None:
    assert DNS(query("x.com")).qd[0].qname == b"x.com."
    assert DNS(answer("x.com")).an[0].rdata == "104.244.42.1"
    assert addresses(answer("x.com")) == (0, ["104.244.42.1"])


@pytest.mark.parametrize(
    ("row", "sizes"),
    [
        ("plain", [517]),
        ("byedpi-split", [154, 363]),
        ("byedpi-records", [522]),
        ("byedpi-fake-md5", [516, 1, 516]),
        ("nfqws-fake-ttl", [680, 517]),
        ("dpyproxy-records", [642]),
        ("dpyproxy-segments", [20] * 25 + [17]),
        ("chrome", [1448, range(262, 384)]),
        ("firefox", [1448, range(361, 458)]),
    ],
)
def test_traces_have_the_sizes_that_were_seen(row: str, sizes: list) -> None:
    trace = ROWS[row][1]()
    assert len(trace) == len(sizes)
    for step, size in zip(trace, sizes, strict=True):
        assert len(step.payload) in (size if isinstance(size, range) else [size])
