"""What a section of the page is made of. The template turns each kind into HTML; none knows any markup."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from testbed.explain.flowstory import FlowStory

Tone = Literal["", "good", "held", "bad", "warn", "void"]
SIGNS: Final = {"good": "✓", "held": "◆", "bad": "✗", "warn": "!", "void": "–"}
"""Beside every colour is a sign and a word."""


@dataclass(frozen=True, slots=True)
class GridCell:
    """A cell of a table: words, and what they mean."""

    text: str
    tone: Tone = ""
    more: str = ""  # in small letters below

    @property
    def sign(self) -> str:
        """Of its tone; "" if it has none."""
        return SIGNS.get(self.tone, "")


GridRow = tuple[str | GridCell, ...]


@dataclass(frozen=True, slots=True)
class DataGrid:
    """A table. Its first column names the rows."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[GridRow, ...]
    numeric: frozenset[int] = frozenset()  # columns of numbers
    sortable: bool = True


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence or two. `code`: as a terminal shows it."""

    text: str
    tone: Tone = ""
    code: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class PlotFigure:
    """A drawing, in words, and as a table of its numbers."""

    title: str
    svg: str  # of our own making: the only markup on the page that no template wrote
    alternative: str
    grid: DataGrid | None = None


@dataclass(frozen=True, slots=True)
class StoryLadder:
    """The story of one flow: a lane for each place."""

    story: FlowStory


@dataclass(frozen=True, slots=True)
class Subheading:
    """The heading of what follows."""

    text: str


@dataclass(frozen=True, slots=True)
class Folded:
    """Blocks that are shown when asked for."""

    title: str
    blocks: tuple["PageBlock", ...]
    open: bool = False


PageBlock = DataGrid | Statement | Bullets | PlotFigure | StoryLadder | Subheading | Folded


@dataclass(frozen=True, slots=True)
class PageSection:
    """One section. `key` is its place in the page's address."""

    key: str
    title: str
    blocks: tuple[PageBlock, ...]


@dataclass(frozen=True, slots=True)
class ReportPage:
    """The whole page."""

    title: str
    sections: tuple[PageSection, ...]
    missing: tuple[str, ...] = field(default=())


def kind_of(block: PageBlock) -> str:
    """The name of its template."""
    return type(block).__name__.lower()


def counted(number: int, one: str, many: str = "") -> str:
    """A number and its noun: "1 run", "1,000 runs"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def first_few(items: Sequence[str], most: int, what: str) -> list[str]:
    """The first of them, and how many are left out."""
    left = len(items) - most
    return [*items[:most], f"and {left:,} more {what}"] if left > 0 else list(items)
