"""A policy as nftables text: what the kernel does alone, and what it asks the core.

Everything happens in one base chain per IP version, xtables' mangle FORWARD: nft's own `queue` is not in
every kernel, and a hook that a packet passes for nothing costs about 100 ns. A forwarded packet meets:

1. `before`: flows that were handed over are passed, dropped or policed;
2. xtables' NFQUEUE: all others go to the core;
3. the chain once more, if the core's verdict carries a mark ("repeat"): `verdict` reads it, counts on
   behalf of the rule, hands the flow over, drops or accepts.

`sent` sees what we inject.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from testbed.censor.actions.police import Police
from testbed.censor.decision import HandoverKind
from testbed.censor.policy import Policy
from testbed.censor.profile import Profile
from testbed.middlebox import marks
from testbed.middlebox.policer import Policer

PASSED_FLOWS = 1 << 20  # elements, two per flow; our choice: bounds kernel memory at about 150 MB
HELD_FLOWS = 1 << 17  # elements per rule, two per flow; our choice
_DELETED = ("chain", "set", "counter")  # in this order: a chain refers to sets and counters
COUNTED = ("drop", "replace", "inject", "police", "policed_drop", "flow_drop", "delay")


@dataclass(frozen=True, slots=True)
class Family:
    """The words that differ between the IP versions."""

    table: str  # as xtables names it
    ip: str
    address: str
    fragment: str  # matches every fragment, the first included
    later_fragment: str  # matches those without ports

    @property
    def key(self) -> str:
        """A packet's 4-tuple and protocol, as sent."""
        return f"{self.ip} saddr . th sport . {self.ip} daddr . th dport . meta l4proto"

    @property
    def reverse(self) -> str:
        """The same flow's other direction."""
        return f"{self.ip} daddr . th dport . {self.ip} saddr . th sport . meta l4proto"

    @property
    def flow_type(self) -> str:
        """The type of both."""
        return f"{self.address} . inet_service . {self.address} . inet_service . inet_proto"


FAMILIES = (
    Family("ip mangle", "ip", "ipv4_addr", "ip frag-off & 0x3fff != 0", "ip frag-off & 0x1fff != 0"),
    Family("ip6 mangle", "ip6", "ipv6_addr", "exthdr frag exists", "frag frag-off != 0"),
)


@dataclass(frozen=True, slots=True)
class _Held:
    """A rule whose flows the kernel may hold."""

    rule: int
    kind: HandoverKind
    timeout: str
    refresh: bool
    policer: Policer | None = None

    @property
    def name(self) -> str:
        """Of its set, and of the chain for the packets of that set."""
        return f"{self.kind.name.lower()}_{self.rule}"


def queueing(queue: int) -> str:
    """Input of iptables-nft-restore and ip6tables-nft-restore: makes the tables, queues every packet."""
    return f"*mangle\n-A FORWARD -j NFQUEUE --queue-num {queue}\nCOMMIT\n"


def ruleset(policy: Policy, time_scale: float = 1.0) -> str:
    """nft's input, to be loaded after `queueing`: the exceptions from the queue and what follows a verdict.

    Times are the policy's divided by `time_scale`; rates stay real: bit/s of IP packets, as a client
    measures them.
    """
    return "".join(pieces(policy, time_scale))


def pieces(policy: Policy, time_scale: float = 1.0) -> Iterator[str]:
    """The ruleset in pieces that may be loaded in turn; it begins to act with each IP version's last.

    An ordinary user's netlink socket does not take 50 rules at once.
    """
    rules = len(policy.rules)
    if rules > marks.MAX_RULES:
        raise ValueError(f"{rules} rules; the mark word has room for {marks.MAX_RULES}")
    held = _held(policy, time_scale)
    passed_for = milliseconds(passing_time(policy.profile) / time_scale)
    for family in FAMILIES:
        yield _piece(family, _common(family, passed_for))
        for rule in range(rules):
            yield _piece(family, _rule(family, rule, [one for one in held if one.rule == rule]))
        yield _piece(family, _ending(family, rules)) + f"insert rule {family.table} FORWARD jump before\n"


def removal(policy: Policy, time_scale: float = 1.0) -> str:
    """nft's input that takes out all that `queueing` and `ruleset` of the same policy put in."""
    lines = []
    for family in FAMILIES:
        text = "".join(one for one in pieces(policy, time_scale) if f"table {family.table} {{" in one)
        named = {kind: dict.fromkeys(re.findall(rf"\b{kind} (\w+) {{", text)) for kind in _DELETED}
        lines += [f"flush chain {family.table} {name}" for name in ("FORWARD", *named["chain"])]
        lines += [f"delete {kind} {family.table} {name}" for kind in _DELETED for name in named[kind]]
    return "\n".join(lines) + "\n"


def counter(what: str, rule: int) -> str:
    """The name of a rule's counter; `what` is one of `COUNTED`."""
    return f"{what}_{rule}"


def milliseconds(seconds: float) -> str:
    """A time as nft writes it, at least 1 ms."""
    return f"{max(1, round(seconds * 1000))}ms"


def passing_time(profile: Profile) -> float:
    """Seconds after which a passed flow's next packet goes to the core again, to be handed over afresh.

    Short beside the core's idle times, so that the core's memory of a busy flow does not run out; that is
    cheaper than having the kernel restart a timer on every packet (140 ns of 460).
    """
    return min(profile.idle_opening.value / 2, profile.idle_established.value / 8)  # our choice


def _held(policy: Policy, time_scale: float) -> list[_Held]:
    held = []
    for index, rule in enumerate(policy.rules):
        action = rule.action
        timeout = action.holds_for(policy.profile) / time_scale
        kinds = action.hands_over - {HandoverKind.PASS} if timeout > 0 else frozenset()
        for kind in sorted(kinds):
            refresh = action.refreshes(policy.profile)
            policer = Policer.of(action, index) if isinstance(action, Police) else None
            held.append(_Held(index, kind, milliseconds(timeout), refresh, policer))
    return held


def _common(family: Family, passed_for: str) -> Iterator[str]:
    yield "counter pass_full { }; counter held_full { };"
    yield _flow_set(family, "pass", PASSED_FLOWS)
    yield from _chain("verdict", [])
    yield from _chain("passed", _passed(family))
    yield from _chain("handover", _handover(family, passed_for))
    # Falling out of `before` is going to the queue. Packets without ports always do.
    decided = f"meta mark & {marks.VERDICT:#x} != 0 goto verdict"
    yield from _chain("before", [decided, f"{family.key} @pass goto passed"])


def _rule(family: Family, rule: int, held: list[_Held]) -> Iterator[str]:
    yield " ".join(f"counter {counter(what, rule)} {{ }};" for what in COUNTED)
    yield from _chain(f"count_{rule}", _counting(rule))
    yield from _chain(f"injected_{rule}", [f"counter name {counter('inject', rule)}"])
    for one in held:
        yield _flow_set(family, one.name, HELD_FLOWS)
        if one.policer:
            yield from one.policer.sets(family.address, family.flow_type, HELD_FLOWS)
        yield from _chain(one.name, _holding(family, one))
        yield from _chain("before", [f"{family.key} @{one.name} goto {one.name}"])
        word = marks.handover_bits(one.kind, one.rule)
        asked = f"meta mark & {marks.RULE_MASK | marks.HANDOVER_MASK:#x} == {word:#x}"
        yield from _chain("handover", [f"{asked} {_add(family, one.name, one.timeout)} return"])


def _ending(family: Family, rules: int) -> Iterator[str]:
    yield from _chain("handover", ["counter name held_full"])
    yield from _chain("verdict", _verdict(rules))
    yield from _chain("sent", _sent(family, rules))


def _passed(family: Family) -> Iterator[str]:
    # All fragments of a packet are the core's: only it knows which flow a later one belongs to.
    yield f"{family.fragment} return"
    opening = 'iif "in" tcp flags & (fin | syn | rst | ack) == syn'
    yield f"{opening} delete @pass {{ {family.key} }} delete @pass {{ {family.reverse} }} return"
    yield "accept"


def _holding(family: Family, one: _Held) -> Iterator[str]:
    yield f"{family.fragment} return"
    if one.refresh:
        yield f"update @{one.name} {{ {family.key} timeout {one.timeout} }}"
        yield f"update @{one.name} {{ {family.reverse} timeout {one.timeout} }}"
    if one.policer:
        yield from one.policer.statements(family.ip, family.key, one.timeout)
        yield "accept"
    else:
        yield f"counter name {counter('flow_drop', one.rule)} drop"


def _verdict(rules: int) -> Iterator[str]:
    yield from _by_rule(rules, "count")
    yield f"meta mark & {marks.HANDOVER_MASK:#x} != 0 jump handover"
    yield f"meta mark & {marks.DROP:#x} != 0 drop"
    yield "meta mark set 0 accept"


def _handover(family: Family, passed_for: str) -> Iterator[str]:
    """About one packet per flow comes here. A statement that finds its set full ends its rule."""
    yield f"{family.later_fragment} return"
    yield "meta l4proto != { tcp, udp } return"
    asked = f"meta mark & {marks.HANDOVER_MASK:#x} == {marks.handover_bits(HandoverKind.PASS, None):#x}"
    yield f"{asked} {_add(family, 'pass', passed_for)} return"
    yield f"{asked} counter name pass_full return"
    yield f"delete @pass {{ {family.key} }} delete @pass {{ {family.reverse} }}"


def _sent(family: Family, rules: int) -> Iterator[str]:
    yield "type filter hook output priority 0; policy accept;"
    yield f"meta mark & {marks.INJECTED:#x} == 0 accept"
    yield from _by_rule(rules, "injected")
    if family.ip == "ip":
        yield f"meta mark & {marks.ID_ZERO:#x} != 0 ip id set 0"
    yield "meta mark set 0"


def _counting(rule: int) -> Iterator[str]:
    police = marks.handover_bits(HandoverKind.POLICE, None)
    yield f"meta mark & {marks.HANDOVER_MASK:#x} == {police:#x} counter name {counter('police', rule)}"
    for what, bit in (("drop", marks.DROP), ("replace", marks.REPLACED), ("delay", marks.HELD)):
        yield f"meta mark & {bit:#x} != 0 counter name {counter(what, rule)}"


def _by_rule(rules: int, chain: str) -> Iterator[str]:
    if rules:
        jumps = ", ".join(f"{marks.rule_bits(rule):#x} : jump {chain}_{rule}" for rule in range(rules))
        yield f"meta mark & {marks.RULE_MASK:#x} vmap {{ {jumps} }}"


def _add(family: Family, name: str, timeout: str) -> str:
    forth = f"update @{name} {{ {family.key} timeout {timeout} }}"
    return f"{forth} update @{name} {{ {family.reverse} timeout {timeout} }}"


def _flow_set(family: Family, name: str, size: int) -> str:
    return f"set {name} {{ type {family.flow_type}; flags dynamic, timeout; size {size}; }}"


def _chain(name: str, rules: Iterable[str]) -> Iterator[str]:
    yield f"chain {name} {{"
    yield from (f"  {rule}" for rule in rules)
    yield "}"


def _piece(family: Family, lines: Iterable[str]) -> str:
    return f"table {family.table} {{\n" + "\n".join(lines) + "\n}\n"
