"""A feature of the machine, and the result of its check."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Need(StrEnum):
    """How important a feature is."""

    REQUIRED = "required"  # without it no world can be built, or its censors would do nothing
    OPTIONAL = "optional"  # without it something specific does not work
    INFORMATION = "information"  # unused; helps to compare machines


class Absent(Exception):  # noqa: N818 - not an error: the answer of a check
    """The feature is missing. Carries what was seen, and a remedy if the check knows a better one."""

    def __init__(self, seen: str, remedy: str = "") -> None:
        super().__init__(seen)
        self.seen = seen
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Feature:
    """A kernel feature or a program that a machine has or lacks."""

    name: str  # short, for markers and JSON: "nflog"
    title: str  # for people: "copies of packets (NFLOG)"
    need: Need
    cost: str  # what does not work without it
    remedy: str  # how to get it
    check: Callable[[], str]  # tries it: returns what was seen, or raises Absent
    isolated: bool = True  # tried inside private user, mount, network and PID namespaces


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check."""

    feature: Feature
    present: bool
    detail: str  # what was seen: a version, a kernel's message
    remedy: str = ""  # how to get it; "" if present

    @property
    def blocks(self) -> bool:
        """Whether no world can be built because of this."""
        return not self.present and self.feature.need is Need.REQUIRED
