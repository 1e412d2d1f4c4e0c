"""What is tried in the pure matrix: a client's form, and what is done to its packets."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal

from testbed.errors import InputError, nearest
from testbed.evade.strategy import EvadePlan, parse_plan
from testbed.shapes.hellobytes import X25519, hello_of, outer_ech, padded, record, server_name, shares
from testbed.shapes.initials import crypto, initial_packet
from testbed.shapes.known import SHAPES
from testbed.shapes.opensslclient import openssl_client

BLOCKED_NAME: Final = "www.blocked.example"
FREE_NAME: Final = "public.example"
CALLS_PORT: Final = 3478  # STUN's and TURN's (RFC 8489 section 18.6, RFC 8656)
LineKind = Literal["tls", "http", "quic", "voice"]

NO_PLAN: Final = EvadePlan()


@dataclass(frozen=True, slots=True)
class Contender:
    """A row. For TCP `first` is what the client sends; over UDP `datagrams` are."""

    name: str
    kind: LineKind
    first: bytes = b""
    plan: EvadePlan = NO_PLAN
    datagrams: tuple[bytes, ...] = ()
    ignored: int = 0  # so many of the datagrams are not the client's: the server has to ignore them
    stands_for: str = ""  # the tool and options whose packets these are
    varies: bool = False  # the client's connections differ
    client: str = ""  # whose first bytes they are
    directly: str = ""  # how the connection is written that must be blocked where a cell is to say something


def first_bytes(client: str, number: int = 0, name: str = BLOCKED_NAME) -> bytes:
    """What a client sends first over TCP: a shape of `testbed.shapes`, or one of `_MADE`."""
    if client in _MADE:
        return _MADE[client](name)
    made = SHAPES[client].hello if client in SHAPES else None
    if made is None:
        known = [*_MADE, *(key for key, shape in SHAPES.items() if shape.hello)]
        raise InputError.at("strategy", f"no client {client!r} speaks over TCP", nearest(client, known))
    return made(name, number)


def contender(
    text: str, name: str = "", stands_for: str = "", number: int = 0, host: str = BLOCKED_NAME
) -> Contender:
    """The row that is written CLIENT STRATEGY…: "openssl segments:name disorder", "chrome", "quic:decoy".

    Without a client it is openssl. `number`: of the connection, for a client whose connections differ;
    `host`: whose name it says. InputError for what cannot be.
    """
    place = "strategy"
    words = text.split()
    title = name or text or "plain"
    if words and words[0].partition(":")[0] in ("quic", "voice"):
        over, _, how = words.pop(0).partition(":")
        if words:
            remedy = f"write {over!r} or '{over}:decoy' alone"
            raise InputError.at(place, f"{words[0]!r} is for TCP", remedy)
        if over == "quic":
            return replace(_quic(how, title, stands_for, host), directly="quic")
        return _voice(how, title, stands_for)
    client = words.pop(0) if words and (words[0] in SHAPES or words[0] in _MADE) else "openssl"
    plan = parse_plan(words, place)
    varies = client in SHAPES and SHAPES[client].varies
    kind: LineKind = "http" if client == "http" else "tls"
    first = first_bytes(client, number, host)
    made = Contender(title, kind, first, plan, stands_for=stands_for, varies=varies, client=client)
    return replace(made, directly=_COMPARED.get(client, ""))


def _quic(how: str, title: str, stands_for: str, host: str) -> Contender:
    flight = SHAPES["chrome-2022"].flight  # every era's boxes read it
    assert flight is not None
    whole = flight(host, 0)
    if not how:
        return Contender(title, "quic", datagrams=whole, stands_for=stands_for)
    if how == "decoy":
        decoy = bytes(range(16))
        return Contender(title, "quic", datagrams=(decoy, *whole), ignored=1, stands_for=stands_for)
    if how == "fake":
        fake = flight(FREE_NAME, 0)
        return Contender(title, "quic", datagrams=(*fake, *whole), ignored=len(fake), stands_for=stands_for)
    if how == "split":
        return Contender(title, "quic", datagrams=_split_initial(host), stands_for=stands_for)
    raise InputError.at(
        "strategy", f"'quic:{how}' is no form", "write quic, quic:decoy, quic:fake or quic:split"
    )


def _voice(how: str, title: str, stands_for: str) -> Contender:
    if how not in VOICE_FORMS:
        forms = ", ".join(f"voice:{form}" for form in VOICE_FORMS if form)
        raise InputError.at("strategy", f"'voice:{how}' is no form", f"write voice, {forms}")
    first, ignored = VOICE_FORMS[how]
    directly = "voice:discord" if "discord" in how else "voice"
    return Contender(
        title, "voice", datagrams=first, ignored=ignored, stands_for=stands_for, directly=directly
    )


def _split_initial(host: str) -> tuple[bytes, ...]:
    message = first_bytes("openssl", 0, host)[5:]
    at = message.index(host.encode()) + 4
    pieces = ((message[:at], 0), (message[at:], at))
    return tuple(initial_packet(crypto(data, begin), number=n) for n, (data, begin) in enumerate(pieces))


def _padded(name: str) -> bytes:
    return record(padded([server_name(name), shares((X25519, 32))], _CIPHERS, 2000))


def _ech(_: str) -> bytes:
    """The outer ClientHello has a public name; the blocked one is encrypted (RFC 9849, as drafts had it)."""
    return record(hello_of([server_name(FREE_NAME), shares((X25519, 32)), outer_ech(176)], _CIPHERS))


def _ech_off(name: str) -> bytes:
    """The same client in the open."""
    return record(hello_of([server_name(name), shares((X25519, 32))], _CIPHERS))


def _http(name: str) -> bytes:
    return f"GET / HTTP/1.1\r\nHost: {name}\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n".encode()


def _openssl_of(version: ssl.TLSVersion, name: str) -> bytes:
    """What this Python's OpenSSL sends if it speaks that version of TLS alone."""
    context = openssl_client(None, "http/1.1")
    context.minimum_version = context.maximum_version = version
    out = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return out.read()
    raise AssertionError("a handshake without a server")


_STUN: Final = bytes.fromhex("00010000 2112a442".replace(" ", "")) + bytes(range(12))  # Binding request
_DISCORD: Final = b"\0\1\0\x46" + bytes(70)  # the query for one's own address
VOICE_FORMS: Final[dict[str, tuple[tuple[bytes, ...], int]]] = {
    "": ((_STUN,), 0),
    "discord": ((_DISCORD,), 0),
    "decoy": ((bytes(range(1, 41)), _STUN), 1),
    "discord-decoy": ((bytes(range(1, 41)), _DISCORD), 1),
}
"""How a call begins: its first datagrams, and how many of them are not the client's."""
_COMPARED: Final = {"http": "http", "ech": "ech-off", "ech-off": "ech-off"}
"""Client -> the one whose direct connection must be blocked; others are compared with this Python's TLS."""
_CIPHERS: Final = (0x1301, 0x1302, 0x1303)
_MADE: Final[dict[str, Callable[[str], bytes]]] = {
    "padded": _padded,
    "ech": _ech,
    "ech-off": _ech_off,
    "http": _http,
    "tls12": partial(_openssl_of, ssl.TLSVersion.TLSv1_2),
    "tls13": partial(_openssl_of, ssl.TLSVersion.TLSv1_3),
}
