"""Links in files: what they do to packets, each way."""

from dataclasses import replace
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from testbed.model import LinkQuality
from testbed.scenario.part import Part
from testbed.scenario.problems import fault, shown
from testbed.scenario.values import ParsedBitsPerSecond, ParsedSeconds, ParsedShare, given

_DEAD: dict[object, tuple[int, ...]] = {True: (4, 6), "ipv4": (4,), "ipv6": (6,), False: ()}


def _versions(value: object) -> object:
    if isinstance(value, str | bool) and value in _DEAD:
        return _DEAD[value]
    raise fault(f"{shown(value)} is not how a link can be dead", "write true, ipv4 or ipv6")


DeadVersions = Annotated[tuple[int, ...], BeforeValidator(_versions), WithJsonSchema({"enum": list(_DEAD)})]


class LinkPart(Part):
    """Link quality, each way."""

    rate: ParsedBitsPerSecond | None = None
    delay: ParsedSeconds = 0.0
    jitter: ParsedSeconds = 0.0
    loss: ParsedShare = 0.0


class PhaseLinkPart(LinkPart):
    """What differs of a link in one phase. What is not written is as in the world."""

    dead: DeadVersions = Field((), description="nothing gets through: true, or of one IP version")


class PhaseLinksPart(Part):
    """The two links of an operator in one phase."""

    access: Annotated[PhaseLinkPart | None, Field(description="the subscriber's own link")] = None
    backbone: Annotated[PhaseLinkPart | None, Field(description="the operator's link to all others")] = None


def changed_quality(part: PhaseLinkPart, link: LinkQuality) -> LinkQuality:
    """The link with what the part says."""
    return replace(link, **given(part))
