"""What scenario.json MUST hold for a run to be explained. More MAY be in it; somebody may have edited it."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationError

_Network = Annotated[str, AfterValidator(ip_network)]
_Listed = list[str] | dict[str, Any]  # a long list is kept by its count and source


class _RanMatch(BaseModel):
    """The keys whose values are read; others are shown as they are."""

    ip: list[_Network] | dict[str, Any] | None = None
    tls_sni: _Listed | None = Field(None, alias="tls.sni")
    http_host: _Listed | None = Field(None, alias="http.host")
    dns_qname: _Listed | None = Field(None, alias="dns.qname")
    quic_sni: _Listed | None = Field(None, alias="quic.sni")


class _RanRule(BaseModel):
    name: str
    match: _RanMatch
    action: dict[str, dict[str, Any]]


class _RanBox(BaseModel):
    name: str
    operator: str
    profile: str
    models: dict[str, Any] = Field(default_factory=dict)
    rules: list[_RanRule]


class _RanCensor(_RanBox):
    at: Literal["hop"]
    hop: int = Field(strict=True)


class _RanResolver(_RanBox):
    at: Literal["resolver"]


class _RanPhase(BaseModel):
    placements: list[_RanCensor | _RanResolver]


class _RanOperator(BaseModel):
    key: str
    prefix4: _Network
    prefix6: _Network


class _RanWorld(BaseModel):
    operators: list[_RanOperator]


class _RanScenario(BaseModel):
    phases: dict[str, _RanPhase]
    world: _RanWorld
    files: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, Any] = Field(default_factory=dict)


def other_form(scenario: object) -> str:
    """Where `scenario` has another form than `testbed.run` writes, as "phases.block.title"; "" if nowhere."""
    try:
        _RanScenario.model_validate(scenario)
    except ValidationError as error:
        first = error.errors()[0]
        missing = first["loc"][-1:] if first["type"] == "missing" else ()
        return ".".join(map(str, (*_place(scenario, first["loc"]), *missing))) or "its beginning"
    return ""


def _place(value: Any, loc: tuple[int | str, ...]) -> Iterator[int | str]:
    """`loc` without the names of pydantic's alternatives."""
    for part in loc:
        try:
            value = value[part]
        except (KeyError, TypeError):
            continue
        yield part
