"""What a scenario file may hold: the shape alone. What its words refer to is checked in `resolve`."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from testbed.censor.ja4 import PATTERN, is_ja4
from testbed.censor.parsers import Protocol
from testbed.scenario.actionparts import ActionPart
from testbed.scenario.namelists import WORDS, network_fault, pattern_fault
from testbed.scenario.part import Part
from testbed.scenario.problems import fault, shown
from testbed.scenario.salvage import HOLED
from testbed.scenario.values import Key, RateRange, Share, Text, TimeRange, as_list


def _check_pattern(value: object) -> object:
    if isinstance(value, str) and (wrong := pattern_fault(value)):
        raise fault(*wrong)
    return value


def _check_network(value: object) -> object:
    if isinstance(value, str) and not value.startswith(WORDS) and (wrong := network_fault(value)):
        raise fault(*wrong)
    return value


def _listed(value: object) -> object:
    """A list, or a single entry, as the `entries` of a part; {file: …} as it is."""
    if isinstance(value, str):
        return {"entries": [value]}
    if isinstance(value, list):
        return {"entries": value}
    if isinstance(value, dict) and len(value) == 1:
        return value
    raise fault(f"a list is wanted, not {shown(value)}", "write [a, b] or {file: names.txt}")


_ENTRIES = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        {
            "type": "object",
            "properties": {"file": {"type": "string"}},
            "required": ["file"],
            "additionalProperties": False,
        },
    ]
}


def _check_fingerprint(value: object) -> object:
    if isinstance(value, str) and not is_ja4(value):
        raise fault(
            f"{value!r} is not a JA4 fingerprint", "write one like t13d1516h2_8daaf6152771_d8a2da3f94cd"
        )
    return value


Pattern = Annotated[str, BeforeValidator(_check_pattern)]
NetworkText = Annotated[str, BeforeValidator(_check_network)]


class NamesPart(Part):
    """Patterns, or the file they are in."""

    entries: Annotated[list[Pattern], Field(min_length=1)] | None = None
    file: str | None = None


class NetworksPart(Part):
    """Addresses, prefixes and `site:name`, or the file they are in."""

    entries: Annotated[list[NetworkText], Field(min_length=1)] | None = None
    file: str | None = None


class QuicPart(Part):
    """A QUIC datagram by its outside."""

    version: Annotated[int, Field(ge=0, le=0xFFFFFFFF)] = 1
    min_payload: Annotated[int, Field(ge=0, le=65527)] = 1001


Names = Annotated[NamesPart, BeforeValidator(_listed), WithJsonSchema(_ENTRIES)]
Networks = Annotated[NetworksPart, BeforeValidator(_listed), WithJsonSchema(_ENTRIES)]
Port = Annotated[int, Field(ge=1, le=65535)]
Fingerprint = Annotated[
    str,
    BeforeValidator(_check_fingerprint),
    WithJsonSchema({"type": "string", "pattern": f"^{PATTERN}$"}),
]


class MatchPart(Part):
    """What a rule looks for; all parts given must hold."""

    tls_sni: Names | None = Field(None, alias="tls.sni", description="server name in a TLS ClientHello")
    http_host: Names | None = Field(None, alias="http.host", description="Host of a plain HTTP request")
    dns_qname: Names | None = Field(None, alias="dns.qname", description="name in a plain DNS query")
    quic: QuicPart | None = Field(None, description="a QUIC datagram by version and size")
    quic_sni: Names | None = Field(None, alias="quic.sni", description="server name in a QUIC Initial")
    protocol: Annotated[list[Protocol], BeforeValidator(as_list), Field(min_length=1)] | None = Field(
        None, description="a protocol by its wire form"
    )
    ja4: Annotated[list[Fingerprint], BeforeValidator(as_list), Field(min_length=1)] | None = Field(
        None, description="fingerprints of the ClientHello"
    )
    ech: bool | None = Field(None, description="whether the ClientHello carries encrypted_client_hello")
    data: bool = Field(default=False, description="by address: only packets that carry data")
    ip: Networks | None = Field(
        None, description="the far host: addresses, prefixes, site:NAME or country:XX"
    )
    ports: Annotated[list[Port], BeforeValidator(as_list), Field(min_length=1)] | None = None
    transport: Literal["tcp", "udp", "icmp"] | None = None
    flipped: bool = Field(default=False, description="only flows whose roles a SYN from outside turned round")


class RulePart(Part):
    """match -> action."""

    name: Key
    match: MatchPart
    action: ActionPart


AS_OPERATOR = {"operator": 0.0}  # what `miss: operator` becomes


def _as_the_operator(value: object) -> object:
    return AS_OPERATOR if value == "operator" else value


class CensorPart(Part):
    """One make of box with its rules; phases say where it stands."""

    profile: Text
    at: Literal["hop", "resolver"] = "hop"
    hop: Annotated[int, Field(ge=1)] | None = Field(None, description="default: 2, for leg-* profiles 5")
    miss: Annotated[dict[str, Share], BeforeValidator(_as_the_operator)] = Field(
        {}, description="share of triggers that get through, by action; operator: as the world says of each"
    )
    bypass: Share = Field(0.0, description="share of pairs of hosts whose path avoids this box")
    off: Annotated[list[TimeRange], BeforeValidator(as_list)] = Field(
        [], description="times of the censor's clock in which it fails open"
    )
    upstream_only: bool = Field(default=False, description="sees nothing that comes from outside")
    rules: Annotated[list[Annotated[RulePart, HOLED]], Field(min_length=1)]


Words = Annotated[list[Text], BeforeValidator(as_list)]
OneOrMore = Annotated[
    Words,
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class PhasePart(Part):
    """Operator (or `all`) -> censor or censors. An operator's own line stands instead of `all`'s."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, defer_build=True)
    __pydantic_extra__: dict[str, OneOrMore]

    title: str = ""

    @property
    def censors(self) -> dict[str, list[str]]:
        """The lines as written, by operator or `all`."""
        return self.__pydantic_extra__ or {}


Phase = Annotated[PhasePart, BeforeValidator(lambda value: {} if value is None else value), HOLED]


class ExpectPart(Part):
    """What must be seen. Every combination of the listed phases, vantages and targets is one expectation."""

    phase: OneOrMore = Field(["all"], description="phases; default: all")
    vantage: OneOrMore = Field(["all"], description="operators, or outside; default: all operators")
    target: OneOrMore = Field(description="https://, http://, h3:// or dns://RESOLVER/NAME")
    outcome: Text = Field(description="a label of testbed.scenario.labels")
    by: str = Field("", description="the rule that causes it: rule or censor/rule")
    rate: RateRange | None = Field(None, description="for throttle: 130..150 kbit/s")


def _year(value: object) -> object:
    """A year alone is a number to YAML."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class ScenarioFile(Part):
    """A whole scenario file."""

    title: Text
    period: Annotated[Text, BeforeValidator(_year)] = Field(description="2021-03-10/2021-05-17")
    sources: OneOrMore = Field(description="keys of docs/sources.md, or 'our choice'")
    notes: str = ""
    world: Text = Field("runet", description="a world of the library, or a file beside the scenario")
    operators: OneOrMore | None = Field(None, description="those of the world that take part; default: all")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    censors: dict[Key, Annotated[CensorPart, HOLED]] = Field(default_factory=dict)
    phases: Annotated[dict[Key, Phase], Field(min_length=1)]
    default_phase: Text
    expect: list[Annotated[ExpectPart, HOLED]] = Field(default_factory=list)
    probe_kinds: OneOrMore = Field(
        default_factory=list,
        description="kinds of targets in Python files beside the scenario: file.py:Class",
    )
    controls: OneOrMore = Field(default_factory=list, description="targets that stay unharmed everywhere")
