"""The censor: packet in, decision out.

One `Censor` is one box. It keeps flows and nothing else; time, seed and packets come from outside, so a
queue, a capture file and a test drive the same code and get the same decisions.
"""

from dataclasses import replace
from hashlib import blake2b
from typing import Any, Final

from testbed.censor import account
from testbed.censor.actions.base import AnyAction, Context, S
from testbed.censor.decision import DOWN, PASS, UP, Decision, Direction, Event, Verdict
from testbed.censor.flow import ESTABLISHED, MAX_FLOWS, Care, Flow, FlowTable
from testbed.censor.fragments import Fragments
from testbed.censor.handover import MOST_PER_RULE, PASSED, Drop, Handover, Pass, Police
from testbed.censor.hold import Hold
from testbed.censor.inspect import NOTHING, Content, Kind, Reading
from testbed.censor.inspectors import Inspector
from testbed.censor.match import CompiledRule, compiled, wanted
from testbed.censor.packet import SYN, TCP, UDP, Packet, parse
from testbed.censor.policy import Policy
from testbed.censor.profile import Profile
from testbed.censor.unread import Watch

_INSPECTED: Final = (TCP, UDP)
_IGNORED: Final = Care.IGNORED  # a name of the module is found sooner
_LONGEST: Final = 65_535  # bytes of an IP packet


class TechniqueError(Exception):
    """An action decided something that cannot be carried out; the message names the action."""


class Censor:
    """One box with its policy.

    Packets that cannot be read (truncated, wrong lengths) pass. Of a fragmented packet the first fragment
    decides, by its addresses and ports and by what holds its flow; what it carries is never looked into
    (CP22: a ClientHello in fragments is not matched).
    """

    def __init__(
        self,
        policy: Policy,
        seed: int,
        *,
        time_scale: float = 1.0,
        max_flows: int = MAX_FLOWS,
        rules: list[CompiledRule] | None = None,
    ) -> None:
        """`time_scale`: how many times faster than real time the clock behind `now` runs.

        `rules`: `compiled(policy)`, where it has been made beforehand.

        What is handed over is a kernel's: nft live, `testbed.censor.softkernel` where there is none.
        """
        self.drawn = False  # whether the seed has had a say; if not, every seed decides the same
        self._time_scale = time_scale
        self._seed = seed.to_bytes(8, "big", signed=True)
        self._profile = policy.profile
        self._in_path = policy.profile.in_path
        self._stateless = policy.profile.stateless.value
        # Rules by address, whoever sends.
        self._both_ways = self._stateless or policy.profile.kind == "outage"
        self._evicted = 0  # by the actions' own tables, as their events say
        self._flows = FlowTable(self._profile, max_flows)
        self._fragments = Fragments(self._profile.fragments.value, self._judged)
        self._adopt(policy, compiled(policy) if rules is None else rules)

    def reload(self, policy: Policy, rules: list[CompiledRule] | None = None) -> None:
        """Judge by this policy from the next packet on; flows keep their roles, timers and fate.

        Only what the rules match may differ. `rules` is `compiled(policy)`, which for long lists takes a
        second and may be made beforehand, in another thread. ValueError if the policy is not of this box.
        """
        self.must_fit(policy)
        self._adopt(policy, compiled(policy) if rules is None else rules)

    def must_fit(self, policy: Policy) -> None:
        """ValueError unless the policy has this one's profile, and its rules' names and actions in order.

        Where only data decided, it still must: the kernel passes the segments without.
        """
        if policy.profile != self._profile:
            raise ValueError(f"the profile is {policy.profile.name}, and was {self._profile.name}")
        old = [(rule.name, rule.action) for rule in self.policy.rules]
        new = [(rule.name, rule.action) for rule in policy.rules]
        for was, now in zip(old, new, strict=False):
            if was != now:
                raise ValueError(f"the rule {was[0]!r} with {was[1]!r} has become {now[0]!r} with {now[1]!r}")
        if len(old) != len(new):
            raise ValueError(f"there are {len(new)} rules, and were {len(old)}")
        if self.policy.triggered_by_data and not policy.triggered_by_data:
            raise ValueError("a rule by address, port or history, where only data decided; begin a new run")

    def _adopt(self, policy: Policy, rules: list[CompiledRule]) -> None:
        for rule in policy.rules:
            rule.action.prepare()
        self.policy, self._rules = policy, rules
        self._misses_some = bool(policy.off or policy.upstream_only or policy.bypass)
        self._plain = [i for i, rule in enumerate(rules) if not rule.roles_reversed and not rule.outside]
        self._flipped = [i for i, rule in enumerate(rules) if rule.roles_reversed]
        self._either = [i for i in self._plain if policy.rules[i].action.either_opener and not rules[i].kinds]
        outside = [i for i, rule in enumerate(rules) if rule.outside]
        self._plain_outside = sorted(self._plain + outside)
        self._either_outside = sorted(self._either + outside)
        self._keeps_history = any(rule.history for rule in rules)
        self._spreading = {i for i, rule in enumerate(policy.rules) if rule.action.spreads}
        self._profiles = [policy.profiles_of(rule) for rule in policy.rules]
        self._declared = [self._declaration(index) for index in range(len(policy.rules))]
        hello = {Kind.TLS, Kind.INITIAL}  # what comes in several packets
        self._exempting = {
            i for i, rule in enumerate(policy.rules) if rule.action.exempts and rules[i].kinds & hello
        }
        looked_for, draws = wanted(policy, rules), (self._draw, self._draw_by_pair)
        self._inspector = Inspector(self._profile, looked_for, rules, *draws, exempts=bool(self._exempting))
        self._by_data = policy.triggered_by_data
        self._data_alone = self._by_data and self._inspector.needs_data_alone

    @property
    def evictions(self) -> int:
        """How many flows, packets in fragments, or entries of a technique gave way in a full table."""
        return self._flows.evictions + self._evicted + self._fragments.evictions

    @property
    def fragments_discarded(self) -> int:
        """How many fragments were dropped for good: too many, overlapping, or never completed."""
        return self._fragments.discarded

    def process(self, raw: bytes, direction: Direction, now: float) -> Decision:
        """Decide about one packet seen at time `now` (seconds, never going back)."""
        packet = parse(raw)
        if packet is None or (self._misses_some and self._misses(packet, direction, now)):
            return PASS
        if packet.fragment:  # a mirror port's copies of fragments are not put together
            return self._fragments.process(packet, direction, now) if self._in_path else PASS
        return self._judged(packet, direction, now)

    def _judged(self, packet: Packet, direction: Direction, now: float) -> Decision:
        """Decide about a packet that is whole, or begins one."""
        flow = self._flows.track(packet, direction, now)
        if self._keeps_history:
            flow.history.add(packet, direction)
        elif flow.care is _IGNORED and flow.inspection.watch is None and not self._spreading:
            return self._given_up(packet, flow)
        if (hold := flow.hold) is not None and now >= hold.until:
            flow.end_hold()
        if flow.hold is not None:
            decision = self._held(packet, direction, flow, now)
        elif self._data_alone and packet.protocol == TCP and packet.end == packet.payload_at:
            return PASS  # with it the flow is up to date, and that is all
        else:
            decision = self._unheld(packet, direction, flow, now)
        if decision.events:
            self._evicted += sum(event.kind == "evict" for event in decision.events)
        return decision

    def _held(self, packet: Packet, direction: Direction, flow: Flow, now: float) -> Decision:
        """A rule has this flow: its action decides, unless a rule above takes the flow over."""
        hold = flow.hold
        assert hold is not None
        action = hold.action
        if action.keeps_inspecting and flow.reading:
            above = [index for index in self._plain if index < hold.rule and self._rules[index].kinds]
            if (found := self._first_match(above, packet, direction, flow, now)) is not None:
                flow.end_hold()
                return self._trigger(*found, packet, direction, flow, now)
        profile = self._profile_of(hold.rule, flow)
        if action.refreshes(profile):
            hold.until = now + action.holds_for(profile)
        unsure: Any = action  # of what it answers: a compiled core would believe the type
        answer: object = unsure.on_packet(self._context(packet, direction, flow, now, hold.rule, hold.state))
        return PASS if answer is PASS else self._owned(answer, hold.rule, packet, flow)

    def _unheld(self, packet: Packet, direction: Direction, flow: Flow, now: float) -> Decision:
        """No rule has this flow yet: does one match this packet, or may one match a later packet?"""
        given_up = flow.care is _IGNORED
        # CP22 Fig. 7: the last SYN names the client, but a flow that the outside began is never armed.
        inside = flow.client is UP and flow.opener is UP
        armed = inside or not self._profile.inside_opens.value
        rules = self._consulted(flow, armed=armed)
        if given_up:
            rules = self._late(rules, flow, now) if self._keeps_history or self._spreading else []
        if rules:
            if (found := self._first_match(rules, packet, direction, flow, now)) is not None:
                return self._trigger(*found, packet, direction, flow, now)
            if not given_up and self._may_yet_match(rules, packet, flow, now):
                watch = flow.inspection.watch
                return PASS if watch is None else self._watched(watch, PASS, packet, direction, flow)
        if armed:
            flow.ignore()
        decision, watch = self._given_up(packet, flow), flow.inspection.watch
        return decision if watch is None else self._watched(watch, decision, packet, direction, flow)

    def _late(self, rules: list[int], flow: Flow, now: float) -> list[int]:
        """Those that may take a flow that the box has given up, but none below one that exempts it."""
        last = len(self._rules) if flow.exempt_by is None else flow.exempt_by
        return [
            index for index in rules
            if index < last and (
                self._rules[index].whenever or (index in self._spreading and self._wants(index, flow, now))
            )
        ]  # fmt: skip

    def _wants(self, index: int, flow: Flow, now: float) -> bool:
        """Whether a rule takes a flow for what it did to others."""
        return bool(self.policy.rules[index].action.wants(flow, index, now))

    def _watched(
        self, watch: Watch, decision: Decision, packet: Packet, direction: Direction, flow: Flow
    ) -> Decision:
        """The same decision, with an event if a listed name has gone by; the flow stays here until then."""
        if watch.over:
            return decision
        if not packet.has_payload or packet.flags & SYN:
            return PASS
        if direction is not flow.asks:
            watch.over = packet.protocol == TCP  # the server has an answer: it read the beginning
            return decision if watch.over else PASS
        content = watch.add(packet)
        if content is None:
            return decision if watch.over else PASS
        reading = Reading((content,))
        index = next((one for one in self._plain if self._shown(one, reading, packet, flow)), None)
        if index is None or index in self._exempting:
            return decision
        box = f"this box (model {self._inspector.model_of(flow).key})"
        detail = {"name": content.name, "why": watch.why.replace("this box", box)}
        event = Event("unread", self.policy.rules[index].name, str(flow.key), detail)
        return replace(decision, events=(*decision.events, event))

    def _given_up(self, packet: Packet, flow: Flow) -> Decision:
        """Leave the flow to the kernel, but not before its last stage, which says when to forget it."""
        settled = flow.stage == ESTABLISHED or self.policy.upstream_only
        return PASSED if settled and packet.protocol in _INSPECTED else PASS

    def _consulted(self, flow: Flow, *, armed: bool) -> list[int]:
        """The rules, in order, that apply to a flow with these roles."""
        if flow.opener is DOWN:
            return self._plain_outside if armed else self._either_outside
        return self._plain if armed else self._either + self._flipped

    def _first_match(
        self, rules: list[int], packet: Packet, direction: Direction, flow: Flow, now: float
    ) -> tuple[int, Content | None] | None:
        """The first rule that this packet shows to match, with the content that shows it."""
        reading = self._read(packet, direction, flow)
        outside, port = flow.key.outside, flow.port
        # Packets of the outside count where it may be a client.
        heard = direction is UP or self._both_ways
        shows = reading is not NOTHING or flow.inspection.shown is not None
        for index in rules:
            rule, content = self._rules[index], None
            if index in self._spreading and self._wants(index, flow, now):
                return index, None
            if not rule.kinds:
                if not ((heard or rule.outside) and rule.header_fits(packet, outside, port)):
                    continue
            elif not shows:
                continue
            elif (content := self._shown(index, reading, packet, flow)) is None:
                if reading.more and index in self._exempting and rule.header_fits(packet, outside, port):
                    return None  # an exemption that the next segment may show comes before the rules below it
                continue
            if rule.history and not (holds := rule.history_fits(packet, flow, now)):
                if content is not None and holds is None:  # until its history is decided
                    flow.inspection.shown = {**(flow.inspection.shown or {}), index: content}
                continue
            return index, content
        return None

    def _shown(self, index: int, reading: Reading, packet: Packet, flow: Flow) -> Content | None:
        """What a rule looks for, in this packet or, if its history was undecided then, in an earlier one."""
        contents, rule = reading.contents, self._rules[index]
        if reading.joined and index in self._exempting:
            contents = (*contents, *reading.joined)
        for content in contents:
            if (
                rule.content_fits(content)
                and rule.looks_at(content.kind, flow.port)
                and rule.header_fits(packet, flow.key.outside, flow.port)
            ):
                return content
        return flow.inspection.shown.get(index) if flow.inspection.shown else None

    def _read(self, packet: Packet, direction: Direction, flow: Flow) -> Reading:
        """What the packet shows; decides whether later payloads of this flow are looked at."""
        inspector = self._inspector
        if packet.fragment or packet.protocol not in _INSPECTED or not inspector.wants(packet, flow):
            return NOTHING
        if not inspector.takes(packet, direction, flow) or not inspector.reads(packet, direction, flow):
            return NOTHING
        return inspector.look(packet, direction, flow)

    def _may_yet_match(self, rules: list[int], packet: Packet, flow: Flow, now: float) -> bool:
        """Whether a later packet of this flow could show something: content, a header, or its history."""
        if not flow.reading and self._by_data:
            return False
        if packet.protocol in _INSPECTED and self._inspector.wants(packet, flow):
            return True
        outside, port, shown = flow.key.outside, flow.port, flow.inspection.shown or ()
        for index in rules:
            rule = self._rules[index]
            waits = index in shown if rule.kinds else rule.address_fits(packet, outside, port)
            if waits and (not rule.history or rule.history_fits(packet, flow, now) is not False):
                return True
        return False

    def _misses(self, packet: Packet, direction: Direction, now: float) -> bool:
        """Whether the packet does not meet this box, or meets it while it is off."""
        policy = self.policy
        return (
            any(begin <= now < end for begin, end in policy.off)
            or (policy.upstream_only and direction is DOWN)
            or (policy.bypass > 0 and self._takes_another_path(packet))
        )

    def _takes_another_path(self, packet: Packet) -> bool:
        """Load sharing by hosts and protocol, the same both ways (ASBI): some never meet this box."""
        at = packet.source, packet.destination, packet.protocol
        return self._draw_for(*at, "path") < self.policy.bypass

    def _draw_for(self, one: bytes, other: bytes, protocol: int, purpose: str) -> float:
        """A number in [0, 1) fixed by the seed, a protocol and two hosts, whichever is named first."""
        self.drawn = True
        pair = b"".join(sorted((one, other)))
        what = f"{protocol} {purpose}".encode()
        digest = blake2b(pair + what, key=self._seed, digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64

    def _draw_by_pair(self, flow: Flow, purpose: str) -> float:
        key = flow.key
        return self._draw_for(key.inside, key.outside, key.protocol, purpose)

    def _trigger(
        self,
        index: int,
        content: Content | None,
        packet: Packet,
        direction: Direction,
        flow: Flow,
        now: float,
    ) -> Decision:
        """A rule matches: hold the flow and let the action decide, unless the box misses."""
        rule = self.policy.rules[index]
        action: AnyAction = rule.action
        detail: dict[str, object] = {"action": action.key}
        if index in self._spreading and self._wants(index, flow, now):
            detail["spread"] = True  # not for what it matches
        elif fields := self._rules[index].fields(content):
            detail["fields"] = list(fields)
        if content is not None and content.name:
            detail["name"] = content.name
        if packet.protocol == TCP and flow.first is not None and direction is flow.asks:
            ahead = (packet.seq - flow.first + (1 << 31)) % (1 << 32) - (1 << 31)
            detail |= {"place": ahead, "bytes": packet.end - packet.payload_at}
        elif packet.protocol == UDP and packet.has_payload:
            detail["bytes"] = packet.end - packet.payload_at
        detail |= account.seen(flow, packet, self._inspector.model_of(flow))
        share = self.policy.missed_share(rule.action.key, content.kind if content is not None else None)
        if share and self._draw(flow, f"miss {rule.name}") < share:
            if not self._stateless:
                flow.ignore()
                if index in self._spreading:
                    flow.exempt_by = index  # missed once, and not again by each packet
            missed = Event("miss", rule.name, str(flow.key), detail)
            return replace(self._given_up(packet, flow), events=(missed,))
        query = content is not None and content.kind is Kind.DNS
        held = 0.0 if query or self._stateless else action.holds_for(self._profile_of(index, flow))
        state = action.begin(self._context(packet, direction, flow, now, index, None))
        if held > 0:
            detail |= {"holds": held, "refreshes": action.refreshes(self._profile_of(index, flow))}
            flow.take(Hold(index, action, now + held, state))
        flow.reading = True  # a rule that does not hold the flow sees its later packets again,
        flow.inspection.forget_judged()  # and this one, if it is sent again
        unsure: Any = action
        answer: object = unsure.on_match(self._context(packet, direction, flow, now, index, state))
        owned = self._owned(answer, index, packet, flow)
        detail |= account.done(owned, now)
        events = (one if one.kind != "learn" else replace(one, rule=rule.name) for one in owned.events)
        return replace(owned, events=(Event("match", rule.name, str(flow.key), detail), *events))

    def _owned(self, decision: object, index: int, packet: Packet, flow: Flow) -> Decision:
        """An action's answer as it can be carried out, in the name of its rule.

        TechniqueError for what cannot: so no effect is without an owner, and no kernel guesses.
        """
        if not isinstance(decision, Decision):
            raise self._wrong(index, f"answers {decision!r:.80}, not a Decision")
        verdict, release_at = decision.verdict, decision.release_at
        if verdict is Verdict.REPLACE and not self._replaces(decision, index, packet):
            verdict = Verdict.PASS
        handover = self._handed_over(decision, index, packet, flow)
        if not self._in_path:  # a mirror port shows copies: the packet itself passes
            verdict, handover, release_at = Verdict.PASS, None, None
        replacement = decision.packet if verdict is Verdict.REPLACE else None
        acts = verdict is not Verdict.PASS or decision.inject or release_at is not None
        rule = index if acts or not (handover is None or isinstance(handover, Pass)) else None
        whose = None if rule is None else flow.key
        return Decision(
            verdict, replacement, decision.inject, release_at, handover, rule, decision.events, whose
        )

    def _replaces(self, decision: Decision, index: int, packet: Packet) -> bool:
        """Whether the replacement is another packet than this one."""
        if not decision.packet or len(decision.packet) > _LONGEST:
            raise self._wrong(index, f"replaces a packet by {len(decision.packet or b'')} bytes")
        return decision.packet != packet.raw[: packet.end]

    def _handed_over(self, decision: Decision, index: int, packet: Packet, flow: Flow) -> Handover | None:
        """What is left to the kernel: something declared, of a flow that the rule holds; or `Pass`."""
        handover = decision.handover
        if isinstance(handover, Pass):
            if self._stateless:
                return None
            if flow.hold is None:
                flow.ignore()
                if self.policy.rules[index].action.exempts:
                    flow.exempt_by = index
            return self._given_up(packet, flow).handover
        if handover is not None and handover not in self._declared[index]:
            raise self._wrong(index, f"hands over {handover}, which its handovers() does not declare")
        return None if flow.hold is None else handover

    def _declaration(self, index: int) -> tuple[Handover, ...]:
        """What the action of a rule may hand over."""
        found: dict[Handover, None] = {}
        for profile in self._profiles[index]:
            declared = self.policy.rules[index].action.handovers(profile)
            if not isinstance(declared, tuple) or not all(isinstance(one, Drop | Police) for one in declared):
                raise self._wrong(
                    index, f"declares the handovers {declared!r:.80}, not a tuple of Drop and Police"
                )
            found |= dict.fromkeys(declared)
        if len(found) > MOST_PER_RULE:
            raise self._wrong(index, f"declares {len(found)} handovers; there is room for {MOST_PER_RULE}")
        return tuple(found)

    def _profile_of(self, index: int, flow: Flow) -> Profile:
        """The profile as a rule's action sees it in this flow."""
        return self._profiles[index][-1 if flow.key.protocol == UDP else 0]

    def _wrong(self, index: int, what: str) -> TechniqueError:
        rule = self.policy.rules[index]
        return TechniqueError(f"the action {type(rule.action).__name__} of rule {rule.name!r} {what}")

    def _context(
        self, packet: Packet, direction: Direction, flow: Flow, now: float, rule: int, state: S
    ) -> Context[S]:
        return Context(
            packet,
            direction,
            flow,
            now,
            rule,
            self._profile_of(rule, flow),
            lambda purpose: self._draw(flow, purpose),
            state,
            self._time_scale,
        )

    def _draw(self, flow: Flow, purpose: str) -> float:
        """A number in [0, 1) fixed by the seed and by which flow this is, not by its source port.

        Kernels choose source ports as they like; the flow's ordinal among those between two hosts and to one
        port does not depend on that, so the same client gives the same decisions again.
        """
        self.drawn = True
        key = flow.key
        what = f"{key.protocol} {key.outside_port} {flow.ordinal} {purpose}".encode()
        digest = blake2b(key.inside + key.outside + what, key=self._seed, digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64
