"""The forged close, on the core."""

import pytest
from scapy.layers.inet import TCP

from testbed.censor.actions.fin import InjectFin
from testbed.censor.policy import Match
from testbed.censor.units import Seconds
from tests.censor.line import Line, checksums_right, hello, opened, policy, sni

BOTH = pytest.mark.parametrize("version", [4, 6])


@BOTH
@pytest.mark.parametrize("profile", ["leg-passive", "leg-active", "t22"])
def test_the_client_gets_a_fin_in_the_servers_name(version: int, profile: str) -> None:
    line = opened(sni(InjectFin(), profile=profile), version)
    data, seq, ack = hello(), line.seq["L"], line.seq["R"]
    result = line.L(payload=data)
    assert bytes(result.arrived[TCP].payload) == data
    assert not result.to_outside
    (close,) = result.to_inside
    assert (close.src, close[TCP].sport) == (result.arrived.dst, 443)
    assert (close[TCP].flags, close[TCP].seq, close[TCP].ack) == ("FA", ack, seq + len(data))
    assert close[TCP].window > 0
    assert not close[TCP].payload
    assert checksums_right(close)
    assert line.R(payload=b"the true answer").untouched


def test_in_the_path_the_clienthello_may_be_dropped() -> None:
    for profile, arrives in (("leg-active", False), ("leg-passive", True)):
        result = opened(sni(InjectFin(trigger="drop"), profile=profile)).L(payload=hello())
        assert (result.arrived is not None) is arrives
        assert result.to_inside[0][TCP].flags == "FA"


def test_another_name_is_left_alone() -> None:
    assert opened(sni(InjectFin(), profile="leg-active")).L(payload=hello("n.com")).untouched


def test_header_fields() -> None:
    close = opened(sni(InjectFin(), profile="leg-passive")).L(payload=hello()).to_inside[0]
    assert (close.len, close.id, close.ttl, close[TCP].dataofs) == (40, 0, 64, 5)
    close = opened(sni(InjectFin(ttl=57, ip_id=1), profile="leg-passive")).L(payload=hello()).to_inside[0]
    assert (close.id, close.ttl) == (1, 57)


@BOTH
def test_a_trigger_from_the_server_is_followed_by_the_close(version: int) -> None:
    for trigger, moved in (("pass", len(hello())), ("drop", 0)):
        line = opened(sni(InjectFin(trigger=trigger), profile="t21"), version)
        seq, ack = line.seq["R"], line.seq["L"]
        (close,) = line.R(payload=hello()).to_inside
        assert (close[TCP].flags, close[TCP].seq, close[TCP].ack) == ("FA", seq + moved, ack)
        assert checksums_right(close)


def test_with_a_residual_later_data_is_answered_but_acks_are_not() -> None:
    line = opened(sni(InjectFin(residual=Seconds(10)), profile="leg-active"))
    line.L(payload=hello())
    assert line.L("A").untouched, "an answer to each ACK would never end"
    assert line.L(payload=b"more").to_inside[0][TCP].flags == "FA"
    line.wait(11)
    assert line.L(payload=b"more").untouched


def test_nothing_is_closed_that_is_not_open() -> None:
    by_port = policy(Match(ports=(443,)), InjectFin(), "leg-active")
    line = Line(by_port)
    for flags in ("S", "A", "R", "FA"):
        result = line.L(flags)
        assert result.arrived is not None
        assert not result.to_inside
    assert line.L(payload=b"data").to_inside


def test_with_a_residual_what_the_server_sends_is_not_answered() -> None:
    line = opened(sni(InjectFin(residual=Seconds(10)), profile="leg-active"))
    line.L(payload=hello())
    answer = line.R(payload=b"the true answer")
    assert answer.arrived is not None
    assert not answer.decision.inject
