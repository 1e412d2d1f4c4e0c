"""From the evidence of a run to the story of one flow."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from testbed.explain import phrases
from testbed.explain.chosen import ChosenFlow
from testbed.explain.clientside import CLIENT, SERVER, client_steps, name_in
from testbed.explain.evidence import RunEvidence
from testbed.explain.flowstory import FlowStory, Lane, StoryStep
from testbed.explain.packetsteps import Trigger, asked_in, packet_steps
from testbed.explain.why import match_of, reasons
from testbed.explain.whynot import AskedFor
from testbed.model import OUTSIDE
from testbed.run.events import ends_of


def compose(evidence: RunEvidence, chosen: ChosenFlow) -> FlowStory:
    """The story of the flow."""
    flow, measured = chosen.flow, chosen.measured
    scenario, phase = evidence.scenario, _phase(evidence, flow)
    vantage = measured.measurement.vantage if measured else _vantage_of(scenario, flow)
    name, protocol = name_in(measured, flow) if measured else ("", "")
    placements = _placements(scenario, phase, vantage, flow)
    models = {f"{one['name']}": one for one in placements}
    events = evidence.events_of(flow) if flow else []
    for place in placements:
        if place["at"] == "resolver" and name:
            events += [one for one in evidence.resolver_events(name) if one["censor"] == place["name"]]
    packets, triggers = packet_steps(
        evidence.folder, flow, placements, float(evidence.start.get("epoch", 0.0))
    )
    if not name:
        name, protocol = asked_in(packets)
    named = next((str(one["detail"]["name"]) for one in events if one.get("detail", {}).get("name")), "")
    name = name or named
    acts = evidence.acts_on(flow) if flow else {}
    censor_steps = [step for event in events for step in _steps(event, models, acts, evidence)]
    client = client_steps(measured, flow) if measured else []
    if packets:
        steps = beside_packets(packets, triggers, censor_steps, client)
    else:
        steps = in_order(client, censor_steps)
    stopped = any(one.get("kernel") for one in acts.values())
    proven = all(place["name"] in _censors(evidence) for place in placements)
    why = reasons(placements, events, acts, _asked(flow, name, protocol))
    missing = [
        *evidence.missing,
        *_missing(evidence, placements, has_client=measured is not None or bool(packets)),
    ]
    others = tuple(one for one in measured.flows if one != flow) if measured else ()
    return FlowStory(
        run=str(evidence.folder),
        scenario=str(scenario.get("name", "")),
        phase=phase,
        flow=flow,
        vantage=vantage,
        target=measured.measurement.target if measured else "",
        name=name,
        outcome=_outcome(evidence, vantage, measured.measurement.target if measured else "", phase),
        stopped=stopped or (False if proven else None),
        lanes=_lanes(vantage, placements, flow, name),
        steps=tuple(steps),
        why=tuple(why),
        others=others,
        missing=tuple(dict.fromkeys(missing)),
        packets=bool(packets),
    )


def in_order(client: Sequence[StoryStep], censors: Sequence[StoryStep]) -> list[StoryStep]:
    """Both in the order of cause and effect.

    Clocks agree, but a busy machine writes things down late: what a censor did about a packet comes after
    the client sent that packet, and before whatever the client received next.
    """
    found = list(client)
    for group in _groups(censors):
        head = group[0]
        cause = _cause(found, head)
        after = next(
            (i for i in range(cause + 1, len(found)) if found[i].kind in ("received", "ended")), len(found)
        )
        by_clock = cause + 1
        if head.t is not None:
            while by_clock < after and (found[by_clock].t is None or (found[by_clock].t or 0) <= head.t):
                by_clock += 1
        place = min(by_clock, after)
        found[place:place] = group
        if head.detail.get("verdict") == "drop" and cause >= 0 and found[cause].to:
            found[cause] = replace(found[cause], stops=head.lane)
        found = [
            _cut(step, head, cuts=index > place and bool(head.detail.get("cuts")))
            for index, step in enumerate(found)
        ]
    return found


def beside_packets(
    packets: Sequence[StoryStep],
    triggers: Sequence[Trigger],
    censors: Sequence[StoryStep],
    client: Sequence[StoryStep],
) -> list[StoryStep]:
    """Arrows of a capture, with what a censor did right behind the packet that triggered it."""
    behind: dict[int, list[StoryStep]] = {}
    known = list(triggers)
    for group in _groups(censors):
        mine = next((one for one in known if one.censor == group[0].lane), None)
        if mine is not None:
            known.remove(mine)
        behind.setdefault(mine.index if mine else len(packets) - 1, []).extend(group)
    ended = [step for step in client if step.kind == "ended"]
    found: list[StoryStep] = []
    for index, arrow in enumerate(packets):
        while ended and ended[0].t is not None and arrow.t is not None and ended[0].t < arrow.t:
            found.append(ended.pop(0))
        found += [arrow, *behind.get(index, ())]
    return [*found, *ended]


def _cut(step: StoryStep, head: StoryStep, *, cuts: bool) -> StoryStep:
    """What the client sends after a rule that drops its packets ends at the censor."""
    return replace(step, stops=head.lane) if cuts and step.to and not step.stops else step


def _groups(censors: Sequence[StoryStep]) -> list[list[StoryStep]]:
    """The steps of one event stay together: they have its time."""
    groups: list[list[StoryStep]] = []
    for step in censors:
        if groups and step.kind != "saw" and groups[-1][0].lane == step.lane:
            groups[-1].append(step)
        else:
            groups.append([step])
    return groups


def _cause(steps: Sequence[StoryStep], head: StoryStep) -> int:
    """The index of what the client sent that a censor's step is about; -1 for none."""
    sent = [index for index, step in enumerate(steps) if step.kind == "sent"]
    if not sent:
        return max((i for i, s in enumerate(steps) if s.lane != CLIENT and _earlier(s, head)), default=-1)
    place, size = head.detail.get("place"), head.detail.get("bytes")
    if size == 0:
        return sent[0]
    data = [index for index in sent if steps[index].detail.get("size") != 0] or sent
    if place is None:  # a datagram: boxes judge a flow's first, and no other of its size came before
        return next((index for index in data if steps[index].detail.get("size") == size), data[0])
    written = 0
    for index in data:
        written += int(steps[index].detail.get("size") or 0)
        if written > place:
            return index
    return data[0]


def _earlier(one: StoryStep, other: StoryStep) -> bool:
    return one.t is None or other.t is None or one.t <= other.t


def _steps(
    event: Mapping[str, Any],
    places: Mapping[str, Mapping[str, Any]],
    acts: Mapping[str, Mapping[str, int]],
    evidence: RunEvidence,
) -> list[StoryStep]:
    """One event of a censor: what it saw, the rule, what it did, its timer, what the kernel counted."""
    flow = str(event.get("flow", ""))
    censor, rule, detail = str(event.get("censor")), str(event.get("rule")), event.get("detail", {})
    t = event.get("t")

    mine = acts.get(f"{censor}/{rule}")
    kernel = evidence.effects_of(f"{censor}/{rule}", flow) if mine else {}
    if mine and mine["up"] and (kernel.get("drop") or kernel.get("flow_drop")) and not kernel.get("replace"):
        detail = {**detail, "cuts": True}

    def step(kind: Any, words: str) -> StoryStep:
        return StoryStep(kind, censor, words, t, detail=dict(detail))

    kind = event.get("kind")
    if kind in ("unread", "miss"):
        why = detail.get("why") or "the box missed it, as its share of misses says"
        return [
            step("saw", f"{detail.get('name', 'it')} goes by: {why}"),
            step("passed", f"rule {rule} does not fire"),
        ]
    if kind != "match":
        return [step("did", f"{kind} {rule} {phrases.wanted(dict(detail))}".strip())]
    match = match_of(places.get(censor, {}), rule)
    action = str(detail.get("action", ""))
    seen = phrases.looked_at(detail) or "sees the packet"
    found = [
        step("saw", seen),
        step("matched", f"rule {rule} ({action}) matches on {phrases.matched_by(detail, match)}"),
    ]
    found += [step("did", words) for words in phrases.does(detail)]
    if timer := phrases.timer(detail):
        found.append(step("timer", timer))
    if mine:
        found.append(step("counted", phrases.counted(mine, kernel)))
    return found


def _asked(flow: str, name: str, protocol: str) -> AskedFor | None:
    if not flow:
        return None
    far = flow.partition(" > ")[2]
    return AskedFor(
        flow.partition(" ")[0], ends_of(flow)[1], int(far.rpartition(":")[2] or 0), name, protocol
    )


def _phase(evidence: RunEvidence, flow: str) -> str:
    """The phase of the run; of a world with several, the one in which rules acted on the flow."""
    given = (
        evidence.phase_of(flow)
        or evidence.summary.get("phase")
        or evidence.start.get("phase")
        or evidence.scenario.get("default_phase")
    )
    return str(given)


def _vantage_of(scenario: Mapping[str, Any], flow: str) -> str:
    """Whose subscriber a flow is, by its address."""
    from ipaddress import ip_address, ip_network

    near = ends_of(flow)[0]
    for operator in scenario.get("world", {}).get("operators", ()):
        for prefix in (operator["prefix4"], operator["prefix6"]):
            if near and ip_address(near) in ip_network(prefix):
                return str(operator["key"])
    return OUTSIDE


def _placements(scenario: Mapping[str, Any], phase: str, vantage: str, flow: str) -> list[Mapping[str, Any]]:
    """The censors on the flow's way, the nearest first; the operator's resolver only where it is asked."""
    all_of = scenario.get("phases", {}).get(phase, {}).get("placements", ())
    here = [one for one in all_of if one["operator"] == vantage]
    hops = sorted((one for one in here if one["at"] == "hop"), key=lambda one: one["hop"])
    asked = flow.endswith(":53") and vantage == _vantage_of(scenario, f"udp {flow.partition(' > ')[2]} > x:1")
    return hops + [one for one in here if one["at"] == "resolver" and asked]


def _lanes(vantage: str, placements: Sequence[Mapping[str, Any]], flow: str, name: str) -> tuple[Lane, ...]:
    censors = [
        Lane(
            one["name"],
            one["name"],
            f"hop {one['hop']}, {one['profile']}" if one["at"] == "hop" else one["profile"],
        )
        for one in placements
    ]
    near, _, far = flow.partition(" ")[2].partition(" > ")
    return (Lane(CLIENT, vantage, near), *censors, Lane(SERVER, name or "server", far))


def _censors(evidence: RunEvidence) -> set[str]:
    return {name.partition(" (")[0] for name in evidence.receipts}


def _outcome(evidence: RunEvidence, vantage: str, target: str, phase: str) -> str:
    rows = evidence.summary.get("rows") or ()
    mine = [one for one in rows if (one["vantage"], one["target"]) == (vantage, target)]
    row = next((one for one in mine if one.get("phase", phase) == phase), None)
    if row is None:
        return ""
    if row["observed"] == row["expected"]:
        return f"{row['observed']}, as expected"
    return f"{row['observed']}, and should be {row['expected']} ({row['verdict']})"


def _missing(
    evidence: RunEvidence, placements: Sequence[Mapping[str, Any]], *, has_client: bool
) -> list[str]:
    there = _censors(evidence)
    lost = "it did not end in order, so what the kernel counted is not known"
    found = [f"no receipt of {place['name']}: {lost}" for place in placements if place["name"] not in there]
    return found if has_client else [*found, "what the client saw: it was a program of its own"]


def without_times(story: FlowStory) -> FlowStory:
    """The same with no times, for comparing two runs."""
    return replace(story, steps=tuple(replace(step, t=None) for step in story.steps))
