"""What is fuzzed: functions of bytes that raise if something is wrong, for any fuzzer or none.

A target reads its input as a small program (the core) or as the thing itself (a payload, a capture).
"""

import io
from collections.abc import Callable

from testbed.capture.file import CaptureFile
from testbed.censor.actions import ACTIONS
from testbed.censor.decision import Direction
from testbed.censor.ja4 import ja4
from testbed.censor.packet import parse
from testbed.censor.parsers import PROTOCOLS, Unread, dns, http, tls
from testbed.censor.parsers.registry import recognise
from testbed.censor.profiles import PROFILES
from testbed.errors import InputError
from testbed.replay.play import Replay
from tests.fuzz.box import HEADER_PORT, Watched, check, fragment, packet, policy
from tests.fuzz.payloads import PAYLOADS

_PROFILES, _ACTIONS = sorted(PROFILES), sorted(ACTIONS)
_PORTS = [443, 80, 53, 22, *range(HEADER_PORT, HEADER_PORT + len(ACTIONS))]
_WAITS = (0.001, 1.0, 59.0, 61.0, 481.0, 100_000.0)
_CAPTURES_BOX = policy("t26")


class _Reader:
    """Numbers and strings from the front of the input; zeros when it is used up."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def some(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + size]
        self._at += size
        return piece


def core(data: bytes) -> None:
    """A box by the first bytes, then one packet or pause after the other."""
    reader = _Reader(data)
    profile = _PROFILES[reader.byte() % len(_PROFILES)]
    sni = _ACTIONS[reader.byte() % len(_ACTIONS)]
    seed = reader.byte()
    box = Watched(policy(profile, sni, 0.5 if seed & 1 else 0.0), seed, kernel=bool(seed & 2))
    while reader:
        _step(box, reader)


def _step(box: Watched, reader: _Reader) -> None:
    op = reader.byte()
    way, version, kind = Direction(op & 1), 6 if op & 2 else 4, op >> 2 & 7
    if kind == 0:
        box.now += _WAITS[reader.byte() % len(_WAITS)]
        return
    if kind == 1:
        box.process(reader.some(reader.byte()), way)
        return
    if kind == 2:
        offset, ip_id = reader.byte(), reader.byte()
        raw = fragment(version, way, reader.some(reader.byte()), offset & 0x7F, offset > 127, ip_id & 3)
        box.process(raw, way)
        return
    flags = reader.byte() if kind < 6 else None
    port, flow = _PORTS[reader.byte() % len(_PORTS)], reader.byte()
    payload = reader.some(reader.byte()) if kind & 1 else PAYLOADS[reader.byte() % len(PAYLOADS)]
    seq = reader.byte() * 7 if kind == 5 else 100
    more = {"sport": 40000 + (flow & 63), "server": flow >> 6, "dport": port, "seq": seq}
    box.process(packet(version, way, flags, payload, **more), way)


def parsers(data: bytes) -> None:
    """Every parser of payloads, and the header's."""
    parse(data)
    for transport in ("tcp", "udp"):
        for protocol in PROTOCOLS:
            recognise(protocol, data, transport)
    http.host(data)
    http.url(data)
    dns.question(data)
    dns.question_over_tcp(data)
    for found in (tls.client_hello(data), tls.hello_message(data)):
        if not isinstance(found, Unread):
            ja4(found, "t")


def captures(data: bytes) -> None:
    """A capture file, replayed; only an InputError may come of it."""
    try:
        run = Replay(_CAPTURES_BOX, 1)
        run.run(CaptureFile(io.BytesIO(data), "fuzzed"), [_Checking()], [])
    except InputError:
        return


class _Checking:
    """Checks every decision of a replay."""

    def packet(self, frame, decision, found, now) -> None:
        check(decision, _CAPTURES_BOX, frame.ip)
        assert all(map(str, found))


TARGETS: dict[str, Callable[[bytes], None]] = {"core": core, "parsers": parsers, "captures": captures}
