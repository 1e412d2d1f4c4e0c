"""What is true of one exchange, as one record: the same shape at every level.

*policy*: what the censors of a phase do to a client of a named shape, asked of the core alone. *wire*: what
acted on the flows of one measurement, by events and receipts. A record says also, by detector, what a perfect
run of it could see (`observable`). A file of records has a version; another one is refused.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from testbed.errors import InputError, Problem
from testbed.scenario.jsonschema import DRAFT
from testbed.scenario.labels import CAUSELESS, LABELS, LabelLayer

FORMAT: Final = "testbed-truth"
VERSION: Final = 1
_REMEDY: Final = "make it with this testbed: testbed truth NAME --json"
NOTHING_SEEN: Final = "none"  # of a detector that cannot see it

TruthLevel = Literal["policy", "wire"]
_FORM = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=_FORM)
class TruthRecord:
    """What happens to the exchange of one client with one target, and by which rule."""

    level: TruthLevel
    scenario: str
    phase: str
    vantage: str
    target: str  # URL
    transport: str  # tls, http, quic, dns/udp, …
    ipv: Literal[4, 6]
    client: str
    """Policy: the shape of the client (`testbed.shapes`). Wire: the program that measured."""
    outcome: str
    """The label that one such exchange shows, see `testbed.scenario.labels`; "ok" if nothing interferes."""
    mechanism: str
    """The label of the cause where one exchange does not show it (quic.sni.drop); else the outcome."""
    layer: LabelLayer = "none"
    """Of the mechanism."""
    rule: str = ""
    """The rule that decides the outcome, "mts/tspu/social-reset"; "" for none."""
    rules: tuple[str, ...] = ()
    """Every rule that acted on the flows, in the order in which they did."""
    action: str = ""
    """The technique of `rule`: "rst-rewrite"."""
    direction: Literal["", "up", "down", "both"] = ""
    """Which packets `rule` acted on: the client's (up), the server's, both; as its box sees it. Wire:
    by the receipts of these flows."""
    hop: int | None = None
    """The router where `rule` is, 1 is the subscriber's first; None at the operator's resolver."""
    rate: float | None = None
    """bit/s that `rule` lets through, or that were measured."""
    size: int | None = None
    """Bytes that come before the exchange stops (freeze)."""
    residual: float | None = None
    """Seconds for which `rule` holds the 4-tuple after its last act, on the censor's clock, as it is set: one
    measurement does not wait for its end."""
    connections: int | None = None
    """Flows of one subscriber that `rule` lets begin before it acts; None where it acts on each."""
    control: str = ""
    """A target with the same transport, or any, that must work from the same vantage."""
    onset: str | None = None
    """The phase's start, UTC, "2022-03-04T08:00:00Z"; None if it is not dated."""
    end: str | None = None
    """The first moment after the phase."""
    chances: Mapping[str, Annotated[float, Field(ge=0, le=1)]] = field(default_factory=dict)
    """Outcome -> share of the draws that have it; one entry where nothing is left to chance."""
    observable: Mapping[str, str] = field(default_factory=dict)
    """Detector -> what a perfect run of it reports, "none" where it cannot see this."""
    measurable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Detector that sees it -> the parameters (rate, size, hop, residual, connections) that it estimates."""

    @property
    def blocked(self) -> bool:
        """Whether a filter interferes with the exchange. A server's refusal or fault is none of its doing."""
        return self.outcome not in CAUSELESS

    @property
    def certain(self) -> bool:
        """Whether every draw has the same outcome."""
        return len(self.chances) <= 1

    def to_json(self) -> dict[str, Any]:
        """As a dict of JSON values, every key present."""
        made: dict[str, Any] = _RECORD.dump_python(self, mode="json")
        return {**made, "blocked": self.blocked}


@checked_dataclass(frozen=True, slots=True, kw_only=True, config={"extra": "ignore"})
class TruthFile:
    """Records, and what they were made of."""

    format: Literal["testbed-truth"] = FORMAT
    version: Literal[1] = VERSION
    seed: int | None = None
    records: tuple[TruthRecord, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As a dict of JSON values."""
        head = {"format": self.format, "version": self.version, "seed": self.seed}
        return {**head, "records": [one.to_json() for one in self.records]}


_RECORD: Final = TypeAdapter(TruthRecord)
_FILE: Final = TypeAdapter(TruthFile)


def truth_schema() -> dict[str, Any]:
    """The JSON Schema of a truth file; it is published as `schemas/truth.schema.json`."""
    made = _FILE.json_schema(mode="validation")
    parts = made["$defs"]["TruthRecord"]
    labels = {"enum": list(LABELS)}
    parts["properties"]["outcome"] |= labels
    parts["properties"]["mechanism"] |= labels
    parts["properties"]["chances"]["propertyNames"] = labels
    parts["properties"]["blocked"] = {"type": "boolean", "description": "Whether a filter interferes."}
    made["required"] = ["format", "version", "records"]
    return {"$schema": DRAFT, **made, "title": "Truth of the exchanges of a scenario"}


def read_truth(path: Path) -> TruthFile:
    """The records of a file. InputError for a file of another version, or with anything else wrong in it."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError.at(
            str(path), f"cannot be read: {error}", "make it: testbed truth NAME --json"
        ) from error
    return truth_of(document, str(path))


def truth_of(document: object, place: str = "truth") -> TruthFile:
    """The same of a JSON value; `place` is named in errors."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        message = f"this is no truth file: its 'format' is not {FORMAT!r}"
        raise InputError.at(place, message, _REMEDY)
    version = document.get("version")
    if version != VERSION:
        message = f"the truth file has version {version!r}, and this testbed reads version {VERSION}"
        raise InputError.at(place, message, _REMEDY)
    try:
        return _FILE.validate_python({**document, "records": _given(document.get("records"))})
    except ValidationError as error:
        raise InputError(*_problems(error, place)) from error


def _given(records: object) -> object:
    """The records without what follows from the rest."""
    if not isinstance(records, list):
        return records
    return [{k: v for k, v in one.items() if k != "blocked"} if isinstance(one, dict) else one
            for one in records]  # fmt: skip


def _problems(error: ValidationError, place: str) -> Iterable[Problem]:
    for one in error.errors():
        where = " ".join([place, ".".join(str(part) for part in one["loc"])])
        yield Problem(where, f"{one['msg']}: {one['input']!r:.80}", "see schemas/truth.schema.json")
