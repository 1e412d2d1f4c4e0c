"""The tunnels' kinds of targets against the far side's tunnel service: forms that a censor's parsers know."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from testbed.censor.parsers.message import Message
from testbed.censor.parsers.registry import recognise
from testbed.internet.services import tunnel
from testbed.measurement.kinds import parse
from testbed.measurement.target import Target

Answer = Callable[[bytes, tuple[str, int]], bytes]


class Steps:
    """Hands each datagram to the service; after `most` of them, none gets an answer."""

    def __init__(self, answer: Answer, most: int = 1000) -> None:
        self.answer, self.most = answer, most
        self.step, self.notes, self.sent, self.received = "", dict[str, Any](), list[bytes](), list[bytes]()

    @contextmanager
    def datagrams(self, target: Target) -> Iterator["Steps"]:
        yield self

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def receive(self) -> bytes:
        if len(self.sent) > self.most:
            raise TimeoutError
        self.received.append(self.answer(self.sent[-1], ("203.0.113.9", 5000)))
        return self.received[-1]

    def note(self, key: str, value: object) -> None:
        self.notes[key] = value


CASES = [("wireguard", tunnel._wireguard, 0), ("openvpn", tunnel._openvpn, 3)]


@pytest.mark.parametrize(("scheme", "answer", "controls"), CASES)
def test_a_free_tunnel_carries_its_data(scheme: Any, answer: Answer, controls: int) -> None:
    steps = Steps(answer)
    target = parse(f"{scheme}://vpn.example/")
    target.kind.measure(target, steps)  # type: ignore[arg-type]
    assert (steps.step, steps.notes) == ("data", {"x_data_packets": 20})

    def kinds(packets: list[bytes]) -> list[str]:
        found = [recognise(scheme, packet, "udp") for packet in packets]
        assert all(isinstance(one, Message) for one in found)
        return [one.kind for one in found if isinstance(one, Message)]

    assert kinds(steps.sent) == ["initiation", *["control"] * controls, *["data"] * 20]
    assert kinds(steps.received) == ["response", *["control"] * controls, *["data"] * 20]


@pytest.mark.parametrize(("scheme", "answer", "controls"), CASES)
def test_one_that_dies_after_data_says_how_many_came(scheme: str, answer: Answer, controls: int) -> None:
    steps = Steps(answer, most=1 + controls + 2)
    target = parse(f"{scheme}://vpn.example/")
    with pytest.raises(TimeoutError):
        target.kind.measure(target, steps)  # type: ignore[arg-type]
    assert (steps.step, steps.notes) == ("data", {"x_data_packets": 2})


@pytest.mark.parametrize("scheme", ["wireguard", "openvpn"])
def test_a_server_that_speaks_something_else_is_no_tunnel(scheme: str) -> None:
    steps = Steps(lambda data, _: data)
    target = parse(f"{scheme}://vpn.example/")
    with pytest.raises(EOFError):
        target.kind.measure(target, steps)  # type: ignore[arg-type]
    assert steps.step == "handshake"
