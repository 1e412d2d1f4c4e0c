"""Each effect through the kernel, IPv4 and IPv6, decided by a stub; the twin decides to let pass."""

import socket
import struct
import time

import pytest

from testbed.censor.actions.policer import Policer
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.decision import (
    PASS,
    Decision,
    Direction,
    Event,
    Injection,
    Verdict,
)
from testbed.censor.handover import PASS_ON, Drop, Police
from testbed.censor.packet import parse
from testbed.censor.wire import Endpoints, IpForm, udp
from tests.middlebox.lab import CLIENT, FAMILY, PORT, SERVER, ask, payload_of, with_censor

pytestmark = [
    pytest.mark.world,
    pytest.mark.parametrize("family", [4, 6]),
    pytest.mark.parametrize("armed", [True, False]),
]


def on(trigger: bytes, decision, *, armed: bool, direction=None):
    """Decide about packets with this payload; `decision` may be a function of (raw, now)."""

    def decide(raw, way, now):
        if armed and payload_of(raw) == trigger and direction in (None, way):
            return decision(raw, now) if callable(decision) else decision
        return PASS

    return decide


def receipt_of(receipt, rule="r0"):
    """The rule's counts, after checking what must hold for every receipt."""
    assert receipt.faults == receipt.queue_dropped == receipt.user_dropped == receipt.evictions == 0
    assert receipt.status == 0
    counts = receipt.rules[rule]
    for what, claimed in counts["claimed"].items():
        assert counts["kernel"][what] == claimed, what
    return counts["kernel"]


def test_drop(family, armed):
    decide = on(b"bad", Decision(Verdict.DROP, rule=1), armed=armed)

    def script(lab, _):
        return ask(lab, family, b"good", b"bad", b"good")

    replies, receipt = with_censor(decide, SilentDrop(), SilentDrop(scope="packet"), script=script)
    assert replies == [b"good", None if armed else b"bad", b"good"]
    assert receipt_of(receipt, "r1")["drop"] == armed
    assert receipt_of(receipt, "r0")["drop"] == 0
    assert receipt.packets == (5 if armed else 6)


def test_a_dropped_flow_comes_back_after_its_time_on_the_censors_clock(family, armed):
    handover = Drop(420.0, refresh=False)
    decide = on(b"bad", Decision(Verdict.DROP, handover=handover, rule=0), armed=armed)

    def script(lab, _):
        first = ask(lab, family, b"bad", b"good", b"good")
        other = ask(lab, family, b"good", sport=4001)
        time.sleep(1.0)
        return first, other, ask(lab, family, b"good")

    (first, other, later), receipt = with_censor(
        decide, SilentDrop(residual=420.0), script=script, time_scale=420.0
    )
    assert first == ([None, None, None] if armed else [b"bad", b"good", b"good"])
    assert (other, later) == ([b"good"], [b"good"])
    kernel = receipt_of(receipt)
    assert (kernel["drop"], kernel["flow_drop"]) == ((1, 2) if armed else (0, 0))


def test_packets_restart_the_time_of_a_refreshed_drop(family, armed):
    """`armed` is the refresh here: without it the flow is free again in the middle of the same packets."""
    handover = Drop(1.0, refresh=armed)
    decide = on(b"bad", Decision(Verdict.DROP, handover=handover, rule=0), armed=True)

    def script(lab, _):
        return ask(lab, family, b"bad", *[b"good"] * 5, wait=0.4)

    replies, receipt = with_censor(decide, SilentDrop(residual=1.0, refresh=armed), script=script)
    assert (b"good" in replies) == (not armed)
    assert receipt_of(receipt)["drop"] == 1


def test_dropping_udp_leaves_tcp_on_the_same_ports_alone(family, armed):
    decide = on(b"bad", Decision(Verdict.DROP, handover=Drop(40.0), rule=0), armed=armed)

    def script(lab, _):
        replies = ask(lab, family, b"bad", b"good")
        return replies, lab.fork("client", lambda: tcp_echo(family, b"good", 4000)).result()

    (replies, over_tcp), receipt = with_censor(decide, SilentDrop(residual=40.0), script=script)
    assert replies == ([None, None] if armed else [b"bad", b"good"])
    assert over_tcp == b"good"
    receipt_of(receipt)


def test_replace(family, armed):
    def longer(raw, _now):
        packet = parse(raw)
        form = IpForm(hop_limit=64, ip_id=7)
        return Decision(
            Verdict.REPLACE, udp(Endpoints.continuing(packet), b"much longer than it was", form), rule=0
        )

    decide = on(b"bad", longer, armed=armed, direction=Direction.DOWN)
    replies, receipt = with_censor(
        decide, SilentDrop(), script=lambda lab, _: ask(lab, family, b"good", b"bad")
    )
    assert replies == [b"good", b"much longer than it was" if armed else b"bad"]
    assert receipt_of(receipt)["replace"] == armed


@pytest.mark.parametrize("ip_id", [0, 0x1234])
def test_an_injected_answer_wins_the_race_as_it_was_written(family, armed, ip_id):
    def forge(raw, _now):
        lie = udp(Endpoints.replying_to(parse(raw)), b"lie", IpForm(hop_limit=33, ip_id=ip_id))
        return Decision(inject=(Injection(lie, Direction.DOWN),), rule=0)

    decide = on(b"question", forge, armed=armed, direction=Direction.UP)

    def client():
        sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))
        sniffer.settimeout(1)
        with socket.socket(FAMILY[family], socket.SOCK_DGRAM) as sock:
            sock.bind((CLIENT[family], 4000))
            sock.connect((SERVER[family], PORT))
            sock.settimeout(0.5)
            sock.send(b"question")
            answers = [sock.recv(100)]
            if armed:
                answers.append(sock.recv(100))
        while True:
            raw, origin = sniffer.recvfrom(65_535)
            if origin[2] != socket.PACKET_OUTGOING and payload_of(raw) == answers[0]:
                return answers, raw

    (answers, raw), receipt = with_censor(
        decide, SilentDrop(), script=lambda lab, _: lab.fork("client", client).result()
    )
    assert answers == ([b"lie", b"question"] if armed else [b"question"])
    if armed and family == 4:
        assert (struct.unpack("!H", raw[4:6])[0], raw[8]) == (ip_id, 33)
    elif armed:
        assert raw[7] == 33
    assert receipt_of(receipt)["inject"] == armed


def test_a_held_packet_leaves_on_time_and_the_others_do_not_wait(family, armed):
    decide = on(
        b"slow", lambda _raw, now: Decision(release_at=now + 3.0, rule=0), armed=armed, direction=Direction.UP
    )

    def client():
        with socket.socket(FAMILY[family], socket.SOCK_DGRAM) as sock:
            sock.bind((CLIENT[family], 4000))
            sock.connect((SERVER[family], PORT))
            sock.settimeout(2)
            start = time.monotonic()
            sock.send(b"slow")
            sock.send(b"quick")
            return [(sock.recv(100), time.monotonic() - start) for _ in range(2)]

    def script(lab, _):
        return lab.fork("client", client).result()

    came, receipt = with_censor(decide, SilentDrop(), script=script, time_scale=10.0)
    assert [data for data, _ in came] == ([b"quick", b"slow"] if armed else [b"slow", b"quick"])
    took = dict(came)[b"slow"]
    assert took == pytest.approx(0.3, abs=0.05) if armed else took < 0.2
    assert receipt_of(receipt)["delay"] == armed


def test_held_packets_leave_when_the_censor_stops(family, armed):
    decide = on(
        b"slow",
        lambda _raw, now: Decision(release_at=now + 60.0, rule=0),
        armed=armed,
        direction=Direction.UP,
    )
    replies, receipt = with_censor(decide, SilentDrop(), script=lambda lab, _: ask(lab, family, b"slow"))
    assert replies == ([None] if armed else [b"slow"])
    assert receipt_of(receipt)["delay"] == armed


def test_police(family, armed):
    """20 datagrams of 1,000 bytes at once into a bucket of 4,000 bytes and one second's rate of 1,000."""
    handover = Police(8000.0, 4000, 600.0)
    decide = on(b"go", Decision(handover=handover, rule=0), armed=armed)
    size = 1000 - (28 if family == 4 else 48)

    def script(lab, _):
        return ask(lab, family, b"go", *[bytes(size)] * 20, wait=0.02)

    replies, receipt = with_censor(decide, Policer(rate=8000.0, burst=4000, idle=600.0), script=script)
    kernel = receipt_of(receipt)
    passed = 20 - replies.count(None) if armed else 20
    assert (passed in (3, 4, 5)) == armed
    # the reply to the trigger is in the bucket already, replies share the other direction's
    assert kernel["police"] == armed
    assert kernel["policed_drop"] == (20 - passed if armed else 0)


def test_a_passed_flow_is_not_queued_until_the_inside_opens_it_again(family, armed):
    """Here `armed` means handed over: the twin is asked about every packet."""

    def decide(raw, way, _now):
        seen = (Event("match", "r0", "", {"up": way is Direction.UP, "flags": parse(raw).flags}),)
        if armed and payload_of(raw) == b"hello":
            return Decision(handover=PASS_ON, events=seen)
        return Decision(events=seen)

    def script(lab, _):
        def talk(*texts):
            return lab.fork("client", lambda: tcp_echo(family, texts, 4000)).result()

        return talk(b"hello", *[b"more"] * 20), talk(b"again")

    (first, again), receipt = with_censor(decide, SilentDrop(), script=script)
    assert (first, again) == (b"hello" + b"more" * 20, b"again")
    assert (receipt.packets < 25) == armed
    opened = [
        event for event in receipt.events if event["detail"]["up"] and event["detail"]["flags"] & 0x12 == 0x02
    ]
    assert len(opened) == 2, "the second SYN on the same 4-tuple must come back to the core"
    payloads_after = receipt.events[receipt.events.index(opened[1]) :]
    assert len(payloads_after) >= 4
    receipt_of(receipt)


def tcp_echo(family, texts, sport):
    """Say each text over TCP from a fixed port, end by RST so that the 4-tuple is free again at once."""
    texts = (texts,) if isinstance(texts, bytes) else texts
    with socket.socket(FAMILY[family], socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((CLIENT[family], sport))
        sock.settimeout(3)
        sock.connect((SERVER[family], PORT))
        back = b""
        for text in texts:
            sock.sendall(text)
            back += sock.recv(100)
        return back
