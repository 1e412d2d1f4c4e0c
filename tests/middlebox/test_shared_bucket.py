"""A policer per inside host: all its triggered flows share one bucket per direction, others are free."""

import socket
import time

import pytest

from testbed.censor.actions.policer import Policer
from testbed.censor.decision import PASS, Decision
from testbed.censor.profiles import PROFILES
from tests.middlebox.lab import FAMILY, SERVER, ask, payload_of, with_censor

pytestmark = [pytest.mark.world, pytest.mark.parametrize("family", [4, 6])]


def police(action):
    """What a core answers to a flow's first packet, and the action."""
    (handover,) = action.handovers(PROFILES["t22"])
    answer = Decision(handover=handover, rule=0)
    return (lambda raw, *_: answer if payload_of(raw) == b"go" else PASS), action


@pytest.mark.parametrize(("per", "buckets"), [("host", 1), ("flow", 2)])
def test_flows_share_a_bucket(family, per, buckets):
    """Twice 10 packets of 1,000 bytes; a bucket holds 4,000 and gains 1,000 a second."""
    message = bytes(1000 - (28 if family == 4 else 48))

    def script(lab, _):
        policed = [ask(lab, family, b"go", *[message] * 10, sport=port, wait=0.02) for port in (4000, 4001)]
        free = ask(lab, family, *[message] * 10, sport=4002, wait=0.2)
        return [len(replies[1:]) - replies[1:].count(None) for replies in policed], free

    (passed, free), receipt = with_censor(
        *police(Policer(rate=8000.0, burst=4000, idle=600.0, per=per)),
        script=script,
    )
    assert free == [message] * 10
    assert 3 * buckets <= sum(passed) <= 5 * buckets
    kernel = receipt.rules["r0"]["kernel"]
    assert (kernel["police"], kernel["policed_drop"]) == (2, 20 - sum(passed))


@pytest.mark.parametrize(
    ("direction", "lost_up", "lost_down"), [("up", True, False), ("down", False, True), ("both", True, True)]
)
def test_only_the_direction_that_is_asked_for_is_policed(family, direction, lost_up, lost_down):
    """Where packets are lost. The trigger is free, its echo is not, so a later echo is one too many.

    It is by 30 bytes: a bucket that gains no more in three seconds shows it on a busy machine, too.
    """
    big = bytes(1000 - (28 if family == 4 else 48))

    def count_and_echo():
        with socket.socket(FAMILY[family], socket.SOCK_DGRAM) as sock:
            sock.bind((SERVER[family], 7000))
            sock.settimeout(1.0)
            arrived = 0
            while True:
                try:
                    data, sender = sock.recvfrom(2000)
                except TimeoutError:
                    return arrived
                sock.sendto(data, sender)
                arrived += 1

    def script(lab, _):
        server = lab.fork("server", count_and_echo)
        time.sleep(0.2)
        replies = ask(lab, family, b"go", *[big] * 10, wait=0.02, port=7000)
        return server.result(), len(replies) - replies.count(None)

    (arrived, returned), receipt = with_censor(
        *police(Policer(rate=80.0, burst=4000, idle=600.0, direction=direction)),
        script=script,
    )
    assert (arrived < 11, returned < arrived) == (lost_up, lost_down)
    assert receipt.rules["r0"]["kernel"]["policed_drop"] == 11 - returned
