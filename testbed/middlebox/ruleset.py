"""A policy as nftables text: what the kernel does alone, and what it asks the core.

Everything happens in one base chain per IP version, FORWARD of the table that xtables calls mangle: a hook
that a packet passes for nothing costs about 100 ns. A forwarded packet meets:

1. `before`: flows that were handed over are passed, dropped or policed, as `testbed.censor.handover` obliges;
   where only data can trigger a rule, TCP segments without any pass in `bare`, and the core gets a copy
   (`testbed.middlebox.copies`), until a packet of their flow goes to the core;
2. xtables' NFQUEUE (`testbed.world.queuerule`): all others go to the core;
3. the chain once more, if the core's verdict carries a mark ("repeat"): `verdict` reads it, counts on
   behalf of the rule, hands the flow over, drops or lets it go on.

`sent` sees what we inject. Each censor of a hop has its own chains, sets and counters, whose names begin with
its prefix. Where a hop has several, each has a segment (`segment_0`, …), which is its `before` and its queue;
`up` runs through the segments in order, `down` in reverse. What one lets go on carries `marks.GO` past its
queue.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from testbed.censor.handover import COUNTED, Drop, Police, counter_name, passing_time
from testbed.censor.policy import Policy
from testbed.middlebox import marks
from testbed.middlebox.acts import MOST_FLOWS
from testbed.middlebox.marks import Marks, Position
from testbed.world.queuerule import QueueingChain

PASSED_FLOWS = 1 << 20  # elements, two per flow; our choice: bounds kernel memory at about 150 MB
HELD_FLOWS = 1 << 17  # elements per rule, two per flow; our choice
WAITING = 10.0  # s after a packet of a flow went to the core in which no later one overtakes it; our choice
LONGEST = 365 * 86_400.0  # s of real time; kernels refuse a thousand years, and no run lasts a year
ACTED_FLOWS = 2 * MOST_FLOWS  # elements per rule, mostly two per flow
ALONE = Position()
_INSIDE, _OUTSIDE = 'iifname "in*"', 'iifname != "in*"'  # the first hop has two links to subscribers
_DELETED = ("chain", "set", "counter")  # in this order: a chain refers to sets and counters


def _bare(header: int) -> str:
    """`header`: bytes of an IP header without options, as far as the IP length counts them."""
    return ", ".join(f"{words} . {header + 4 * words}" for words in range(5, 16))


@dataclass(frozen=True, slots=True)
class Family:
    """The words that differ between the IP versions."""

    table: str  # as xtables names it
    ip: str
    address: str
    fragment: str  # matches every fragment, the first included
    bare: str  # the lengths of TCP segments without data, by TCP's data offset (in words of 4 bytes)

    @property
    def names(self) -> tuple[str, str]:
        """Of the family and of the table."""
        family, table = self.table.split()
        return family, table

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
    Family("ip mangle", "ip", "ipv4_addr", "ip frag-off & 0x3fff != 0", _bare(20)),
    Family("ip6 mangle", "ip6", "ipv6_addr", "exthdr frag exists", _bare(0)),
)


@dataclass(frozen=True, slots=True)
class _Held:
    """One handover that a rule's action declares."""

    rule: int
    number: int  # among those of the action
    what: Drop | Police
    timeout: str

    @property
    def name(self) -> str:
        """Of its set, and of the chain for the packets of that set, without the censor's prefix."""
        return f"held_{self.rule}_{self.number}"

    @property
    def refreshed(self) -> bool:
        """Whether packets restart the time."""
        return isinstance(self.what, Police) or self.what.refresh


def queueing(queue: int, position: Position = ALONE) -> list[QueueingChain]:
    """The chains, made by `ruleset`, that must end by queueing each packet: it has no verdict."""
    chain = "FORWARD" if position.count == 1 else f"{prefix(position)}queue"
    return [QueueingChain(*family.names, chain, queue) for family in FAMILIES]


BASE = "".join(
    f"table {family.table} {{\nchain FORWARD {{\n"
    "  type filter hook forward priority mangle; policy accept;\n}\n}\n"
    for family in FAMILIES
)
"""nft's input that makes the tables and their base chain, if there are none."""


def segments(present: Sequence[int]) -> str:
    """nft's input for a hop with several censors, to be loaded after `BASE`.

    `present`: their places, from the subscriber outwards. Each of them may load it: the same once more
    changes nothing.
    """
    names = [_segment(index) for index in present]
    text = ""
    for family in FAMILIES:
        table = family.table
        empty = "\n".join(f"chain {name} {{\n}}" for name in ("up", "down", *names))
        text += f"table {table} {{\n{empty}\n}}\n"
        text += "".join(f"flush chain {table} {name}\n" for name in ("FORWARD", "up", "down"))
        for way, order in (("up", names), ("down", names[::-1])):
            text += "".join(f"add rule {table} {way} jump {name}\n" for name in order)
            text += f"add rule {table} {way} meta mark set 0 accept\n"
        text += f"add rule {table} FORWARD {_INSIDE} goto up\nadd rule {table} FORWARD goto down\n"
    return text


def ruleset(policy: Policy, time_scale: float = 1.0, position: Position = ALONE) -> str:
    """nft's input, to be loaded after `BASE`: the exceptions from the queue and what follows a verdict.

    Times are the policy's divided by `time_scale`; rates stay real: bit/s of IP packets, as a client
    measures them.
    """
    return "".join(pieces(policy, time_scale, position))


def pieces(policy: Policy, time_scale: float = 1.0, position: Position = ALONE) -> Iterator[str]:
    """The ruleset in pieces that may be loaded in turn; it begins to act with each IP version's last.

    An ordinary user's netlink socket does not take 50 rules at once. ValueError for what `Marks` refuses.
    """
    words = Marks(policy, position)
    held = [
        _Held(rule, number, what, milliseconds(what.timeout / time_scale))
        for rule, declared in enumerate(words.declared)
        for number, what in enumerate(declared)
        if isinstance(what, Drop | Police)
    ]
    passed_for = milliseconds(passing_time(policy.profile) / time_scale)
    kept_for = milliseconds(WAITING + policy.longest_hold / time_scale) if policy.triggered_by_data else None
    for family in FAMILIES:
        one = _Writer(family, position)
        yield one.common(passed_for)
        for rule in range(len(policy.rules)):
            yield one.rule(rule, [each for each in held if each.rule == rule])
        if kept_for:
            yield one.bare(kept_for)
        yield one.ending(len(policy.rules), keeps=bool(kept_for))


def removal(
    leaving: Sequence[tuple[Policy, Position]], staying: Sequence[int] = (), time_scale: float = 1.0
) -> str:
    """nft's input that takes out what some censors of a hop have put in, and leaves the others at work.

    `staying`: the places of the others, from the subscriber outwards.
    """
    shared = any(position.count > 1 for _, position in leaving)
    lines = [segments(staying)] if shared else []
    for family in FAMILIES:
        text = "".join(ruleset(policy, time_scale, position) for policy, position in leaving)
        parts = re.split(r"(?m)^(?=table |insert |add )", text)
        text = "".join(part for part in parts if part.startswith(f"table {family.table} {{"))
        named = {kind: dict.fromkeys(re.findall(rf"\b{kind} (\w+) {{", text)) for kind in _DELETED}
        entries = [_segment(position.index) for _, position in leaving] if shared else []
        emptied = [*(["FORWARD"] if not shared else entries), *named["chain"]]
        named["chain"] |= dict.fromkeys(entries)
        lines += [f"flush chain {family.table} {name}" for name in emptied]
        lines += [f"delete {kind} {family.table} {name}" for kind in _DELETED for name in named[kind]]
    return "\n".join(lines) + "\n"


def forgetting(policy: Policy, seconds: float, time_scale: float = 1.0, position: Position = ALONE) -> str:
    """nft's input that empties the sets whose elements do not outlive `seconds` of the censor's time."""
    own = prefix(position)
    names = [f"{own}pass"] if passing_time(policy.profile) <= seconds else []
    for rule, declared in enumerate(Marks(policy, position).declared):
        for number, what in enumerate(declared):
            if isinstance(what, Drop | Police) and what.timeout <= seconds:
                one = _Held(rule, number, what, milliseconds(what.timeout / time_scale))
                ways = _ways(what) if isinstance(what, Police) else ()
                names += [own + one.name, *(f"{own}{one.name}_{way}" for way in ways)]
    return "".join(f"flush set {family.table} {name}\n" for family in FAMILIES for name in names)


def prefix(position: Position) -> str:
    """What the names of a censor's chains, sets and counters begin with."""
    return f"c{position.index}_"


def copies_group(position: Position) -> int:
    """The number under which the kernel sends a censor the copies of packets that pass."""
    return 1 + position.index


def acted_name(rule: int) -> str:
    """The set that counts by 4-tuple what a rule did, without the censor's prefix."""
    return f"acted_{rule}"


def milliseconds(seconds: float) -> str:
    """A time as nft reads it, at least 1 ms, at most `LONGEST`.

    Its numbers have eight digits at most: a day has more of ms.
    """
    whole = max(1, round(min(seconds, LONGEST) * 1000))
    days, rest = divmod(whole, 86_400_000)
    return f"{days}d{rest}ms" if days else f"{whole}ms"


def _segment(index: int) -> str:
    return f"segment_{index}"


class _Writer:
    """The chains of one censor for one IP version."""

    def __init__(self, family: Family, position: Position) -> None:
        self.family, self.position = family, position
        self._prefix = prefix(position)
        ours = marks.VERDICT | marks.POSITION_MASK
        self._mine = f"meta mark & {ours:#x} == {marks.VERDICT | position.bits:#x}"
        self._alone = position.count == 1
        self._onward = "accept" if self._alone else f"meta mark set {marks.GO:#x} return"

    def name(self, text: str) -> str:
        return self._prefix + text

    def counter(self, what: str, rule: int) -> str:
        return f"counter name {self.name(counter_name(what, rule))}"

    def common(self, passed_for: str) -> str:
        """The flows that pass, and the frame of the other chains."""
        family, passed = self.family, self.name("pass")
        lines = [f"counter {self.name('pass_full')} {{ }}; counter {self.name('held_full')} {{ }};"]
        lines += [self._flow_set(passed, PASSED_FLOWS)]
        lines += self.chain("verdict", [])
        opening = f"{_INSIDE} tcp flags & (fin | syn | rst | ack) == syn"
        forget = f"delete @{passed} {{ {family.key} }} delete @{passed} {{ {family.reverse} }}"
        # All fragments of a packet are the core's: only it knows which flow a later one belongs to.
        lines += self.chain(
            "passed", [f"{family.fragment} return", f"{opening} {forget} return", self._onward]
        )
        asked = f"meta mark & {marks.HANDOVER_MASK:#x} == {marks.PASSED:#x}"
        # About one packet per flow comes here. A statement that finds its set full ends its rule.
        lines += self.chain(
            "handover",
            [
                f"{family.fragment} return",
                "meta l4proto != { tcp, udp } return",
                f"{asked} {self._add(passed, passed_for)} return",
                f"{asked} counter name {self.name('pass_full')} return",
                forget,
            ],
        )
        # Falling out of `before` is going to the queue. Packets without ports always do.
        lines += self.chain(
            "before", [*self._arriving(), f"{family.key} @{passed} goto {self.name('passed')}"]
        )
        return self.table(lines)

    def rule(self, rule: int, held: Sequence[_Held]) -> str:
        """What one rule counts, and the flows that were handed over for it."""
        family = self.family
        lines = [" ".join(f"counter {self.name(counter_name(what, rule))} {{ }};" for what in COUNTED)]
        acted = self.name(acted_name(rule))
        lines += [self._flow_set(acted, ACTED_FLOWS)]
        lines += self.chain(f"count_{rule}", self._counting(rule, held))
        lines += self.chain(f"injected_{rule}", [self.counter("inject", rule), self._seen(rule)])
        if held:  # a statement that finds its set full ends its rule, and the packet is dropped all the same
            lines += self.chain(f"dropped_{rule}", [self._seen(rule), "drop"])
        for one in held:
            name = self.name(one.name)
            lines.append(self._flow_set(name, HELD_FLOWS))
            if isinstance(one.what, Police):
                lines += self._buckets(one)
            lines += self.chain(one.name, self._holding(one))
            lines += self.chain("before", [f"{family.key} @{name} goto {name}"])
            word = marks.rule_bits(rule) | marks.handover_bits(one.number)
            asked = f"meta mark & {marks.RULE_MASK | marks.HANDOVER_MASK:#x} == {word:#x}"
            lines += self.chain("handover", [f"{asked} {self._add(name, one.timeout)} return"])
        return self.table(lines)

    def bare(self, kept_for: str) -> str:
        """TCP segments without data pass, and the core gets copies, where no packet of theirs went to it.

        Flows that it has taken (`kept`), and those of which a packet may still wait for it (`waiting`), go
        there whole. A segment is bare if its length is that of its headers; with IP options it never is.
        """
        family = self.family
        kept, waiting, bare = (self.name(name) for name in ("kept", "waiting", "bare_lengths"))
        lines = [f"counter {self.name('waiting_full')} {{ }}; counter {self.name('kept_full')} {{ }};"]
        lines += [self._flow_set(kept, HELD_FLOWS), self._flow_set(waiting, PASSED_FLOWS)]
        lines += [f"set {bare} {{ typeof tcp doff . {family.ip} length; elements = {{ {family.bare} }}; }}"]
        lines += self.chain(
            "wait",
            [
                f"{self._add(waiting, milliseconds(WAITING))} return",
                f"counter name {self.name('waiting_full')}",
            ],
        )
        copied = f"log group {copies_group(self.position)} queue-threshold 1"
        lines += self.chain(
            "bare",
            [
                f"{family.fragment} return",
                f"{family.key} @{kept} {self._add(kept, kept_for)} return",
                f"{family.key} @{waiting} goto {self.name('wait')}",
                f"tcp doff . {family.ip} length @{bare} {copied} {self._onward}",
                f"goto {self.name('wait')}",
            ],
        )
        lines += self.chain("before", [f"meta l4proto tcp jump {self.name('bare')}"])
        lines += self.chain(
            "keep",
            [
                f"{family.fragment} return",
                "meta l4proto != tcp return",
                f"{self._add(kept, kept_for)} return",
                f"counter name {self.name('kept_full')}",
            ],
        )
        return self.table(lines)

    def ending(self, rules: int, *, keeps: bool) -> str:
        """The chains that read marks, and the way in."""
        table = self.family.table
        lines = self.chain("handover", [f"counter name {self.name('held_full')}"])
        kept = [f"meta mark & {marks.KEPT:#x} != 0 jump {self.name('keep')}"] if keeps else []
        lines += self.chain(
            "verdict",
            [
                *self._by_rule(rules, "count"),
                *kept,
                f"meta mark & {marks.HANDOVER_MASK:#x} != 0 jump {self.name('handover')}",
                f"meta mark & {marks.DROP:#x} != 0 drop",
                f"meta mark set 0 {self._onward}" if self._alone else self._onward,
            ],
        )
        lines += self.chain("sent", self._sent(rules))
        if self._alone:
            return self.table(lines) + f"insert rule {table} FORWARD jump {self.name('before')}\n"
        lines += self.chain("queue", [])
        entry = f"{table} {_segment(self.position.index)}"
        unsettled = f"meta mark & {marks.VERDICT | marks.GO:#x} == 0"
        return self.table(lines) + (
            f"insert rule {entry} jump {self.name('before')}\n"
            f"add rule {entry} {unsettled} jump {self.name('queue')}\n"
        )

    def chain(self, name: str, rules: Iterable[str]) -> list[str]:
        return [f"chain {self.name(name)} {{", *(f"  {rule}" for rule in rules), "}"]

    def table(self, lines: Iterable[str]) -> str:
        return f"table {self.family.table} {{\n" + "\n".join(lines) + "\n}\n"

    def _arriving(self) -> Iterator[str]:
        """What a packet carries that the core, or another censor of the hop, has seen."""
        yield f"{self._mine} goto {self.name('verdict')}"
        if not self._alone:
            yield f"meta mark & {marks.VERDICT:#x} != 0 return"  # of a later censor: it has been here
            yield f"meta mark & {marks.GO:#x} != 0 meta mark set 0"  # from the one before

    def _holding(self, one: _Held) -> Iterator[str]:
        family, name = self.family, self.name(one.name)
        if one.refreshed:
            yield f"update @{name} {{ {family.key} timeout {one.timeout} }}"
            yield f"update @{name} {{ {family.reverse} timeout {one.timeout} }}"
        if isinstance(one.what, Police):
            yield from self._policing(one, one.what)
            yield f"{family.fragment} return"
            yield self._onward
        else:
            yield f"{self.counter('flow_drop', one.rule)} goto {self.name('dropped')}_{one.rule}"

    def _buckets(self, one: _Held) -> Iterator[str]:
        """The sets that keep the token buckets. They are never fuller than the set of the rule's flows."""
        assert isinstance(one.what, Police)
        key = self.family.flow_type if one.what.per == "flow" else self.family.address
        for way in _ways(one.what):
            name = f"{self.name(one.name)}_{way}"
            yield f"set {name} {{ type {key}; flags dynamic, timeout; size {HELD_FLOWS}; }}"

    def _policing(self, one: _Held, what: Police) -> Iterator[str]:
        """Drop and count what exceeds the rate. The limit is evaluated once per packet.

        nft's bucket holds one second of the rate plus `burst`.
        """
        rate, burst = what.octets_per_second, what.bucket_size - what.octets_per_second
        limit = f"limit rate over {rate} bytes/second" + (f" burst {burst} bytes" if burst else "")
        for way in _ways(what):
            incoming = _INSIDE if way == "up" else _OUTSIDE
            host = f"{self.family.ip} {'saddr' if way == 'up' else 'daddr'}"
            element = f"{self.family.key if what.per == 'flow' else host} timeout {one.timeout} {limit}"
            counted = f"{self.counter('policed_drop', one.rule)} goto {self.name('dropped')}_{one.rule}"
            yield f"{incoming} update @{self.name(one.name)}_{way} {{ {element} }} {counted}"

    def _counting(self, rule: int, held: Sequence[_Held]) -> Iterator[str]:
        for one in held:
            if isinstance(one.what, Police):
                word = marks.handover_bits(one.number)
                yield f"meta mark & {marks.HANDOVER_MASK:#x} == {word:#x} {self.counter('police', rule)}"
        for what, bit in (("drop", marks.DROP), ("replace", marks.REPLACED), ("delay", marks.HELD)):
            yield f"meta mark & {bit:#x} != 0 {self.counter(what, rule)}"
        yield f"meta mark & {marks.DROP | marks.REPLACED | marks.HELD:#x} != 0 {self._seen(rule)}"

    def _seen(self, rule: int) -> str:
        """Count the packet for its 4-tuple, too."""
        return f"update @{self.name(acted_name(rule))} {{ {self.family.key} counter }}"

    def _sent(self, rules: int) -> Iterator[str]:
        ours = marks.INJECTED | marks.POSITION_MASK
        yield "type filter hook output priority 0; policy accept;"
        yield f"meta mark & {ours:#x} != {marks.INJECTED | self.position.bits:#x} accept"
        yield from self._by_rule(rules, "injected")
        if self.family.ip == "ip":
            yield f"meta mark & {marks.ID_ZERO:#x} != 0 ip id set 0"
        yield "meta mark set 0"

    def _by_rule(self, rules: int, chain: str) -> Iterator[str]:
        if rules:
            jumps = ", ".join(
                f"{marks.rule_bits(rule):#x} : jump {self.name(chain)}_{rule}" for rule in range(rules)
            )
            yield f"meta mark & {marks.RULE_MASK:#x} vmap {{ {jumps} }}"

    def _add(self, name: str, timeout: str) -> str:
        forth = f"update @{name} {{ {self.family.key} timeout {timeout} }}"
        return f"{forth} update @{name} {{ {self.family.reverse} timeout {timeout} }}"

    def _flow_set(self, name: str, size: int) -> str:
        return f"set {name} {{ type {self.family.flow_type}; flags dynamic, timeout; size {size}; }}"


def _ways(what: Police) -> tuple[str, ...]:
    return ("up", "down") if what.direction == "both" else (what.direction,)
