"""Work per packet does not grow with what came before, and state has an end: counted, not timed.

Work is what Python's profiler sees: calls of Python and of C functions, resumed generators among them.
"""

from collections.abc import Callable, Iterable
from cProfile import Profile
from functools import cache

import pytest

from testbed.censor.actions import ACTIONS
from testbed.censor.core import Censor
from testbed.censor.decision import Direction
from testbed.censor.flow import MAX_FLOWS
from testbed.censor.fragments import MAX_QUEUES
from testbed.censor.packet import ACK, PSH, SYN
from testbed.censor.profiles import PROFILES
from tests.censor.line import hello
from tests.fuzz.box import HEADER_PORT, LISTED, SERVERS, fragment, held, packet, policy

UP, DOWN = Direction.UP, Direction.DOWN
BOXES = sorted(PROFILES)
Flood = Callable[[int], Iterable[bytes]]


def calls(body: Callable[[], object]) -> int:
    """How many calls `body` makes."""
    profile = Profile()
    profile.runcall(body)
    return sum(entry.callcount for entry in profile.getstats())


def flows(count: int, payload: bytes = b"") -> Iterable[bytes]:
    """Packets of as many different flows: ports, then servers."""
    for number in range(count):
        sport, server = 1024 + number % 60_000, number // 60_000
        yield packet(4, UP, PSH | ACK if payload else SYN, payload, sport=sport, server=server)


def segments(count: int) -> Iterable[bytes]:
    """One flow, a ClientHello in pieces of one byte, then in disorder, then again."""
    yield packet(4, UP, SYN)
    whole = hello(LISTED, pad=2000)
    for number in range(count):
        at = number * 7 % len(whole)
        yield packet(4, UP, PSH | ACK, whole[at : at + 1], seq=101 + at)


def never_whole(count: int) -> Iterable[bytes]:
    """One flow, a long ClientHello whose first byte is missing."""
    yield packet(4, UP, SYN)
    whole = hello(LISTED, pad=60_000)
    for number in range(count):
        at = 1 + number * 40 % (len(whole) - 50)
        yield packet(4, UP, PSH | ACK, whole[at : at + 40], seq=101 + at)


def pieces(count: int) -> Iterable[bytes]:
    """Fragments of one datagram, never the last."""
    for number in range(count):
        yield fragment(4, UP, bytes(8), number % 8000, more=True, ip_id=1)


def first_pieces(count: int) -> Iterable[bytes]:
    """First fragments of as many datagrams."""
    for number in range(count):
        yield fragment(6, UP, bytes(8), 0, more=True, ip_id=number)


def initials(count: int) -> Iterable[bytes]:
    """QUIC Initials that cannot be decrypted, one flow."""
    for number in range(count):
        raw = b"\xc3\0\0\0\1\x08" + number.to_bytes(8, "big") + b"\0\0\x44\x9e" + bytes(1180)
        yield packet(4, UP, None, raw)


def replies(count: int) -> Iterable[bytes]:
    """What the outside sends to as many ports that nobody asked from."""
    for number in range(count):
        yield packet(4, DOWN, PSH | ACK, b"x", sport=1024 + number % 60_000, dport=7000 + number % 9)


def of_every_technique(count: int) -> Iterable[bytes]:
    """Flows by turns to a port of each technique."""
    for number in range(count):
        dport = HEADER_PORT + number % len(ACTIONS)
        yield packet(4, UP, SYN, sport=1024 + number % 60_000, dport=dport, server=number // 60_000)


FLOODS: dict[str, Flood] = {
    "flows": flows,
    "hellos": lambda count: flows(count, hello(LISTED)),
    "segments": segments,
    "never whole": never_whole,
    "fragments of one": pieces,
    "fragments of many": first_pieces,
    "QUIC Initials": initials,
    "replies to nobody": replies,
    "every technique": of_every_technique,
}


def direction(raw: bytes) -> Direction:
    return DOWN if raw[12:16] == SERVERS[4][:3] + raw[15:16] else UP


@cache
def flood_of(name: str, count: int) -> list[tuple[bytes, Direction]]:
    return [(raw, direction(raw)) for raw in FLOODS[name](count)]


@pytest.mark.parametrize("profile", ["t22", "t26", "leg-active", "leg-passive"])
@pytest.mark.parametrize("flood", FLOODS)
def test_the_last_packet_costs_as_much_as_the_first(flood: str, profile: str) -> None:
    """Of 4,000, counted over 330 at each end: the tables are full before the first are counted."""
    censor = Censor(policy(profile), 1, max_flows=300)
    sent = flood_of(flood, 4000)

    def send(begin: int, end: int) -> None:
        for raw, way in sent[begin:end]:
            censor.process(raw, way, 0.0)

    send(0, 400)
    first = calls(lambda: send(400, 730))
    send(730, len(sent) - 330)
    last = calls(lambda: send(len(sent) - 330, len(sent)))
    assert last < 2 * first + 250, f"{first} calls for 330 packets at first, {last} for the last"


@pytest.mark.parametrize("profile", ["t22", "t26", "leg-active"])
@pytest.mark.parametrize("flood", [name for name in FLOODS if name != "every technique"])
def test_state_has_an_end(flood: str, profile: str) -> None:
    state_has_an_end(flood, profile, 5000)


@pytest.mark.slow
def test_the_state_of_every_technique_has_an_end() -> None:
    state_has_an_end("every technique", "t26", 100_000)  # tables beside the flows have 4,096 entries and more


def state_has_an_end(flood: str, profile: str, enough: int) -> None:
    """As much is held after twice `enough` packets as after `enough`."""
    censor = Censor(policy(profile), 1, max_flows=50)
    sizes = []
    for number, (raw, way) in enumerate(flood_of(flood, 2 * enough), 1):
        censor.process(raw, way, 0.0)
        if number % enough == 0:
            sizes.append(held(censor))
    assert len(censor._flows) <= 50
    assert sizes[1] < 1.1 * sizes[0] + 200, sizes


def test_what_gives_way_is_counted() -> None:
    censor = Censor(policy("t22"), 1, max_flows=100)
    for raw in flows(1000):
        censor.process(raw, UP, 0.0)
    assert censor.evictions == 900
    for raw in first_pieces(MAX_QUEUES + 70):
        censor.process(raw, UP, 0.0)
    assert censor.evictions == 970


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("profile", ["t22", "t26"])
def test_a_million_flows(profile: str) -> None:
    censor = Censor(policy(profile), 1)
    count = 1_000_000
    for raw in flows(count):
        censor.process(raw, UP, 0.0)
    assert len(censor._flows) == MAX_FLOWS
    assert censor.evictions == count - MAX_FLOWS
    assert held(censor) < 12 * MAX_FLOWS


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_million_fragments() -> None:
    censor = Censor(policy("t22"), 1)
    for number, raw in enumerate(first_pieces(1_000_000)):
        censor.process(raw, UP, number / 100_000)
    assert censor.evictions + censor.fragments_discarded > 1_900_000
    assert held(censor) < 100 * MAX_QUEUES  # entries and bytes: each fragment has 64


def test_work_and_state_that_grow_would_be_seen() -> None:
    kept: list[bytes] = []

    def careless(raw: bytes) -> None:
        kept.append(raw)
        assert any(one is raw for one in kept)

    sent = list(flows(300))
    first, last = (
        calls(lambda part=part: [careless(raw) for raw in part]) for part in (sent[:100], sent[200:])
    )
    assert last > 2 * first + 1000
    assert held({"box": kept}) > 300
