"""Material for benchmarks: names that match nothing, a policy, a real ClientHello, sample packets."""

import ssl
from collections.abc import Iterator

from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.decision import Direction
from testbed.censor.names import NameList
from testbed.censor.packet import ACK, PSH, SYN
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from testbed.censor.wire import Endpoints, IpForm, TcpForm, tcp

LISTED = 100_000  # names, as the budgets ask
SERVER_NAME = "www.unlisted.example.org"

_INSIDE, _OUTSIDE = bytes([91, 76, 0, 100]), bytes([87, 245, 192, 2])


def listed_names(count: int) -> Iterator[str]:
    """Names shaped like those of a registry, half of them with all subdomains; no benchmark uses them."""
    for number in range(count):
        name = f"site-{number * 7919 % count:07d}.listed{number % 97}.example"
        yield f"*.{name}" if number % 2 else name


def listing_policy(count: int = LISTED) -> Policy:
    """The box of March 2022 with one rule by server name, whose `count` names no benchmark uses."""
    match = Match(tls_sni=NameList(tuple(listed_names(count))))
    return Policy("tspu", PROFILES["t22"], (Rule("register", match, SilentDrop()),))


def client_hello(name: str = SERVER_NAME) -> bytes:
    """The first flight of this machine's OpenSSL."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a server")


def segment(sport: int, direction: Direction, flags: int, payload: bytes = b"", seq: int = 0) -> bytes:
    """A TCP segment of the flow from the inside host's port `sport` to the outside host's 443.

    `seq`: its first byte's place in the stream, from 0.
    """
    if direction is Direction.UP:
        ends = Endpoints(_INSIDE, _OUTSIDE, sport, 443)
    else:
        ends = Endpoints(_OUTSIDE, _INSIDE, 443, sport)
    form = TcpForm(1000 + seq + (not flags & SYN), 1001, flags, 65535)
    return tcp(ends, form, IpForm(dont_fragment=True), payload)


def opening(sport: int) -> list[tuple[bytes, Direction]]:
    """SYN, SYN/ACK, ACK."""
    return [
        (segment(sport, Direction.UP, SYN), Direction.UP),
        (segment(sport, Direction.DOWN, SYN | ACK), Direction.DOWN),
        (segment(sport, Direction.UP, ACK), Direction.UP),
    ]


def data(sport: int, count: int) -> list[tuple[bytes, Direction]]:
    """`count` packets of a download: two full segments down for each acknowledgement up."""
    full = segment(sport, Direction.DOWN, PSH | ACK, bytes(range(256)) * 5 + bytes(168))
    empty = segment(sport, Direction.UP, ACK)
    three = [(full, Direction.DOWN), (full, Direction.DOWN), (empty, Direction.UP)]
    return (three * (count // 3 + 1))[:count]
