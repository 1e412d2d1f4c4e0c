"""A cell of the matrix: one tool against one box, over repeats."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from testbed.detectors.wilson import CountedShare


class Ending(StrEnum):
    """What a try, or a whole cell, came to."""

    THROUGH = "through"
    UNSEEN = "unseen"  # through, but nothing that it sent was anything that a rule could match
    BLOCKED = "blocked"
    DEGRADED = "degraded"  # through, but slower than without the box
    BROKEN = "broken"  # the tool fails without a box, too
    CRASH = "crash"  # it ended by itself before it was asked to
    HANG = "hang"  # it did not become ready, or did not answer, in its time
    PORT = "other port"  # it runs, and listens somewhere else
    FLOOD = "flood"  # it sent more packets than any try takes
    LEFT = "left-overs"  # it left rules of a firewall, processes or routes behind
    RESOLVER = "resolv.conf"  # it changed which resolver its machine asks
    UNEXPLAINED = "unexplained"  # the same try failed although no rule did anything
    SKIPPED = "skipped"  # this machine lacks what it needs
    INVALID = "invalid"  # the cell says nothing: the direct connection was not blocked


@dataclass(frozen=True, slots=True)
class MatrixTry:
    """One try. `rule` and `packet` say what decided, where something did."""

    ending: Ending
    rule: str = ""
    packet: str = ""  # "4: decoy, 517 bytes at 0": its number among the client's
    reason: str = ""
    speed: float | None = None  # bits per second, of a bulk transfer
    free_speed: float | None = None  # the same without the box


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """A tool against a box."""

    tool: str
    box: str
    tries: tuple[MatrixTry, ...]

    @property
    def ending(self) -> Ending:
        """What most tries came to; at a draw what comes first in `Ending`."""
        counted = Counter(one.ending for one in self.tries)
        order = list(Ending)
        return min(counted, key=lambda ending: (-counted[ending], order.index(ending)))

    @property
    def share(self) -> CountedShare:
        """How many tries came to that."""
        return CountedShare(sum(one.ending is self.ending for one in self.tries), len(self.tries))

    @property
    def decided(self) -> MatrixTry:
        """The first try of the cell's ending, with the packet and the rule."""
        return next(one for one in self.tries if one.ending is self.ending)

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        example = self.decided
        speeds = {"speed": example.speed, "free_speed": example.free_speed} if example.speed else {}
        return {
            "tool": self.tool,
            "box": self.box,
            "ending": self.ending.value,
            "share": self.share.to_json(),
            "tries": dict(Counter(one.ending.value for one in self.tries)),
            "rule": example.rule,
            "packet": example.packet,
            "reason": example.reason,
            **speeds,
        }


@dataclass(frozen=True, slots=True)
class MatrixTable:
    """Cells, tool by tool, box by box."""

    cells: tuple[MatrixCell, ...]
    how: str  # "core" or "live"
    left_out: tuple[str, ...] = ()  # what was not tried, and why

    @property
    def tools(self) -> Sequence[str]:
        """The rows, in order."""
        return list(dict.fromkeys(one.tool for one in self.cells))

    @property
    def boxes(self) -> Sequence[str]:
        """The columns, in order."""
        return list(dict.fromkeys(one.box for one in self.cells))

    def at(self, tool: str, box: str) -> MatrixCell | None:
        """One cell; None if it was not tried."""
        return next((one for one in self.cells if (one.tool, one.box) == (tool, box)), None)

    def to_json(self) -> dict[str, Any]:
        """As a dict; `matrix` is the version of the form."""
        cells = [one.to_json() for one in self.cells]
        return {"matrix": 1, "how": self.how, "left_out": list(self.left_out), "cells": cells}
