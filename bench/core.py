"""The core alone, on one CPU: prepared packets, no kernel."""

import gc
import time
from statistics import median

from bench.material import LISTED, client_hello, data, listing_policy, opening, segment
from bench.result import Budget, Quantity, Result, round_ratios
from testbed.censor.core import Censor
from testbed.censor.decision import Direction
from testbed.censor.handover import Pass
from testbed.censor.packet import ACK, PSH, parse_any
from testbed.compiled.find import in_use
from testbed.errors import InvalidRunError

Packets = list[tuple[bytes, Direction]]
_FLOWS = 200  # over which the packets are spread
_UNREADABLE = bytes(range(0, 256, 2)) * 8  # ends the inspection of a flow at once: longer than 100 bytes


def measure(*, quick: bool) -> list[Result]:
    """Packets per second of flows already decided, and of ClientHellos that no rule matches."""
    rounds, packets, hellos = (3, 30_000, 5_000) if quick else (9, 120_000, 20_000)
    policy = listing_policy()
    decided = data_of_decided_flows(packets)
    hello = client_hello()
    offered = [(segment(20_000 + n, Direction.UP, PSH | ACK, hello), Direction.UP) for n in range(hellos)]
    rates: dict[str, list[float]] = {"decided": [], "decided parse": [], "hello": [], "hello parse": []}
    for _ in range(rounds):
        rates["decided"].append(_rate(_after_decisions(Censor(policy, 1)), decided))
        rates["decided parse"].append(_parsing_rate(decided))
        rates["hello"].append(_rate(_with_open_flows(Censor(policy, 1), hellos), offered))
        rates["hello parse"].append(_parsing_rate(offered))
    note = (
        f"median of {rounds} rounds of {packets:,} packets ({_FLOWS} flows, two 1,488-byte segments down per "
        "ACK up); in a run the kernel passes such packets itself and the core never sees them"
    )
    hello_note = (
        f"median of {rounds} rounds of {hellos:,} new flows, each opened before the clock starts; the "
        f"ClientHello is this machine's OpenSSL's, {len(hello)} bytes; {LISTED:,} names, none matching"
    )
    core = "compiled core" if in_use() else "core"
    return [
        _result(f"{core}: packets of decided flows", rates, "decided", 2.5, note),
        _result(f"{core}: ClientHello decisions", rates, "hello", 6 if in_use() else 12, hello_note),
    ]


def data_of_decided_flows(count: int) -> Packets:
    """`count` packets of `_FLOWS` flows, interleaved."""
    each = count // _FLOWS
    flows = [data(20_000 + number, each) for number in range(_FLOWS)]
    return [flow[at] for at in range(each) for flow in flows]


def _after_decisions(censor: Censor) -> Censor:
    """The censor with `_FLOWS` flows that it no longer inspects."""
    for number in range(_FLOWS):
        first = segment(20_000 + number, Direction.UP, PSH | ACK, _UNREADABLE)
        for packet, direction in [*opening(20_000 + number), (first, Direction.UP)]:
            decision = censor.process(packet, direction, 0.0)
        if decision.handover is None or not isinstance(decision.handover, Pass):
            raise InvalidRunError("core: a flow that should be decided is still inspected")
    return censor


def _with_open_flows(censor: Censor, count: int) -> Censor:
    for number in range(count):
        for packet, direction in opening(20_000 + number):
            censor.process(packet, direction, 0.0)
    return censor


def _rate(censor: Censor, packets: Packets) -> float:
    process = censor.process
    gc.collect()
    gc.freeze()  # as the middlebox does, so that the collector skips the list of names
    start = time.process_time()
    for packet, direction in packets:
        process(packet, direction, 1.0)
    seconds = time.process_time() - start
    gc.unfreeze()
    return len(packets) / seconds


def _parsing_rate(packets: Packets) -> float:
    start = time.process_time()
    for packet, _ in packets:
        parse_any(packet)
    return len(packets) / (time.process_time() - start)


def _result(what: str, rates: dict[str, list[float]], key: str, most: float, note: str) -> Result:
    """The figure is how many times the CPU time of reading its headers a packet costs."""
    measured, baseline = rates[key], rates[f"{key} parse"]
    ratios = round_ratios(baseline, measured)
    details = {"rounds": [round(rate) for rate in measured], "ratios": [round(ratio, 3) for ratio in ratios]}
    rate, beside = Quantity(median(measured), "/s"), Quantity(median(baseline), "/s")
    figure = Quantity(median(ratios))
    return Result(what, rate, beside, "reading headers only", figure, Budget(most=most), note, details)
