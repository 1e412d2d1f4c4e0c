"""Flows of a run in a world: under drawn names, cut out of the capture at the client, and labelled."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from random import Random

from testbed.capture.file import open_capture
from testbed.capture.link import offset_finder
from testbed.censor.packet import ICMP, ICMP6, TCP, UDP, Packet, parse
from testbed.dataset.flowcut import LabelledFlow, deciding, labelled, transport_of, truth_columns
from testbed.dataset.naming import asked_name, named_phase, renamed_target
from testbed.dryrun.trial import DryPlace, DryTrial
from testbed.dryrun.way import WayPacket
from testbed.measurement.ooni import Measurement
from testbed.measurement.target import endpoint_text
from testbed.model import OUTSIDE, Scenario
from testbed.run.result import RunResult
from testbed.scenario.labels import CAUSELESS
from testbed.truth.expected import truth
from testbed.truth.proofs import fired_on, is_rule, on_flows

_BILLION = 1_000_000_000
_CLIENT = "probe"  # the shape of the built-in probe's first packets


def drawn_scenario(scenario: Scenario, phase: str, vantages: Sequence[str], chance: Random) -> Scenario:
    """What the censors of a phase interfere with, under drawn names, and by a coin without those censors.

    What is expected is then `ok`, so that a run without them agrees.
    """
    cases = [one for one in truth(scenario, phase, vantages) if one.vantage != OUTSIDE]
    named = named_phase(scenario, phase, cases, chance)
    filtered = chance.random() < 0.5
    expected = tuple(
        replace(one, target=renamed_target(one.target, named.names))
        for one in scenario.expect
        if one.phase == phase and one.outcome not in CAUSELESS
    )
    if not filtered:
        expected = tuple(
            replace(one, outcome="ok", by="", rate=None, received=None, share=None, tries=1)
            for one in expected
        )  # fmt: skip
    placements = named.placements if filtered else ()
    return replace(
        scenario,
        world=named.world,
        phases={phase: replace(scenario.phases[phase], placements=placements, sites={}, links={})},
        default_phase=phase,
        expect=expected,
        controls=tuple(renamed_target(one, named.names) for one in scenario.controls),
        circumvention=(),
    )


def live_flows(result: RunResult, scenario: Scenario, chance: Random) -> Iterator[LabelledFlow]:
    """A flow for each measurement of what is expected; `scenario` is the one that was run, with one phase.

    The run has to have a capture.
    """
    assert result.judgement is not None
    assert result.captured is not None
    (phase,) = scenario.phases.items()
    targets = {one.target.url: one.target for one in scenario.expect}
    measured: dict[tuple[str, str], Measurement] = {}
    for one in result.measurements:
        measured.setdefault((one.vantage, one.target), one)
    for vantage in result.job.vantages:
        seen = _by_flow(str(result.captured.file), vantage)
        place = DryPlace(scenario.world, phase[1].placements, vantage, scenario.seed)
        rows = {row.target: row for row in reversed(result.judgement.rows) if row.vantage == vantage}
        for url, row in rows.items():
            found = measured.get((vantage, url))
            if found is None or row.role != "expectation" or row.observed == "broken":
                continue
            own = found.test_keys.flows or ()
            packets = sorted((each for flow in own for each in seen.get(flow, ())), key=lambda each: each.at)
            if not packets:
                continue
            label, target = row.observed, targets[url]
            lookup = row.expected.startswith("dns.") or label.startswith("dns.")
            cut = deciding(packets, lookup=lookup)
            acted = fired_on(on_flows(result.receipts, own))
            rule = next((one for one in acted if is_rule(one, vantage, row.by)), next(iter(acted), ""))
            about = {
                "scenario": scenario.name, "phase": phase[0], "vantage": vantage, "ipv": result.job.ipv,
                "client_shape": _CLIENT, "filtered": bool(phase[1].placements), "name": asked_name(target),
                "transport": transport_of(target, cut),
                **truth_columns(place, rule, DryTrial(found, ()), label),
            }  # fmt: skip
            yield labelled(cut, about, chance)


def _by_flow(capture: str, vantage: str) -> Mapping[str, list[WayPacket]]:
    """What passed a client's interface, by the flow as the probe names it."""
    found: dict[str, list[WayPacket]] = {}
    with open_capture(capture, f"client.{vantage}") as records:
        for time, link, data, _ in records:
            finder = offset_finder(link)
            at = finder(data) if finder else -1
            raw = data[at:] if at >= 0 else b""
            packet = parse(raw)
            if packet is None:
                continue
            about = parse(packet.payload) if packet.protocol in (ICMP, ICMP6) else packet
            if about is None or about.protocol not in (TCP, UDP):
                continue
            for name, up in _names(about):
                # An ICMP error goes the other way than the packet that it quotes.
                one = WayPacket(time / _BILLION, raw[: packet.end], up is (about is packet))
                found.setdefault(name, []).append(one)
    return found


def _names(packet: Packet) -> Iterator[tuple[str, bool]]:
    """The names that a packet's flow may have, and whether it went up if that is the one."""
    proto = "tcp" if packet.protocol == TCP else "udp"
    source, destination = (
        endpoint_text(str(ip_address(end)), port)
        for end, port in ((packet.source, packet.sport), (packet.destination, packet.dport))
    )
    yield f"{proto} {source} > {destination}", True
    yield f"{proto} {destination} > {source}", False
