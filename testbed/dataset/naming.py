"""Names that say nothing: a phase in which every target has a made-up name, and its rules look for that.

The exchange is made with the drawn names, so their length and bytes are what the censors and the client have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address
from random import Random
from typing import Final

from testbed.censor.match import Match
from testbed.censor.names import NameList, NameMatcher
from testbed.censor.policy import Policy, Rule
from testbed.measurement.kinds.dns import DnsKind, question
from testbed.measurement.target import Target, is_address
from testbed.model import Operator, Placement, Scenario, World
from testbed.truth.expected import Truth

_SYLLABLES: Final = tuple(a + b for a in "bdfgklmnprstvz" for b in "aeiou")
_NOBODY: Final = "nobody.invalid"  # of a rule that names none of the targets (RFC 2606)
_DELAY: Final = (0.001, 0.06)  # seconds that a subscriber's link adds, one way; our choice


@dataclass(frozen=True, slots=True)
class NamedPhase:
    """A phase with drawn names."""

    world: World
    placements: tuple[Placement, ...]
    cases: tuple[Truth, ...]  # each vantage and target, with the drawn name
    names: Mapping[str, str]  # the scenario's -> the drawn


def named_phase(scenario: Scenario, phase: str, cases: Sequence[Truth], chance: Random) -> NamedPhase:
    """The phase with names and delays of the subscribers' links drawn anew."""
    hosts = sorted({name for one in cases if not is_address(name := asked_name(one.target))})
    names: dict[str, str] = {}
    for host in hosts:
        while (name := drawn_name(chance)) in names.values():
            pass
        names[host] = name
    world = scenario.world_in(phase)
    world = replace(
        world,
        operators=tuple(_delayed(one, chance) for one in world.operators),
        sites=tuple(replace(one, names=_renamed(one.names, names)) for one in world.sites),
        hosts=tuple(replace(one, names=_renamed(one.names, names)) for one in world.hosts),
        resolvers=tuple(
            replace(one, name=names.get(one.name, one.name), aliases=_renamed(one.aliases, names))
            for one in world.resolvers
        ),
    )
    placements = tuple(
        replace(one, policy=_policy(one.policy, names)) for one in scenario.phases[phase].placements
    )
    drawn = tuple(replace(one, target=renamed_target(one.target, names)) for one in cases)
    return NamedPhase(world, placements, drawn, names)


def asked_name(target: Target) -> str:
    """The name that a target is about, or its address: of a lookup the one that is looked up."""
    return question(target) if isinstance(target.kind, DnsKind) else target.host


def drawn_name(chance: Random) -> str:
    """A name of two to six syllables in example."""
    return "".join(chance.choices(_SYLLABLES, k=chance.randint(2, 6))) + ".example"


def drawn_address(like: bytes, chance: Random, *, client: bool) -> bytes:
    """An address of a range that no network has: RFC 6598 for clients, RFC 2544 for servers, RFC 3849."""
    if len(like) == 16:
        return IPv6Address(int(IPv6Address("2001:db8::")) | chance.getrandbits(96)).packed
    if client:
        return (int(ip_address("100.64.0.0")) | chance.getrandbits(22)).to_bytes(4, "big")
    return (int(ip_address("198.18.0.0")) | chance.getrandbits(17)).to_bytes(4, "big")


def _delayed(operator: Operator, chance: Random) -> Operator:
    link = operator.access
    return replace(operator, access=replace(link, delay=link.delay + chance.uniform(*_DELAY)))


def _renamed(given: Sequence[str], names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(names.get(one, one) for one in given)


def renamed_target(target: Target, names: Mapping[str, str]) -> Target:
    """The target under its drawn name, if it has one."""
    old = asked_name(target)
    new = names.get(old)
    if new is None:
        return target
    url = target.url.replace(old, new, 1)
    if isinstance(target.kind, DnsKind):
        return replace(target, path=target.path.replace(old, new, 1), url=url)
    return replace(target, host=new, url=url)


def _policy(policy: Policy, names: Mapping[str, str]) -> Policy:
    return replace(policy, rules=tuple(_rule(one, names) for one in policy.rules))


def _rule(rule: Rule, names: Mapping[str, str]) -> Rule:
    """The rule that looks for the drawn names of the targets which it looked for."""
    parts = []
    for key, value in rule.match.parts:
        if isinstance(value, NameList):
            known = NameMatcher(value.patterns)
            found = tuple(new for old, new in names.items() if old in known)
            parts.append((key, NameList(found or (_NOBODY,))))
        else:
            parts.append((key, value))
    return replace(rule, match=Match(parts))
