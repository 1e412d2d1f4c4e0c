"""What an action answers to a few packets of every kind, before any run: mistakes are found by `check`.

A technique may be anybody's Python. In a core of its own it meets connections and datagrams, with the trigger
in the header, in the data or in a name, and later packets both ways. Whatever cannot be carried out raises
here, and not in the middle of a run.
"""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from testbed.censor.actions.base import AnyAction
from testbed.censor.core import Censor
from testbed.censor.decision import Direction
from testbed.censor.match import Match
from testbed.censor.names import NameList
from testbed.censor.packet import ACK, FIN, PSH, SYN
from testbed.censor.policy import Policy, Rule
from testbed.censor.profile import Profile
from testbed.censor.softkernel import SoftKernel
from testbed.censor.wire import Endpoints, IpForm, TcpForm, tcp, udp

UP, DOWN = Direction.UP, Direction.DOWN
_ENDS: Final = (("192.0.2.1", "198.51.100.1"), ("2001:db8::1", "2001:db8:1::1"))  # RFC 5737, RFC 3849
_ANY: Final = NameList(("*",))
_MATCHES: Final = (
    Match(),
    Match(data=True),
    Match(tls_sni=_ANY),
    Match(http_host=_ANY),
    Match(dns_qname=_ANY),
)
_QUERY: Final = bytes.fromhex("abcd01000001000000000000076578616d706c6503636f6d0000010001")  # A? example.com
_REQUEST: Final = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"
_LATER: Final = 40  # packets after the trigger, in turn from each end; our choice: more than any grace
_STEP: Final = 0.01  # s between packets


def rehearse(action: AnyAction, profile: Profile) -> None:
    """Raise what the action raises, or TechniqueError for a decision that cannot be carried out."""
    for match in _MATCHES:
        policy = Policy("rehearsal", profile, (Rule("rehearsal", match, action),))
        kernel = SoftKernel(Censor(policy, 1), policy)
        now = 0.0
        for raw, direction in _packets():
            now += _STEP
            kernel.process(raw, direction, now)


def _packets() -> Iterator[tuple[bytes, Direction]]:
    """Every conversation over both IP versions, each on ports of its own."""
    for near, far in _ENDS:
        hosts = ip_address(near).packed, ip_address(far).packed
        for dport, opening in ((443, _client_hello()), (80, _REQUEST), (9, b"?" * 200)):
            yield from _connection(Endpoints(*hosts, 4000, dport), opening)
        for dport, opening in ((53, _QUERY), (443, bytes(1200))):
            yield from _datagrams(Endpoints(*hosts, 4000, dport), opening)


def _connection(ends: Endpoints, opening: bytes) -> Iterator[tuple[bytes, Direction]]:
    back, form = Endpoints(ends.destination, ends.source, ends.dport, ends.sport), IpForm(ip_id=1)
    yield tcp(ends, TcpForm(100, 0, SYN, 65535), form), UP
    yield tcp(back, TcpForm(500, 101, SYN | ACK, 65535), form), DOWN
    yield tcp(ends, TcpForm(101, 501, ACK, 65535), form), UP
    yield tcp(ends, TcpForm(101, 501, PSH | ACK, 65535), form, opening), UP
    ours, theirs = 101 + len(opening), 501
    for number in range(_LATER):
        if number % 2:
            yield tcp(ends, TcpForm(ours, theirs, PSH | ACK, 65535), form, b"up"), UP
            ours += 2
        else:
            yield tcp(back, TcpForm(theirs, ours, PSH | ACK, 65535), form, bytes(1000)), DOWN
            theirs += 1000
    yield tcp(ends, TcpForm(ours, theirs, FIN | ACK, 65535), form), UP
    yield tcp(ends, TcpForm(900, 0, SYN, 65535), form), UP  # the 4-tuple again


def _datagrams(ends: Endpoints, opening: bytes) -> Iterator[tuple[bytes, Direction]]:
    back, form = Endpoints(ends.destination, ends.source, ends.dport, ends.sport), IpForm()
    for number in range(_LATER):
        yield (udp(back, b"reply", form), DOWN) if number % 2 else (udp(ends, opening, form), UP)


def _client_hello() -> bytes:
    """The shortest ClientHello with a server name."""
    name = b"example.com"
    entry = b"\0" + len(name).to_bytes(2, "big") + name
    names = len(entry).to_bytes(2, "big") + entry
    extensions = b"\0\0" + len(names).to_bytes(2, "big") + names
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0"
    body += len(extensions).to_bytes(2, "big") + extensions
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message
