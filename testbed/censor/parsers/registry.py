"""The parsers by the names that rules give them (`protocol: wireguard`)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from testbed.censor.parsers import (
    MORE,
    NOT,
    Protocol,
    Transport,
    Unread,
    dns,
    dtls,
    encrypted,
    http,
    ikev2,
    l2tp,
    openvpn,
    socks,
    ssh,
    stun,
    tls,
    wireguard,
)
from testbed.censor.parsers.message import Message
from testbed.censor.parsers.quic_packet import LongHeader, long_header

Parser = Callable[[bytes], Message | Unread]


def recognise(protocol: Protocol, payload: bytes, transport: Transport) -> Message | Unread:
    """What the payload of one packet is in that protocol; NOT on a transport that it does not use."""
    parser = _PARSERS[protocol].get(transport)
    return NOT if parser is None else parser(payload)


def opening(protocol: Protocol, payload: bytes, transport: Transport) -> Message | Unread:
    """As `recognise`, for a packet of an unknown flow: NOT for messages identified by a few bits.

    One is OpenVPN's after a client's first packet, which would match every fifth random datagram.
    """
    found = recognise(protocol, payload, transport)
    return NOT if isinstance(found, Message) and found.weak else found


def transports(protocol: Protocol) -> tuple[Transport, ...]:
    """The transports on which a protocol is recognised."""
    return tuple(_PARSERS[protocol])


def _tls(payload: bytes) -> Message | Unread:
    hello = tls.client_hello(payload)
    if isinstance(hello, tls.ClientHello):
        return Message("initiation", hello)
    if tls.looks_like_tls(payload):
        return Message("data" if payload[0] == 23 else "control")
    return MORE if tls.may_become_tls(payload) else NOT


def _quic(payload: bytes) -> Message | Unread:
    """Long headers of the versions known; short ones look like anything."""
    header = long_header(payload)
    if not isinstance(header, LongHeader):
        return header
    if not header.known:
        return NOT
    return Message("initiation" if header.initial else "control")


def _http(payload: bytes) -> Message | Unread:
    if http.looks_like_http(payload):
        return Message("response" if payload.startswith(b"HTTP/") else "initiation")
    return MORE if http.may_become_http(payload) else NOT


def _socks(payload: bytes) -> Message | Unread:
    if socks.looks_like_socks(payload):
        return Message("initiation")
    return MORE if len(payload) < 3 and payload[:1] in (b"", b"\x04", b"\x05") else NOT


def _dtls_groups(payload: bytes) -> Message | Unread:
    """A ClientHello or ServerHello with supported_groups, as Snowflake's had (OONI-Tor)."""
    found = dtls.recognise(payload)
    return NOT if isinstance(found, Message) and not found.groups else found


def _encrypted_tcp(payload: bytes) -> Message | Unread:
    return _encrypted(payload, "tcp")


def _encrypted_udp(payload: bytes) -> Message | Unread:
    return _encrypted(payload, "udp")


def _encrypted(payload: bytes, transport: Transport) -> Message | Unread:
    """Traffic that is fully encrypted and nothing else that a box knows (our choice).

    The published test alone takes QUIC Initials, WireGuard's initiations and the queries of DNS tunnels, too.
    """
    found = encrypted.recognise(payload)
    return NOT if isinstance(found, Message) and _is_known(payload, transport) else found


def _is_known(payload: bytes, transport: Transport) -> bool:
    read_question = dns.question if transport == "udp" else dns.question_over_tcp
    if isinstance(read_question(payload), dns.Question):
        return True
    others = (protocol for protocol in _PARSERS if protocol != "encrypted")
    return any(isinstance(opening(protocol, payload, transport), Message) for protocol in others)


_PARSERS: Final[Mapping[Protocol, Mapping[Transport, Parser]]] = MappingProxyType(
    {
        "openvpn": {"udp": openvpn.recognise, "tcp": openvpn.recognise_tcp},
        "wireguard": {"udp": wireguard.recognise},
        "dtls": {"udp": dtls.recognise},
        "dtls-groups": {"udp": _dtls_groups},
        "ikev2": {"udp": ikev2.recognise},
        "l2tp": {"udp": l2tp.recognise},
        "ssh": {"tcp": ssh.recognise},
        "encrypted": {"tcp": _encrypted_tcp, "udp": _encrypted_udp},
        "tls": {"tcp": _tls},
        "quic": {"udp": _quic},
        "http": {"tcp": _http},
        "socks": {"tcp": _socks},
        "stun": {"udp": stun.recognise, "tcp": stun.recognise_tcp},
        "discord": {"udp": stun.recognise_discord},
    }
)
