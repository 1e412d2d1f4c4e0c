"""The two match keys as dialogues of packets, without a kernel: `pytest examples/match`."""

import pytest
from hop_limit import HopLimit, HopLimits
from keyword_key import Keyword

from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.match import KEYS, Match
from tests.censor.line import Line, policy

BOTH = pytest.mark.parametrize("version", [4, 6])


def low(below: int, version: int = 4, **more: object) -> Line:
    return Line(policy(Match([(HopLimit(), HopLimits(below))], **more), SilentDrop(scope="packet")), version)


@BOTH
def test_packets_below_the_bound_are_dropped(version: int) -> None:
    line = low(12, version)
    field = "ttl" if version == 4 else "hlim"
    assert line.L("S", **{field: 64}).untouched
    assert line.L("A", **{field: 12}).untouched
    assert line.L("PA", b"decoy", **{field: 11}).silent
    assert line.L("PA", b"real", **{field: 64}).untouched


def test_another_bound() -> None:
    assert low(11).L("S", ttl=11).untouched


def test_other_keys_must_hold_too() -> None:
    assert low(12, ports=(80,)).L("S", ttl=5).untouched
    assert low(12, ports=(443,)).L("S", ttl=5).silent


def keyword(*texts: str, model: str = "t22") -> Line:
    return Line(policy(Match([(Keyword(), texts)], ports=(80,)), SilentDrop(), model), dport=80)


GET = b"GET /forbidden HTTP/1.1\r\nHost: a.example\r\n\r\n"


def test_a_request_with_the_keyword_is_dropped() -> None:
    line = keyword("GET /forbidden")
    line.handshake()
    assert line.L(payload=GET).silent
    assert line.R(payload=b"HTTP/1.1 200 OK\r\n\r\n").silent


def test_another_request_passes() -> None:
    line = keyword("GET /forbidden")
    line.handshake()
    assert line.L(payload=GET.replace(b"/forbidden", b"/")).untouched


def test_another_port_passes() -> None:
    line = keyword("GET /forbidden")
    line.dport = 8080
    line.handshake()
    assert line.L(payload=GET).untouched


def test_they_are_no_built_in_keys() -> None:
    assert not {"hop_limit", "keyword"} & KEYS.keys()
