"""Censor parts to policies: one per operator where an action speaks of the operator, else one for all."""

import dataclasses
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pydantic import ValidationError

from testbed.censor.actions import ACTIONS
from testbed.censor.actions.base import Action, AnyAction, OperatorsOwn, operators_parameters, resolves
from testbed.censor.core import TechniqueError
from testbed.censor.match import HistoryKey, with_ports
from testbed.censor.models import MODELS
from testbed.censor.policy import Match, Policy, Rule, miss_keys
from testbed.censor.profile import Profile
from testbed.censor.rehearsal import rehearse
from testbed.errors import nearest
from testbed.model import Operator
from testbed.scenario.actionparts import ActionCall, call_of
from testbed.scenario.inspection import Shares, unknown, with_shares, wrong_sum
from testbed.scenario.invalid import INVALID
from testbed.scenario.matches import build_match
from testbed.scenario.plugin import Plugin, blaming_plugins, load_class
from testbed.scenario.problems import Loc, explain
from testbed.scenario.profiles import profile_of, unknown_actions
from testbed.scenario.schema import AS_OPERATOR, CensorPart, RulePart
from testbed.scenario.sources import Sources
from testbed.scenario.values import OPERATOR, given, parameters_of


@dataclasses.dataclass(frozen=True, slots=True)
class _Line:
    """A rule whose action still lacks the operator's own values."""

    name: str
    match: Match
    kind: type[AnyAction]
    parameters: dict[str, Any]
    loc: Loc  # of the action's parameters
    plugin: Plugin[type[AnyAction]] | None = None  # where the action's class comes from

    def own(self) -> dict[str, OperatorsOwn]:
        """The parameters whose value is `operator`."""
        return {
            name: own
            for name, own in operators_parameters(self.kind).items()
            if self.parameters.get(name) == OPERATOR
        }

    def decides_earlier_than(self, other: "_Line") -> bool:
        """Whether this rule decides about a flow before the other can match, whatever their order."""
        mine, others = self.match.by_first_packet, other.match.by_first_packet
        return mine and not others and not self.kind.keeps_inspecting


class CensorCompiler:
    """One censor of the file, checked; makes its policy for any operator."""

    def __init__(self, name: str, part: CensorPart, sources: Sources) -> None:
        self.name = name
        self.part = part
        self._sources = sources
        self._policies: dict[str, Policy | None] = {}
        loc: Loc = ("censors", name)
        self._profile = profile_of(part.profile, (*loc, "profile"), sources)
        if self._profile is not None and part.model is not None:
            self._profile = self._with_models(self._profile, part.model, (*loc, "model"))
        self._lines = [
            line for index, rule in enumerate(part.rules)
            if rule is not INVALID and (line := self._line(rule, (*loc, "rules", index))) is not None
        ]  # fmt: skip
        self._check_order()
        if self._profile is not None:
            for fault in unknown_actions(self._profile, {line.kind.key for line in self._lines}):
                sources.add((*loc, "profile"), *fault)
        used = set[str]().union(*(miss_keys(line.kind.key, line.match) for line in self._lines))
        for key in part.miss if part.miss != AS_OPERATOR else ():
            if key not in used and INVALID not in part.rules:
                sources.add(
                    (*loc, "miss", key),
                    f"no rule of {name!r} has the action {key!r}",
                    nearest(key, used),
                )

    def _with_models(self, profile: Profile, shares: Shares, loc: Loc) -> Profile:
        """The profile with the models that the file gives; problems noted."""
        for key in shares:
            if key not in MODELS:
                self._sources.add((*loc, key), *unknown(key))
        if self.part.at == "resolver":
            self._sources.add(loc, "a resolver inspects no packets", "leave it out")
        elif MODELS.keys() >= shares.keys() and (wrong := wrong_sum(shares)):
            self._sources.add(loc, *wrong)
        return with_shares(profile, shares)

    @property
    def default_hop(self) -> int:
        """The profile's."""
        return self._profile.default_hop if self._profile else 1

    def policy(self, operator: Operator, loc: Loc) -> Policy | None:
        """The policy for one operator; None if something in it is wrong (and noted)."""
        own = self.part.miss == AS_OPERATOR or any(line.own() for line in self._lines)
        key = operator.key if own else ""
        if key not in self._policies:
            self._policies[key] = self._make(operator, loc)
        return self._policies[key]

    def _make(self, operator: Operator, loc: Loc) -> Policy | None:
        if self._profile is None or len(self._lines) != len(self.part.rules):
            return None  # noted already
        rules = []
        for line in self._lines:
            parameters = dict(line.parameters)
            for name, own in line.own().items():
                parameters[name] = getattr(operator, own.attribute)
                if not parameters[name] and not own.may_lack:
                    message = f"operator {operator.key!r} has no {own.attribute} for rule {line.name!r}"
                    self._sources.add(loc, message, f"give the rule its own '{name}', or add it to the world")
                    return None
            action = self._action(line, parameters)
            if action is None:
                return None
            rules.append(Rule(line.name, line.match, action))
        self._check_lists(rules)
        part = self.part
        return Policy(
            self.name,
            self._profile,
            tuple(rules),
            dict(operator.miss if part.miss == AS_OPERATOR else part.miss),
            bypass=part.bypass,
            off=tuple(part.off),
            upstream_only=part.upstream_only,
        )

    def _check_lists(self, rules: list[Rule]) -> None:
        """A learned list that no rule fills never has a server; one that no rule reads is for nothing."""
        filled = {name for rule in rules for name in rule.action.learns}
        read = {
            name
            for rule in rules
            for key, value in rule.match.parts
            if isinstance(key, HistoryKey)
            for name in key.reads(value)
        }
        for rule, line in zip(rules, self._lines, strict=True):
            at: Loc = (*line.loc[:4], "match")
            for key, value in rule.match.parts:
                for name in key.reads(value) if isinstance(key, HistoryKey) else ():
                    if name not in filled:
                        message = f"the rule {rule.name!r} can never match: no rule learns the list {name!r}"
                        remedy = (
                            nearest(name, filled) if filled else f"add a rule with learn: {{into: {name}}}"
                        )
                        self._sources.add((*at, key.name), message, remedy)
            for name in rule.action.learns:
                if name not in read:
                    message = f"no rule looks at the list {name!r}"
                    self._sources.add(line.loc, message, f"add a rule with match: {{learned: {name}}}")

    def _action(self, line: _Line, parameters: dict[str, Any]) -> AnyAction | None:
        """The action with its parameters; None if it refuses them (and that is noted)."""
        place = self._sources.document.place(line.loc)
        guard: AbstractContextManager[None] = line.plugin.running(place) if line.plugin else nullcontext()
        with self._sources.noting(), guard:
            try:
                action = line.kind(**parameters)
                if line.plugin and self._profile:
                    rehearse(action, self._profile)
            except (ValueError, TechniqueError) as error:
                message, _, remedy = str(error).partition("; ")
                self._sources.add(line.loc, message, remedy)
            else:
                self._check_able(line, action)
                return action
        return None

    def _check_able(self, line: _Line, action: AnyAction) -> None:
        """Note that the box cannot do what the rule asks for, or never sees what it looks for."""
        if self._profile is None or self.part.at == "resolver":
            return
        needs = action.needs()
        if "in-path" in needs and not self._profile.in_path:
            message = f"{action.key} does nothing at a box that sees copies only ({self._profile.name})"
            self._sources.add(line.loc, message, "use a profile in the path, as leg-active, or rst")
        if not self.part.upstream_only:
            return
        unseen = "with upstream_only the box sees no packet from outside"
        if "down" in needs:
            self._sources.add(line.loc, f"{action.key} does nothing: {unseen}", "leave upstream_only out")
        for name in ("tls.certificate", "roles_reversed", "opened_by"):
            if name in line.match and line.match[name] != "inside":
                message = f"the rule {line.name!r} can never match: {unseen}"
                self._sources.add((*line.loc[:4], "match", name), message, "leave upstream_only out")

    def _line(self, rule: RulePart, loc: Loc) -> _Line | None:
        match = build_match(rule.match, (*loc, "match"), self.part.at, self._sources)
        call = call_of(rule.action)
        where: Loc = (*loc, "action", call.key)
        if call.key in ACTIONS:
            line: _Line | None = _Line(rule.name, match, ACTIONS[call.key], call.parameters, where)
        else:
            line = self._plugin(rule.name, match, call, where)
        if line is not None and self.part.at == "resolver" and not resolves(line.kind):
            able = ", ".join(sorted(key for key, kind in ACTIONS.items() if resolves(kind)))
            self._sources.add(where, f"a resolver cannot do {line.kind.key!r}", f"it can: {able}")
        return line

    def _plugin(self, name: str, match: Match, call: ActionCall, loc: Loc) -> _Line | None:
        """The line of a rule whose action is in a Python file; None if something is wrong (and noted)."""
        document = self._sources.document
        place = document.place(loc)
        with self._sources.noting():
            plugin = load_class(document.folder, call.key, place, Action, "an action")
            self._sources.used(plugin.path, plugin.digest)
            with plugin.running(place):
                model = parameters_of(plugin.value)
                try:
                    parameters = given(model.model_validate(call.parameters))
                except ValidationError as error:
                    for detail in error.errors(include_url=False):
                        self._sources.add((*loc, *detail["loc"]), *explain(detail, model))
                    return None
                return _Line(name, match, plugin.value, parameters, loc, plugin)
        return None

    def _check_order(self) -> None:
        loc: Loc = ("censors", self.name, "rules")
        first: dict[str, int] = {}
        for index, rule in enumerate(self.part.rules):
            if rule is INVALID:
                continue
            if rule.name in first:
                message = f"the rule name {rule.name!r} is used twice"
                self._sources.add(
                    (*loc, index, "name"), message, f"rules[{first[rule.name]}] has it; rename one"
                )
            first.setdefault(rule.name, index)
        for position, line in enumerate(self._lines):
            before = [
                other for index, other in enumerate(self._lines)
                if other.match and (index < position or other.decides_earlier_than(line))
            ]  # fmt: skip
            where: Loc = (*line.loc[:4], "match")
            with self._sources.noting(), blaming_plugins(self._sources.document.place(where)):
                taker = next((other for other in before if self._covers(other, line)), None)
                if taker is not None and line.match:
                    taken = f"{taker.name!r} already matches everything it would"
                    message = f"the rule {line.name!r} can never match: {taken}"
                    self._sources.add(where, message, "narrow one, reorder, or remove one")

    def _covers(self, first: _Line, second: _Line) -> bool:
        """Whether whatever the second rule looks for fits the first one as well, on this profile's ports."""
        if self._profile is None:
            return False
        return with_ports(first.match, self._profile).covers(with_ports(second.match, self._profile))
