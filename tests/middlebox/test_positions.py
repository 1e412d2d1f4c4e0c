"""Several censors on one hop: who sees what, in which order, and what each counts."""

import time
from dataclasses import replace

import pytest

from testbed.censor.decision import PASS, Decision, Direction, Event, Injection, Verdict
from testbed.censor.handover import PASS_ON, Drop, Police
from testbed.middlebox.marks import Position
from testbed.world.enter import isolated_call
from tests.middlebox.lab import Declares, Lab, Stub, ask, echo, payload_of, policy

pytestmark = [pytest.mark.world, pytest.mark.parametrize("family", [4, 6])]

DROP, POLICE = Drop(40.0), Police(8e3, 1000, 40.0)


def seeing(decide=lambda text: PASS):
    """A core that records the payloads that it sees, and decides by them."""

    def process(raw, direction, _now):
        text = payload_of(raw)
        decision = decide(text) if direction is Direction.UP else PASS
        way = "up" if direction is Direction.UP else "down"
        return replace(
            decision, events=(Event("match", "r0", "", {way: text.decode()[:5], "at": time.monotonic()}),)
        )

    return Stub(process)


def together(family, *cores, messages, **more):
    """The replies that a client gets from behind these censors, and each censor's receipt."""

    def body():
        lab = Lab()
        echo(lab)
        boxes = [replace(policy(Declares((DROP, POLICE))), name=f"box{n}") for n in range(len(cores))]
        running = [
            lab.censor(core, box, position=Position(index, len(cores)))
            for index, (core, box) in enumerate(zip(cores, boxes, strict=True))
        ]
        replies = ask(lab, family, *messages, **more)
        return replies, [one.stop() for one in running]

    replies, receipts = isolated_call(body)
    for receipt in receipts:
        for what, claimed in receipt.rules["r0"]["claimed"].items():
            assert receipt.rules["r0"]["kernel"][what] == claimed, (receipt.censor, what)
    return replies, receipts


def order(receipts):
    """What all censors saw, in time: (censor, way and payload)."""
    seen = {e["detail"].pop("at"): e for receipt in receipts for e in receipt.events if e["kind"] == "match"}
    return [(e["censor"], *e["detail"].items()) for _, e in sorted(seen.items())]


@pytest.mark.parametrize("count", [2, 3])
def test_each_sees_every_packet_from_inside_in_order_and_from_outside_in_reverse(family, count):
    replies, receipts = together(family, *(seeing() for _ in range(count)), messages=[b"hello"])
    names = [f"lab/box{n}" for n in range(count)]
    assert replies == [b"hello"]
    assert order(receipts) == [
        *((name, ("up", "hello")) for name in names),
        *((name, ("down", "hello")) for name in reversed(names)),
    ]


@pytest.mark.parametrize("dropper", [0, 1, None])
def test_what_one_drops_the_next_does_not_see(family, dropper):
    def drops(text):
        return Decision(Verdict.DROP, rule=0) if text == b"bad" else PASS

    cores = [seeing(drops if place == dropper else lambda _: PASS) for place in range(2)]
    replies, receipts = together(family, *cores, messages=[b"bad", b"good"])
    assert replies == [b"bad" if dropper is None else None, b"good"]
    saw_bad = [e["censor"] for e in receipts[-1].events if e["detail"].get("up") == "bad"]
    assert saw_bad == (["lab/box0"] if dropper == 0 else ["lab/box0", "lab/box1"])
    assert [r.rules["r0"]["kernel"]["drop"] for r in receipts] == [int(n == dropper) for n in range(2)]


@pytest.mark.parametrize("passer", [0, 1])
def test_a_flow_that_one_leaves_to_the_kernel_still_meets_the_other(family, passer):
    passing = seeing(lambda _: Decision(handover=PASS_ON))
    looking = seeing(lambda text: Decision(Verdict.DROP, rule=0) if text == b"bad" else PASS)
    cores = [passing, looking] if passer == 0 else [looking, passing]
    replies, receipts = together(family, *cores, messages=[b"first", b"good", b"bad"])
    assert replies == [b"first", b"good", None]
    assert receipts[passer].packets == 1, "the rest of the flow passes it in the kernel"
    assert receipts[1 - passer].packets == 5


def test_each_holds_flows_by_itself(family):
    first = seeing(lambda text: Decision(Verdict.DROP, handover=DROP, rule=0) if text == b"bad" else PASS)
    second = seeing(lambda text: Decision(handover=POLICE, rule=0) if text == b"slow" else PASS)
    size = 1000 - (28 if family == 4 else 48)
    replies, receipts = together(
        family, first, second, messages=[b"slow", bytes(size), bytes(size), b"bad", b"x"]
    )
    assert (replies[0], replies[2:]) == (b"slow", [None, None, None]), "a bucket of 1,000 bytes each way"
    kernel = [receipt.rules["r0"]["kernel"] for receipt in receipts]
    assert (kernel[0]["drop"], kernel[0]["flow_drop"], kernel[0]["police"]) == (1, 1, 0)
    assert (kernel[1]["police"], kernel[1]["flow_drop"], kernel[1]["drop"]) == (1, 0, 0)
    assert kernel[1]["policed_drop"] >= 1


def test_what_one_injects_or_replaces_is_counted_for_it_alone(family):
    def injects(raw, direction, _now):
        if direction is Direction.DOWN or payload_of(raw) != b"hello":
            return PASS
        return Decision(inject=(Injection(raw, Direction.UP),), rule=0)

    def changes(raw, direction, _now):
        if direction is Direction.DOWN or payload_of(raw) != b"hello":
            return PASS
        return Decision(Verdict.REPLACE, raw[:-1] + b"!", rule=0)

    replies, receipts = together(family, Stub(injects), Stub(changes), messages=[b"hello"], wait=1.0)
    assert replies == [b"hello"], "the copy that was injected at the hop meets no censor of it"
    kernel = [receipt.rules["r0"]["kernel"] for receipt in receipts]
    assert (kernel[0]["inject"], kernel[0]["replace"]) == (1, 0)
    assert (kernel[1]["inject"], kernel[1]["replace"]) == (0, 1)
