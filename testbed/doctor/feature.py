"""A feature of the machine, and what was found out about it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Need(StrEnum):
    """How much depends on a feature."""

    REQUIRED = "required"  # without it no world can be built, or its censors would do nothing
    OPTIONAL = "optional"  # without it something named does not work
    INFORMATION = "information"  # nothing of ours uses it; good to know when comparing machines


class Absent(Exception):  # noqa: N818 - not an error: the answer of a check
    """The feature is not there. Carries what was seen, and a remedy if the check knows a better one."""

    def __init__(self, seen: str, remedy: str = "") -> None:
        super().__init__(seen)
        self.seen = seen
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing that a machine has or lacks."""

    name: str  # short, for markers and JSON: "nfqueue"
    title: str  # for a person: "NFQUEUE through iptables-nft"
    need: Need
    cost: str  # what does not work without it
    remedy: str  # how to get it
    check: Callable[[], str]  # tries it: what was seen, or Absent
    isolated: bool = True  # tried inside private user, mount, network and PID namespaces


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    feature: Feature
    present: bool
    detail: str  # what was seen: a version, a kernel's message
    remedy: str = ""  # how to get it; "" when it is there

    @property
    def blocks(self) -> bool:
        """Whether nothing can run because of this."""
        return not self.present and self.feature.need is Need.REQUIRED
