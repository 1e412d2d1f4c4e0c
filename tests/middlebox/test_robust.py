"""What must not stop a censor, and what must not go unnoticed."""

import os
import random
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.decision import PASS, Decision, Direction, Injection, Verdict
from testbed.censor.handover import PASS_ON, Drop, Police
from testbed.censor.wire import Endpoints, IpForm, ip, udp
from testbed.errors import InvalidRunError
from testbed.middlebox.box import Clock
from testbed.middlebox.loop import serve
from testbed.world.enter import isolated_call
from testbed.world.netns import inside
from tests.middlebox.lab import (
    CLIENT,
    FAMILY,
    PORT,
    SERVER,
    Declares,
    Lab,
    Stub,
    ask,
    echo,
    payload_of,
    policy,
    with_censor,
)

pytestmark = pytest.mark.world


def packed(family, address):
    return socket.inet_pton(FAMILY[family], address)


def shapes(family):
    """Packets that no ordinary host sends."""
    rng = random.Random(20210310)
    ends = packed(family, CLIENT[family]), packed(family, SERVER[family])
    for protocol in (0, 1, 2, 4, 6, 17, 41, 44, 47, 50, 58, 60, 132, 255):
        for size in (0, 1, 3, 7, 8, 19, 20, 21, 100, 1400):
            yield ip(*ends, protocol, rng.randbytes(size), IpForm())
    if family == 4:
        option = bytes([0x46]) + ip(*ends, 17, b"\x94\x04\0\0" + rng.randbytes(40), IpForm())[1:]
        yield option
        for offset in (0x2000, 0x2001, 0x0001, 0x1FFF, 0x4000):
            raw = bytearray(ip(*ends, 17, rng.randbytes(64), IpForm(ip_id=9)))
            raw[6:8] = struct.pack("!H", offset)
            yield bytes(raw)
    else:
        for header in (0, 43, 60, 135):
            yield ip(*ends, header, bytes([17, 0]) + bytes(6) + rng.randbytes(40), IpForm())
        for offset in (0x0001, 0x0008, 0xFFF9, 0x0000):
            yield ip(*ends, 44, struct.pack("!BBHI", 17, 0, offset, 9) + rng.randbytes(64), IpForm())


def throw(family):
    """Send every shape from the client; how many the kernel let out."""
    with socket.socket(FAMILY[family], socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        sent = 0
        for packet in shapes(family):
            try:
                raw.sendto(packet, (SERVER[family], 0))
                sent += 1
            except OSError:
                continue
        return sent


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(
    "handover", [PASS_ON, Drop(40.0), Police(8e3, 1, 40.0)], ids=["pass", "drop", "police"]
)
def test_packets_of_any_shape_never_stop_the_loop(family, handover):
    """Whatever the core says about them, even things that make no sense for a packet without ports."""
    answers = [PASS, Decision(handover=handover, rule=0), Decision(Verdict.DROP, rule=0)]
    answers.append(Decision(Verdict.REPLACE, b"\x45", rule=0))

    def decide(raw, _way, _now):
        return PASS if payload_of(raw) == b"good" else answers[sum(raw) % len(answers)]

    def script(lab, _):
        return lab.fork("client", lambda: throw(family)).result(), ask(lab, family, b"good", sport=4002)

    (sent, replies), receipt = with_censor(
        decide, Declares((Drop(40.0), Police(8e3, 1, 40.0))), script=script
    )
    assert sent > 100
    assert receipt.packets > 100
    assert receipt.status == 0
    assert replies == [b"good"]


@pytest.mark.parametrize("family", [4, 6])
def test_fragments_reach_the_core_as_they_are(family):
    seen = []

    def decide(raw, way, _now):
        return Decision(events=()) if seen.append(len(raw)) else PASS

    size = 4000
    (replies,), receipt = with_censor(
        decide, SilentDrop(), script=lambda lab, _: (ask(lab, family, bytes(size)),)
    )
    assert replies == [bytes(size)]
    assert receipt.packets == 6  # three each way, not two reassembled ones


@pytest.mark.parametrize("family", [4, 6])
def test_fragments_of_a_passed_flow_go_to_the_core_the_first_one_too(family):
    def decide(raw, *_):
        return Decision(handover=PASS_ON) if len(raw) < 100 else PASS

    def script(lab, _):
        return ask(lab, family, b"hi", b"ho", bytes(4000))

    replies, receipt = with_censor(decide, SilentDrop(), script=script)
    assert replies == [b"hi", b"ho", bytes(4000)]
    assert receipt.packets == 1 + 6


@pytest.mark.parametrize("broken", [True, False])
def test_an_exception_in_the_core_is_counted_and_traffic_goes_on(broken):
    def decide(raw, *_):
        if broken and payload_of(raw) == b"bang":
            raise ValueError("the core broke")
        return PASS

    def script(lab, _):
        return ask(lab, 4, b"bang", b"bang", b"good")

    replies, receipt = with_censor(decide, SilentDrop(), script=script)
    assert replies == [b"bang", b"bang", b"good"]
    assert receipt.faults == (4 if broken else 0)
    faults = [event for event in receipt.events if event["kind"] == "fault"]
    assert len(faults) == broken, "one record per kind"
    if broken:
        assert "the core broke" in faults[0]["detail"]["traceback"]
        assert faults[0]["censor"] == "lab/stub"


def test_an_injection_that_cannot_be_sent_is_a_fault():
    giant = ip(packed(4, SERVER[4]), packed(4, CLIENT[4]), 17, bytes(3000), IpForm())
    answer = Decision(inject=(Injection(giant, Direction.DOWN),), rule=0)

    def decide(raw, *_):
        return answer if payload_of(raw) == b"q" else PASS

    replies, receipt = with_censor(decide, SilentDrop(), script=lambda lab, _: ask(lab, 4, b"q"))
    assert replies == [b"q"]
    assert receipt.faults == 2


@pytest.mark.parametrize(("size", "faults"), [(1500, 0), (1501, 1)])
def test_a_replacement_that_no_link_takes_is_a_fault(size, faults):
    """The kernel would count it as replaced, and it would not leave."""
    form = IpForm(dont_fragment=True)

    def decide(raw, direction, _now):
        if direction is Direction.DOWN or raw[9] != 17:
            return PASS
        longer = udp(Endpoints(raw[12:16], raw[16:20], 4000, PORT), bytes(size - 28), form)
        return Decision(Verdict.REPLACE, longer, rule=0)

    replies, receipt = with_censor(decide, Allow(), script=lambda lab, _: ask(lab, 4, b"short"))
    assert receipt.faults == faults
    assert (len(replies[0] or b"") == size - 28) == (faults == 0)


@pytest.mark.parametrize("slow", [True, False])
def test_a_queue_overrun_is_counted(slow):
    def decide(*_):
        time.sleep(0.02 if slow else 0)
        return PASS

    def flood():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _ in range(300):
                sock.sendto(b"x", (SERVER[4], 9))
                time.sleep(0 if slow else 0.001)

    def script(lab, _):
        return lab.fork("client", flood).result()

    _, receipt = with_censor(decide, SilentDrop(), script=script, queue_length=16 if slow else 4096)
    assert (receipt.queue_dropped + receipt.user_dropped > 0) == slow
    assert [event["kind"] for event in receipt.events] == ["overflow"] * slow


@pytest.mark.parametrize("slow", [True, False])
def test_packets_that_waited_at_the_end_are_counted(slow):
    def decide(raw, *_):
        time.sleep(0.5 if slow and payload_of(raw) == b"x" else 0)
        return PASS

    def burst():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _ in range(50):
                sock.sendto(b"x", (SERVER[4], 9))

    def script(lab, _):
        lab.fork("client", burst).result()
        time.sleep(0.2)

    _, receipt = with_censor(decide, SilentDrop(), script=script)
    assert (receipt.undecided > 0) == slow
    assert receipt.packets + receipt.undecided >= 50


def test_the_censor_stops_under_full_load():
    """SIGTERM while packets never cease: the binding's own loop would not return."""

    def flood():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            end = time.monotonic() + 3
            while time.monotonic() < end:
                sock.sendto(b"x", (SERVER[4], 9))

    def script(lab, running):
        lab.fork("client", flood)
        time.sleep(0.3)
        start = time.monotonic()
        receipt = running.stop()
        return receipt.status, receipt.packets, time.monotonic() - start

    def body():
        lab = Lab()
        return script(lab, lab.censor(Stub(), policy(SilentDrop())))

    status, packets, took = isolated_call(body)
    assert status == 0
    assert packets > 100
    assert took < 1


def test_ctrl_c_does_not_stop_a_censor():
    def script(lab, running):
        os.kill(running.child.pid, signal.SIGINT)
        return ask(lab, 4, b"hi")

    replies, receipt = with_censor(lambda *_: PASS, SilentDrop(), script=script)
    assert replies == [b"hi"]
    assert receipt.status == 0


def test_two_censors_at_one_position_are_refused():
    def body():
        lab = Lab()
        lab.censor(Stub(), policy(SilentDrop()))
        lab.censor(Stub(), policy(SilentDrop()))

    with pytest.raises(InvalidRunError, match="does another censor have this position"):
        isolated_call(body)


def test_no_censor_outside_a_world(tmp_path):
    with pytest.raises(InvalidRunError):
        serve(Stub(), policy(SilentDrop()), "a/b", tmp_path, Clock(0.0, 1.0), lambda: None)
    assert not (tmp_path / "events.jsonl").exists()


def test_no_censor_in_a_namespace_that_the_world_did_not_build():
    def body():
        serve(Stub(), policy(SilentDrop()), "a/b", Path("/run"), Clock(0.0, 1.0), lambda: None)

    with pytest.raises(InvalidRunError, match="not created by this world"):
        isolated_call(body)


def test_a_full_set_of_held_flows_is_a_fault(monkeypatch):
    from testbed.middlebox import ruleset

    monkeypatch.setattr(ruleset, "HELD_FLOWS", 4)
    answer = Decision(Verdict.DROP, handover=Drop(40.0), rule=0)

    def decide(raw, *_):
        return answer if payload_of(raw) == b"bad" else PASS

    def script(lab, _):
        return [ask(lab, 4, b"bad", sport=5000 + n, wait=0.05) for n in range(4)]

    replies, receipt = with_censor(decide, SilentDrop(residual=40.0), script=script)
    assert replies == [[None]] * 4
    assert receipt.faults == 1
    assert receipt.events[0]["detail"]["flows"] >= 1


def test_a_packet_with_somebody_elses_mark_is_judged_like_any_other():
    """Another tool's mark must not look like a verdict: only bit 0 is ours."""

    def body():
        lab = Lab()
        echo(lab)
        with inside(lab.ns["hop"]):
            hook = "type filter hook prerouting priority -300; meta mark set 0xff0026;"
            subprocess.run(["nft", f"table inet other {{ chain c {{ {hook} }}; }}"], check=True)
        running = lab.censor(Stub(lambda *_: Decision(Verdict.DROP, rule=0)), policy(SilentDrop()))
        return ask(lab, 4, b"hi"), running.stop()

    replies, receipt = isolated_call(body)
    assert replies == [None]
    assert receipt.rules["r0"]["kernel"]["drop"] == receipt.rules["r0"]["claimed"]["drop"] > 0
