"""The shape of a scenario file. Whether what it refers to exists is checked in `resolve`."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from testbed.censor.cited import Confidence
from testbed.censor.models import MODELS
from testbed.scenario.actionparts import ActionPart
from testbed.scenario.hostfield import HostsField, VantagesField
from testbed.scenario.invalid import OR_INVALID
from testbed.scenario.linkparts import PhaseLinksPart
from testbed.scenario.matchparts import MatchPart
from testbed.scenario.momentparts import Moment
from testbed.scenario.part import Part
from testbed.scenario.period import Period
from testbed.scenario.serverpart import SiteChangePart
from testbed.scenario.values import (
    Key,
    OctetsRange,
    OneOrMore,
    ParsedShare,
    RateRange,
    ShareRange,
    Text,
    TimeRange,
    as_list,
)
from testbed.scenario.wayparts import WayPart


class RulePart(Part):
    """match -> action."""

    name: Key
    match: MatchPart
    action: ActionPart


AS_OPERATOR = {"operator": 0.0}  # what `miss: operator` becomes


def _as_the_operator(value: object) -> object:
    return AS_OPERATOR if value == "operator" else value


def _as_shares(value: object) -> object:
    """One model -> all pairs of hosts."""
    return {value: 1.0} if isinstance(value, str) else value


_MODEL_NAMES = {"enum": list(MODELS)}
ModelShares = Annotated[
    dict[str, ParsedShare],
    BeforeValidator(_as_shares),
    WithJsonSchema(
        {"anyOf": [_MODEL_NAMES, {"type": "object", "propertyNames": _MODEL_NAMES, "minProperties": 1}]}
    ),
]


class CensorPart(Part):
    """One kind of box with its rules; phases place it."""

    profile: Text
    at: Literal["hop", "resolver"] = "hop"
    hop: Annotated[int, Field(ge=1)] | None = Field(None, description="default: 2, for leg-* profiles 5")
    model: ModelShares | None = Field(
        None, description="inspector model, or models with their shares; default: the profile's"
    )
    miss: Annotated[dict[str, ParsedShare], BeforeValidator(_as_the_operator)] = Field(
        {},
        description="share of triggers that get through, by action (drop) or by action and trigger "
        "(drop quic); operator: those of the world",
    )
    bypass: ParsedShare = Field(0.0, description="share of pairs of hosts whose path avoids this box")
    off: Annotated[list[TimeRange], BeforeValidator(as_list)] = Field(
        [], description="times of the censor's clock in which it fails open"
    )
    upstream_only: bool = Field(default=False, description="does not see packets from outside")
    rules: Annotated[list[Annotated[RulePart, OR_INVALID]], Field(min_length=1)]


class PhasePart(Part):
    """Operator (or `all`) -> censor or censors. An operator's own line replaces that of `all`."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, defer_build=True)
    __pydantic_extra__: dict[str, OneOrMore]

    title: str = ""
    start: Moment | None = Field(None, alias="from", description="UTC: 2022-02-26 or 2022-02-26 09:00")
    until: Moment | None = Field(None, description="UTC; default: when the next phase begins")
    sources: dict[Text, Confidence] = Field({}, description="source, as in 'sources': H, M or L")
    notes: str = Field("", description="where press and measurements differ, what is our choice")
    sites: dict[Text, SiteChangePart] = Field({}, description="how sites of the world behave in this phase")
    links: dict[Key, PhaseLinksPart] = Field({}, description="links of operators that differ in this phase")

    @property
    def censors(self) -> dict[str, list[str]]:
        """The lines as written, by operator or `all`."""
        return self.__pydantic_extra__ or {}


PhaseField = Annotated[PhasePart, BeforeValidator(lambda value: {} if value is None else value), OR_INVALID]


class ExpectPart(Part):
    """What must be observed: one expectation per combination of the listed phases, vantages and targets."""

    phase: OneOrMore = Field(["all"], description="phases; default: all")
    vantage: OneOrMore = Field(["all"], description="operators, or outside; default: all operators")
    target: OneOrMore = Field(description="https://, http://, h3:// or dns://RESOLVER/NAME")
    outcome: Text = Field(description="a label of testbed.scenario.labels")
    by: str = Field("", description="the rule that causes it: rule or censor/rule")
    rate: RateRange | None = Field(None, description="for throttle: 130..150 kbit/s")
    received: OctetsRange | None = Field(None, description="for freeze: what comes before it, 12..20 KiB")
    ip: Literal[4, 6] | None = Field(None, description="only over this IP version; default: over both")
    tries: Annotated[int, Field(ge=1, le=1000)] = Field(1, description="how often it is measured")
    share: ShareRange | None = Field(
        None, description="of the tries that have this outcome, the others being ok: 30..70 %"
    )


class ScenarioFile(Part):
    """A whole scenario file."""

    title: Text
    period: Period = Field(description="2021-03-10/2021-05-17")
    sources: OneOrMore = Field(
        min_length=1, description="keys of docs/sources.md, others that readers can find, or 'our choice'"
    )
    notes: str = ""
    world: Text = Field("runet", description="a world of the library, or a file beside the scenario")
    operators: Annotated[OneOrMore, Field(min_length=1)] | None = Field(
        None, description="those of the world that take part; default: those at home"
    )
    sites: dict[Text, SiteChangePart] = Field(
        default_factory=dict, description="how sites of the world behave in this scenario, by their names"
    )
    hosts: HostsField = Field(
        default_factory=dict, description="machines with services, added to those of the world"
    )
    vantages: VantagesField = Field(
        default_factory=dict,
        description="containers, commands and other services at a subscriber, in the order of their start",
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    censors: dict[Key, Annotated[CensorPart, OR_INVALID]] = Field(default_factory=dict)
    phases: Annotated[dict[Key, PhaseField], Field(min_length=1)]
    default_phase: Text
    expect: list[Annotated[ExpectPart, OR_INVALID]] = Field(default_factory=list)
    probe_kinds: OneOrMore = Field(
        default_factory=list,
        description="kinds of targets in Python files beside the scenario: file.py:Class",
    )
    controls: OneOrMore = Field(default_factory=list, description="targets that stay unharmed everywhere")
    circumvention: list[Annotated[WayPart, OR_INVALID]] = Field(
        default_factory=list, description="methods of circumvention: each must get through, or fail by a rule"
    )
