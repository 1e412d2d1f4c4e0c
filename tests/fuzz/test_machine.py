"""The whole core under anything: flows open and close, time passes, junk and fragments come, lists change."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from testbed.censor.actions import ACTIONS
from testbed.censor.decision import Direction
from testbed.censor.packet import ACK, FIN, PSH, RST, SYN
from testbed.censor.profiles import PROFILES
from tests.fuzz.box import HEADER_PORT, MAX_FLOWS, Watched, fragment, held, packet, policy
from tests.fuzz.payloads import PAYLOADS

PORTS = [443, 80, 53, 22, *range(HEADER_PORT, HEADER_PORT + len(ACTIONS))]

VERSIONS, WAYS = st.sampled_from([4, 6]), st.sampled_from(Direction)
SPORTS, SERVERS = st.integers(40000, 40009), st.sampled_from([1, 2, 7])
BYTES = st.sampled_from(PAYLOADS) | st.binary(max_size=80)


class Box(RuleBasedStateMachine):
    """One box with every technique."""

    @initialize(
        profile=st.sampled_from(sorted(PROFILES)),
        sni=st.sampled_from(sorted(ACTIONS)),
        seed=st.integers(0, 9),
        miss=st.sampled_from([0.0, 0.5]),
        kernel=st.booleans(),
    )
    def build(self, profile: str, sni: str, seed: int, miss: float, kernel: bool) -> None:
        self.sni, self.profile, self.miss = sni, profile, miss
        self.box = Watched(policy(profile, sni, miss), seed, kernel=kernel)

    @rule(
        version=VERSIONS,
        sport=SPORTS,
        port=st.sampled_from(PORTS),
        server=SERVERS,
        payload=BYTES,
        reply=BYTES,
    )
    def connection(
        self, version: int, sport: int, port: int, server: int, payload: bytes, reply: bytes
    ) -> None:
        up = {"sport": sport, "dport": port, "server": server}
        steps = [
            (Direction.UP, SYN, b""), (Direction.DOWN, SYN | ACK, b""), (Direction.UP, ACK, b""),
            (Direction.UP, PSH | ACK, payload), (Direction.DOWN, PSH | ACK, reply),
            (Direction.UP, FIN | ACK, b""),
        ]  # fmt: skip
        for way, flags, data in steps:
            self.box.process(packet(version, way, flags, data, **up), way)

    @rule(
        version=VERSIONS, way=WAYS,
        flags=st.sampled_from([SYN, SYN | ACK, ACK, PSH | ACK, RST, FIN | ACK, None, 0xFF]),
        payload=BYTES, sport=SPORTS, port=st.sampled_from(PORTS), server=SERVERS,
        seq=st.sampled_from([0, 100, 101, 2**32 - 1]), ttl=st.sampled_from([0, 1, 64]),
    )  # fmt: skip
    def one_packet(self, version, way, flags, payload, sport, port, server, seq, ttl) -> None:
        more = {"sport": sport, "dport": port, "server": server, "seq": seq, "ttl": ttl}
        self.box.process(packet(version, way, flags, payload, **more), way)

    @rule(
        version=VERSIONS,
        payload=BYTES,
        sport=SPORTS,
        port=st.sampled_from([53, 443, 7003]),
        count=st.integers(1, 6),
    )
    def datagrams(self, version: int, payload: bytes, sport: int, port: int, count: int) -> None:
        for _ in range(count):
            for way in Direction:
                self.box.process(packet(version, way, None, payload, sport=sport, dport=port), way)

    @rule(
        version=VERSIONS,
        way=WAYS,
        count=st.integers(1, 2 * MAX_FLOWS),
        port=st.sampled_from(PORTS),
        data=BYTES,
    )
    def many_flows(self, version: int, way: Direction, count: int, port: int, data: bytes) -> None:
        for number in range(count):
            raw = packet(version, way, PSH | ACK, data, sport=50000 + number, dport=port, server=number % 9)
            self.box.process(raw, way)

    @rule(seconds=st.sampled_from([0.001, 1.0, 59.0, 61.0, 481.0, 100_000.0]))
    def wait(self, seconds: float) -> None:
        self.box.now += seconds

    @rule(
        version=VERSIONS, way=WAYS, ip_id=st.integers(0, 2), size=st.sampled_from([0, 8, 16, 64]),
        offsets=st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=8),
    )  # fmt: skip
    def fragments(self, version, way, ip_id, size, offsets) -> None:
        for offset, more in offsets:
            self.box.process(fragment(version, way, bytes(size), offset, more, ip_id), way)

    @rule(way=WAYS, raw=st.binary(max_size=120))
    def junk(self, way: Direction, raw: bytes) -> None:
        self.box.process(raw, way)

    @rule(version=VERSIONS, way=WAYS, payload=BYTES, flags=st.sampled_from([PSH | ACK, None]), data=st.data())
    def bent(
        self, version: int, way: Direction, payload: bytes, flags: int | None, data: st.DataObject
    ) -> None:
        raw = bytearray(packet(version, way, flags, payload))
        for _ in range(data.draw(st.integers(1, 5))):
            raw[data.draw(st.integers(0, min(len(raw), 80) - 1))] = data.draw(st.integers(0, 255))
        self.box.process(bytes(raw[: data.draw(st.integers(0, len(raw)))]), way)

    @rule()
    def new_lists(self) -> None:
        self.box.censor.reload(policy(self.profile, self.sni, self.miss))

    def teardown(self) -> None:
        if hasattr(self, "box"):
            assert held(self.box.censor) < 100_000


TestBox = Box.TestCase
TestBox.settings = settings(max_examples=80, stateful_step_count=25)
TestBox = pytest.mark.timeout(120)(TestBox)
