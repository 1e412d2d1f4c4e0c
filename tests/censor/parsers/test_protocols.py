"""Protocols by their wire form, on messages of real programs."""

import random
from dataclasses import replace

import pytest
from scapy.contrib.ikev2 import IKEv2
from scapy.layers.l2tp import L2TP
from scapy.packet import Raw

from testbed.censor.parsers import MORE, NOT, PROTOCOLS, Protocol, Transport, Unread
from testbed.censor.parsers.dns import Question, question
from testbed.censor.parsers.encrypted import recognise as by_bytes_alone
from testbed.censor.parsers.message import Message
from testbed.censor.parsers.registry import opening, recognise, transports
from testbed.censor.parsers.tls import _MAX_RECORD, looks_like_tls
from tests.censor.line import hello
from tests.censor.parsers import real

STUN = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
IKE_INIT = bytes(IKEv2(init_SPI=b"spi-of-i", next_payload=33, exch_type=34, flags=8) / Raw(bytes(180)))
IKE_ANSWER = bytes(
    IKEv2(init_SPI=b"spi-of-i", resp_SPI=b"spi-of-r", exch_type=34, flags=0x20) / Raw(bytes(180))
)
IKE_AUTH = bytes(
    IKEv2(init_SPI=b"spi-of-i", resp_SPI=b"spi-of-r", exch_type=35, flags=8, id=1) / Raw(bytes(90))
)
ESP = b"\xc0\xff\xee\x01\0\0\0\x01" + b"\x9d" * 60
L2TP_REQUEST = bytes.fromhex("c8020014 0000 0000 0000 0000 8008 0000 0000 0001")
L2TP_REPLY = bytes.fromhex("c8020014 0007 0000 0000 0001 8008 0000 0000 0002")
L2TP_ACK = bytes.fromhex("c802000c 0007 0000 0001 0001")
L2TP_DATA = bytes(L2TP(hdr=[], tunnel_id=7, session_id=9, version=2) / Raw(b"\xff\x03\0\x21" + bytes(40)))

SAMPLES: dict[str, tuple[Protocol, Transport, bytes, str]] = {
    "WireGuard initiation": ("wireguard", "udp", real.WG_INITIATION, "initiation"),
    "WireGuard response": ("wireguard", "udp", real.WG_RESPONSE, "response"),
    "WireGuard data": ("wireguard", "udp", real.WG_DATA, "data"),
    "WireGuard keep-alive": ("wireguard", "udp", real.WG_DATA[:32], "data"),
    "WireGuard cookie reply": ("wireguard", "udp", b"\x03\0\0\0" + bytes(60), "control"),
    "OpenVPN client": ("openvpn", "udp", real.OVPN_CLIENT_RESET, "initiation"),
    "OpenVPN client, tls-auth": ("openvpn", "udp", real.OVPN_AUTH_RESET, "initiation"),
    "OpenVPN client, tls-crypt": ("openvpn", "udp", real.OVPN_CRYPT_RESET, "initiation"),
    "OpenVPN client, tls-crypt-v2": ("openvpn", "udp", real.OVPN_V2_RESET, "initiation"),
    "OpenVPN server": ("openvpn", "udp", real.OVPN_SERVER_RESET, "response"),
    "OpenVPN server, tls-crypt": ("openvpn", "udp", real.OVPN_CRYPT_SERVER_RESET, "response"),
    "OpenVPN acknowledgement": ("openvpn", "udp", real.OVPN_ACK, "control"),
    "OpenVPN data": ("openvpn", "udp", real.OVPN_DATA, "data"),
    "OpenVPN over TCP, client": ("openvpn", "tcp", real.OVPN_TCP_CLIENT_RESET, "initiation"),
    "OpenVPN over TCP, server": ("openvpn", "tcp", real.OVPN_TCP_SERVER_RESET, "response"),
    "OpenVPN over TCP, acknowledgement": ("openvpn", "tcp", real.OVPN_TCP_ACK, "control"),
    "OpenVPN over TCP, data": ("openvpn", "tcp", real.OVPN_TCP_DATA, "data"),
    "DTLS hello": ("dtls", "udp", real.DTLS_HELLO, "initiation"),
    "DTLS hello with cookie": ("dtls", "udp", real.DTLS_HELLO_COOKIE, "initiation"),
    "DTLS verify": ("dtls", "udp", real.DTLS_VERIFY, "response"),
    "DTLS server": ("dtls", "udp", real.DTLS_SERVER_HELLO, "response"),
    "DTLS data": ("dtls", "udp", real.DTLS_DATA, "data"),
    "DTLS hello with groups": ("dtls-groups", "udp", real.DTLS_HELLO, "initiation"),
    "IKEv2 initiator": ("ikev2", "udp", IKE_INIT, "initiation"),
    "IKEv2 initiator, port 4500": ("ikev2", "udp", bytes(4) + IKE_INIT, "initiation"),
    "IKEv2 responder": ("ikev2", "udp", IKE_ANSWER, "response"),
    "IKEv2 authentication": ("ikev2", "udp", bytes(4) + IKE_AUTH, "control"),
    "ESP": ("ikev2", "udp", ESP, "data"),
    "L2TP request": ("l2tp", "udp", L2TP_REQUEST, "initiation"),
    "L2TP reply": ("l2tp", "udp", L2TP_REPLY, "response"),
    "L2TP acknowledgement": ("l2tp", "udp", L2TP_ACK, "control"),
    "L2TP data": ("l2tp", "udp", L2TP_DATA, "data"),
    "DTLS 1.3 handshake, encrypted": ("dtls", "udp", b"\x2e\0\0\0\x20" + b"\x9d" * 32, "control"),
    "DTLS 1.3 data": ("dtls", "udp", b"\x2f\0\1\0\x20" + b"\x9d" * 32, "data"),
    "DTLS 1.3 data, short": ("dtls", "udp", b"\x23\1" + b"\x9d" * 17, "data"),
    "SSH": ("ssh", "tcp", b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u6\r\n", "initiation"),
    "TLS": ("tls", "tcp", hello("x.com"), "initiation"),
    "TLS change of cipher": ("tls", "tcp", b"\x14\x03\x03\0\x01\x01", "control"),
    "TLS data": ("tls", "tcp", b"\x17\x03\x03\0\x01\x01", "data"),
    "QUIC": ("quic", "udp", real.read("chrome146-h3")[0], "initiation"),
    "HTTP": ("http", "tcp", b"GET / HTTP/1.1\r\nHost: x.com\r\n\r\n", "initiation"),
    "HTTP answer": ("http", "tcp", b"HTTP/1.1 200 OK\r\n", "response"),
    "SOCKS": ("socks", "tcp", b"\x05\x01\x00", "initiation"),
    "STUN (RFC 5769 §2.1)": ("stun", "udp", STUN, "initiation"),
    "STUN over TCP": ("stun", "tcp", STUN, "initiation"),
    "Discord's address query": (
        "discord",
        "udp",
        b"\0\1\0\x46" + b"\x1c\x2d\0\x07" + bytes(66),
        "initiation",
    ),
    "random bytes": ("encrypted", "tcp", b"\x80" + random.Random(4).randbytes(299), "data"),
}


@pytest.mark.parametrize("case", SAMPLES)
def test_recognised(case: str) -> None:
    protocol, transport, payload, kind = SAMPLES[case]
    found = recognise(protocol, payload, transport)
    assert isinstance(found, Message)
    assert found.kind == kind


@pytest.mark.parametrize(
    "case", [case for case in SAMPLES if case not in ("WireGuard keep-alive", "random bytes")]
)
def test_not_taken_for_another(case: str) -> None:
    protocol, transport, payload, _ = SAMPLES[case]
    same = {"dtls": {"dtls-groups"}, "dtls-groups": {"dtls"}}
    own = recognise(protocol, payload, transport)
    weak = {"encrypted"} if isinstance(own, Message) and own.weak else set()  # as they may be anything
    for other in set(PROTOCOLS) - {protocol} - same.get(protocol, set()) - weak:
        found = recognise(other, payload, transport)
        assert not isinstance(found, Message) or found.weak, other


@pytest.mark.parametrize(
    "case", [case for case in SAMPLES if case not in ("random bytes", "WireGuard keep-alive")]
)
def test_a_cut_message_is_not_yet_one(case: str) -> None:
    protocol, transport, payload, _ = SAMPLES[case]
    assert recognise(protocol, b"", transport) is MORE
    assert recognise(protocol, payload[:1], transport) is not NOT
    if protocol in ("wireguard", "dtls", "ssh", "quic", "dtls-groups", "discord"):
        shortest = 31 if case == "WireGuard data" else 20 if protocol == "quic" else len(payload) - 1
        end = shortest if case != "DTLS server" else 80
        assert all(recognise(protocol, payload[:cut], transport) is MORE for cut in range(end))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_only_on_the_transports_it_has(protocol: Protocol) -> None:
    sample = next(payload for name, _, payload, _ in SAMPLES.values() if name == protocol)
    for transport in ("tcp", "udp"):
        assert (recognise(protocol, sample, transport) is NOT) or transport in transports(protocol)
    assert transports(protocol)


NEAR_MISSES: dict[str, tuple[Protocol, Transport, bytes]] = {
    "STUN, another cookie": ("stun", "udp", STUN[:4] + b"\x21\x12\xa4\x43" + STUN[8:]),
    "STUN, a byte longer": ("stun", "udp", STUN + b"\0"),
    "Discord, an address in the query": ("discord", "udp", b"\0\1\0\x46" + b"\1" * 70),
    "WireGuard, a reserved byte set": ("wireguard", "udp", b"\x01\0\x01\0" + real.WG_INITIATION[4:]),
    "WireGuard, a byte longer": ("wireguard", "udp", real.WG_INITIATION + b"\0"),
    "WireGuard, type 5": ("wireguard", "udp", b"\x05" + real.WG_INITIATION[1:]),
    "OpenVPN, opcode 1": ("openvpn", "udp", b"\x08" + real.OVPN_CLIENT_RESET[1:]),
    "OpenVPN, reset with a key": ("openvpn", "udp", b"\x39" + real.OVPN_CLIENT_RESET[1:]),
    "OpenVPN, first packet not 0": ("openvpn", "udp", real.OVPN_CLIENT_RESET[:-1] + b"\x01"),
    "OpenVPN, acknowledges already": ("openvpn", "udp", real.OVPN_CLIENT_RESET[:9] + b"\x01" + bytes(4)),
    "OpenVPN, tls-auth, first packet not 0": ("openvpn", "udp", real.OVPN_AUTH_RESET[:-1] + b"\x01"),
    "OpenVPN, tls-crypt, a late counter": (
        "openvpn",
        "udp",
        real.OVPN_CRYPT_RESET[:9] + b"\1" + real.OVPN_CRYPT_RESET[10:],
    ),
    "OpenVPN, tls-crypt-v2 without its key": ("openvpn", "udp", real.OVPN_V2_RESET[:54]),
    "OpenVPN, reset too long": ("openvpn", "udp", real.OVPN_CLIENT_RESET + bytes(1300)),
    "OpenVPN over TCP, length 0": ("openvpn", "tcp", b"\0\0" + real.OVPN_CLIENT_RESET),
    "OpenVPN over TCP, length too short": ("openvpn", "tcp", b"\0\x05" + real.OVPN_CLIENT_RESET),
    "DTLS 1.1": ("dtls", "udp", b"\x16\xfe\xfe" + real.DTLS_HELLO[3:]),
    "DTLS, empty record": ("dtls", "udp", real.DTLS_HELLO[:11] + b"\0\0"),
    "DTLS, fragment beyond the message": (
        "dtls",
        "udp",
        real.DTLS_HELLO[:14] + b"\0\0\x05" + real.DTLS_HELLO[17:],
    ),
    "IKEv1": ("ikev2", "udp", bytes(4) + IKE_INIT[:17] + b"\x10" + IKE_INIT[18:]),
    "IKEv2, no initiator": ("ikev2", "udp", bytes(12) + IKE_INIT[8:]),
    "IKEv2, another exchange": ("ikev2", "udp", bytes(4) + IKE_INIT[:18] + b"\x32" + IKE_INIT[19:]),
    "IKEv2, a byte longer": ("ikev2", "udp", bytes(4) + IKE_INIT + b"\0"),
    "L2TPv3": ("l2tp", "udp", b"\xc8\x03" + L2TP_REQUEST[2:]),
    "L2TP, request for a tunnel that is there": ("l2tp", "udp", L2TP_REQUEST[:5] + b"\7" + L2TP_REQUEST[6:]),
    "L2TP, another attribute first": ("l2tp", "udp", L2TP_REQUEST[:17] + b"\1" + L2TP_REQUEST[18:]),
    "SSH 3": ("ssh", "tcp", b"SSH-3.0-x\r\n"),
    "SSH, a line without an end": ("ssh", "tcp", b"SSH-2.0-" + b"x" * 400),
    "QUIC, no fixed bit": ("quic", "udp", b"\x80" + real.read("chrome146-h3")[0][1:]),
    "QUIC, short header": ("quic", "udp", b"\x40" + bytes(1199)),
    "QUIC, unknown version": ("quic", "udp", b"\xc0\xde\xad\xbe\xef\x08" + bytes(1194)),
    "DTLS without groups": ("dtls-groups", "udp", real.DTLS_VERIFY),
}


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_near_misses(case: str) -> None:
    protocol, transport, payload = NEAR_MISSES[case]
    assert recognise(protocol, payload, transport) is NOT


def test_dtls_details() -> None:
    first, second = (recognise("dtls", each, "udp") for each in (real.DTLS_HELLO, real.DTLS_HELLO_COOKIE))
    assert isinstance(first, Message)
    assert isinstance(second, Message)
    assert (first.cookie, second.cookie) == (False, True)
    assert first.groups
    assert second.groups
    assert first.hello is not None
    assert first.hello.server_name == "stun.example"
    assert second.hello == first.hello


def test_supported_groups_of_a_dtls_server() -> None:
    plain = real.DTLS_SERVER_HELLO[: 13 + int.from_bytes(real.DTLS_SERVER_HELLO[11:13], "big")]
    found = recognise("dtls", plain, "udp")
    assert found == Message("response")
    extension = b"\0\x0a\0\x04\0\x02\0\x1d"
    at = 13 + 12 + 35 + plain[13 + 12 + 34] + 3
    length = int.from_bytes(plain[at : at + 2], "big") + len(extension)
    body = plain[25:at] + length.to_bytes(2, "big") + plain[at + 2 :] + extension
    size = len(body).to_bytes(3, "big")
    message = plain[13:14] + size + plain[17:22] + size + body
    snowflake = plain[:11] + len(message).to_bytes(2, "big") + message
    assert recognise("dtls", snowflake, "udp") == replace(found, groups=True)
    assert recognise("dtls-groups", snowflake, "udp") == replace(found, groups=True)


def test_what_tells_a_flow_of_which_nothing_is_known() -> None:
    """Of random datagrams one byte makes OpenVPN's later packets; its first packet takes more."""
    rng = random.Random(8)
    packets = [rng.randbytes(rng.randrange(30, 1200)) for _ in range(2000)]
    packets += [rng.randbytes(2) + b"\1\0\0\1" + bytes(6) + b"\7example\3com\0\0\1\0\1" for _ in range(2000)]
    for protocol in ("openvpn", "wireguard", "ikev2", "l2tp", "dtls", "quic"):
        assert not any(isinstance(opening(protocol, each, "udp"), Message) for each in packets), protocol
    assert sum(isinstance(recognise("openvpn", each, "udp"), Message) for each in packets) > 400
    for protocol, transport, payload, _ in SAMPLES.values():
        found = recognise(protocol, payload, transport)
        assert isinstance(found, Message)
        assert isinstance(opening(protocol, payload, transport), Message) is not found.weak


def tunnel_query() -> bytes:
    """A DNS query as iodine sends it with base128: labels of letters and of bytes above 0x7f."""
    alphabet = bytes(range(0x61, 0x7B)) + bytes(range(0xBC, 0xFE))
    labels = bytes(alphabet[byte % len(alphabet)] for byte in random.Random(5).randbytes(180))
    name = b"".join(b"\x3c" + labels[at : at + 60] for at in range(0, 180, 60)) + b"\x01t\0"
    return b"\x9e\x61\x01\0\0\x01\0\0\0\0\0\0" + name + b"\0\x0a\0\x01"


@pytest.mark.parametrize(
    ("payload", "transport"),
    [
        (real.read("chrome146-h3")[0], "udp"),
        (tunnel_query(), "udp"),
        (len(tunnel_query()).to_bytes(2, "big") + tunnel_query(), "tcp"),
        (real.WG_INITIATION, "udp"),
    ],
)
def test_what_another_parser_knows_is_not_encrypted(payload: bytes, transport: Transport) -> None:
    assert by_bytes_alone(payload) == Message("data"), "the published test takes it"
    assert recognise("encrypted", payload, transport) is NOT


def test_the_twin_with_one_byte_changed_is_encrypted() -> None:
    initial = real.read("chrome146-h3")[0]
    assert recognise("encrypted", initial[:1] + b"\x81" + initial[2:], "udp") == Message("data")


@pytest.mark.parametrize(
    ("flags", "responder", "kind"),
    [
        (0x08, bytes(8), "initiation"),
        (0x20, b"spi-of-r", "response"),
        (0x28, b"spi-of-r", "response"),
        (0x08, b"spi-of-r", "control"),
        (0x08, b"\0pi-of-r", "control"),
        (0x00, bytes(8), "control"),
    ],
)
def test_the_first_messages_of_ikev2(flags: int, responder: bytes, kind: str) -> None:
    message = IKEv2(init_SPI=b"spi-of-i", resp_SPI=responder, exch_type=34, flags=flags) / Raw(bytes(180))
    assert recognise("ikev2", bytes(message), "udp") == Message(kind)


def test_number_0_of_another_exchange_opens_nothing() -> None:
    """The responder's own first request has number 0 as well (RFC 7296 2.2)."""
    ends = {"init_SPI": b"spi-of-i", "resp_SPI": b"spi-of-r"}
    answer = bytes(IKEv2(**ends, exch_type=37, flags=0x28, id=0) / Raw(bytes(60)))
    assert recognise("ikev2", bytes(4) + answer, "udp") == Message("control")


@pytest.mark.parametrize("digest", [16, 20, 28, 32, 48, 64])
def test_openvpn_with_every_digest_of_tls_auth(digest: int) -> None:
    packet = real.OVPN_CLIENT_RESET[:9] + b"\xa5" * digest + b"\0\0\0\1bcde" + bytes(5)
    assert recognise("openvpn", packet, "udp") == Message("initiation")
    assert recognise("openvpn", packet[:9] + b"\xa5" + packet[9:], "udp") is NOT


def test_openvpn_by_its_opcode() -> None:
    packets = [bytes([opcode << 3]) + real.OVPN_DATA[1:] for opcode in (2, 3, 4, 5, 6, 9, 11, 12)]
    kinds = [getattr(recognise("openvpn", each, "udp"), "kind", None) for each in packets]
    assert kinds == [None, "control", "control", "control", "data", "data", "control", None]


def test_an_acknowledgement_of_openvpn_has_22_bytes() -> None:
    assert recognise("openvpn", real.OVPN_ACK[:21], "udp") is MORE
    assert isinstance(recognise("openvpn", real.OVPN_ACK[:22], "udp"), Message)


def _server_with(extension: bytes, wrong: int = 0, *, cut: int = 0) -> Message | Unread:
    """The DTLS server's hello with one more extension and a wrong length of all, or cut."""
    plain = real.DTLS_SERVER_HELLO[: 13 + int.from_bytes(real.DTLS_SERVER_HELLO[11:13], "big")]
    at = 13 + 12 + 35 + plain[13 + 12 + 34] + 3
    length = int.from_bytes(plain[at : at + 2], "big") + len(extension) + wrong
    body = plain[25:at] + length.to_bytes(2, "big") + plain[at + 2 :] + extension
    if cut:
        body = plain[25 : at - cut + 1]
    size = len(body).to_bytes(3, "big")
    message = plain[13:14] + size + plain[17:22] + size + body
    return recognise("dtls", plain[:11] + len(message).to_bytes(2, "big") + message, "udp")


def test_a_dtls_server_with_lengths_that_do_not_fit_shows_no_groups() -> None:
    groups = b"\0\x0a\0\x04\0\x02\0\x1d"
    assert _server_with(groups) == Message("response", groups=True)
    for wrong in (-1, 1, 9):
        assert _server_with(groups, wrong) == Message("response")
    assert _server_with(b"\0\x0a\0\x05\0\x02\0\x1d") == Message("response"), "longer than what is there"
    for cut in (1, 6, 30):  # no extensions at all; no suite; within the random number
        assert _server_with(b"", cut=cut) == Message("response")


@pytest.mark.parametrize(("length", "whole"), [(16, True), (32, True), (33, False), (0x120, False)])
def test_the_length_of_an_encrypted_record_of_dtls_13(length: int, whole: bool) -> None:
    found = recognise("dtls", b"\x2e\0\0" + length.to_bytes(2, "big") + b"\x9d" * 32, "udp")
    assert (found is not MORE) is whole


@pytest.mark.parametrize(("size", "whole"), [(15, False), (16, True)])
def test_an_encrypted_record_of_dtls_13_has_a_tag_at_least(size: int, whole: bool) -> None:
    assert (recognise("dtls", b"\x23\1" + b"\x9d" * size, "udp") is not MORE) is whole


@pytest.mark.parametrize(
    ("flags", "least"), [(0x0002, 6), (0x4002, 8), (0x0802, 10), (0x0202, 8), (0x4A02, 14)]
)
def test_l2tp_data_behind_each_header(flags: int, least: int) -> None:
    data = flags.to_bytes(2, "big") + bytes(30)
    assert recognise("l2tp", data[:least], "udp") is MORE
    assert recognise("l2tp", data[: least + 1], "udp").kind == "data"


def test_the_classes_of_stun() -> None:
    packets = [bytes(kind) + STUN[2:] for kind in ((0, 1), (0, 0x11), (1, 1), (1, 0x11))]
    kinds = [recognise("stun", each, "udp").kind for each in packets]
    assert kinds == ["initiation", "data", "response", "response"]


def _query(*labels: bytes) -> bytes:
    name = b"".join(bytes([len(one)]) + one for one in labels)
    return b"\0\1\1\0\0\1" + bytes(6) + name + b"\0\0\1\0\1"


def test_a_dns_name_has_253_bytes_and_a_label_63() -> None:
    long = b"a" * 63
    assert question(_query(long, long, long, b"a" * 61)) == Question(f"{'a' * 63}." * 3 + "a" * 61, 1)
    assert question(_query(long, long, long, b"a" * 62)) is NOT
    assert question(_query(*[b"a"] * 127)) == Question(".".join("a" * 127), 1)
    assert question(_query(*[b"a"] * 128)) is NOT
    assert question(_query(b"a" * 64)) is NOT


def test_the_beginning_of_a_tls_record() -> None:
    def begins(length: int) -> bool:
        return looks_like_tls(b"\x16\x03\x01" + length.to_bytes(2, "big"))

    assert [begins(length) for length in (0, 1, _MAX_RECORD, _MAX_RECORD + 1)] == [False, True, True, False]
    assert not looks_like_tls(b"\x16\x03\x01\x00")
