"""Transfers over time: from the run's capture where there is one, else from the client's own counter."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Final

from testbed.capture.annotated_frames import annotated_frames
from testbed.censor.flow import FlowKey
from testbed.censor.packet import TCP, UDP, parse
from testbed.explain.evidence import MeasuredFlows
from testbed.htmlreport.eventcounts import RateLimit
from testbed.htmlreport.facts import RateCurve
from testbed.measurement.ooni import NetworkEvent

STEP: Final = 0.25  # s: that of the client's counter (docs/run-folder.md)
LONGEST: Final = 480  # steps that are drawn, two minutes; our choice
_MOST: Final = 60  # transfers of one run; our choice
_IP: Final = (b"\x08\x00", b"\x86\xdd")
_COUNTER: Final = "bytes_received_cumulative"


@dataclass(slots=True)
class _Bins:
    """Octets of one transfer by step since its first packet."""

    up: bool
    end: float  # ns since 1970, when the measurement was over; what a box still held comes later
    begin: int | None = None  # ns
    octets: list[int] = field(default_factory=list)


def curves_of(
    capture: Path | None,
    measured: Iterable[MeasuredFlows],
    limits: Mapping[str, RateLimit],
    epoch: float = 0.0,
) -> tuple[RateCurve, ...]:
    """A curve for each bulk transfer of the built-in probe; those that a rule limited come first.

    `capture`: None if there is none with every packet. `epoch`: the run's start, in seconds since 1970; 0
    if it is not known.
    """
    bulk = [one for one in measured if one.measurement.test_keys.speed is not None and one.flows]
    bulk.sort(key=lambda one: not any(flow in limits for flow in one.flows))
    kept = bulk[:_MOST]
    wanted = {_carrier(one): _Bins(_direction(one) == "up", _end(one, epoch)) for one in kept}
    if capture is not None:
        _fill(capture, wanted)
    found = []
    for one in kept:
        bins = wanted[_carrier(one)]
        rates = [octets * 8 / STEP for octets in bins.octets[:LONGEST]]
        source = "capture"
        if not rates and _direction(one) == "down":
            rates, source = from_counter(one.measurement.test_keys.network_events), "the client's counter"
        if rates:
            limit = next((limits[flow] for flow in reversed(one.flows) if flow in limits), None)
            found.append(
                RateCurve(
                    one.measurement.vantage,
                    one.measurement.target,
                    _direction(one),
                    STEP,
                    tuple(rates),
                    source,
                    rule=limit.rule if limit else "",
                    action=limit.action if limit else "",
                    limit=limit.rate if limit else None,
                )
            )
    return tuple(found)


def from_counter(events: Sequence[NetworkEvent]) -> list[float]:
    """Bits per second in each step, of the connection that received most."""
    totals: dict[str, dict[int, int]] = {}
    for one in events:
        if one.operation == _COUNTER and one.num_bytes is not None and one.t is not None and one.address:
            step = max(0, -int(-one.t // STEP) - 1)  # what had come by the end of the step
            totals.setdefault(one.address, {})[step] = one.num_bytes
    if not totals:
        return []
    chosen = max(totals.values(), key=lambda steps: max(steps.values()))
    rates, before = [], 0
    for step in range(min(LONGEST, max(chosen) + 1)):
        total = max(before, chosen.get(step, before))
        rates.append((total - before) * 8 / STEP)
        before = total
    first = next((number for number, rate in enumerate(rates) if rate), len(rates))
    return rates[first:]


def _carrier(one: MeasuredFlows) -> str:
    """The flow of the transfer itself: the last that was opened."""
    return one.flows[-1]


def _end(one: MeasuredFlows, epoch: float) -> float:
    runtime = one.measurement.runtime
    known = one.began is not None and runtime is not None and epoch
    return (epoch + (one.began or 0.0) + (runtime or 0.0)) * 1e9 if known else inf


def _direction(one: MeasuredFlows) -> str:
    speed = one.measurement.test_keys.speed
    return speed.direction if speed is not None and speed.direction in ("up", "down") else "down"


def _fill(capture: Path, wanted: Mapping[str, _Bins]) -> None:
    """Count what arrives at the receiver, packet by packet."""
    if not wanted:
        return
    for frame in annotated_frames(capture):
        place = frame.interface.partition(".")[0]
        if frame.outgoing or place not in ("client", "server") or frame.frame[12:14] not in _IP:
            continue
        packet = parse(frame.frame[14:])
        if packet is None or packet.fragment or packet.protocol not in (TCP, UDP):
            continue
        ends = (packet.source, packet.sport, packet.destination, packet.dport)
        up = place == "server"
        bins = wanted.get(str(FlowKey(*(ends if up else (*ends[2:], *ends[:2])), packet.protocol)))
        if bins is None or bins.up is not up or frame.time > bins.end:
            continue
        if bins.begin is None:
            bins.begin = frame.time
        step = int((frame.time - bins.begin) / 1e9 / STEP)
        if 0 <= step < LONGEST:
            bins.octets += [0] * (step + 1 - len(bins.octets))
            bins.octets[step] += len(packet.raw)
