"""The pure matrix: contenders by boxes, in seconds."""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache

from testbed.matrix.cell import Ending, MatrixCell, MatrixTable, MatrixTry
from testbed.matrix.contender import Contender, contender
from testbed.matrix.purebox import PureBox
from testbed.matrix.puretry import try_purely

DRAWS = 20  # tries where client or box differ from one connection to the next: our choice

Numbered = Callable[[int, str], Contender]
"""A contender's connection of that number, to that host: the first bytes of some clients differ."""


def pure_table(rows: Sequence[Numbered], boxes: Sequence[PureBox], repeats: int | None = None) -> MatrixTable:
    """Every row against every box. `repeats`: of each cell; by default as many as it takes."""
    return MatrixTable(tuple(pure_cell(row, box, repeats) for row in rows for box in boxes), "core")


def pure_cell(row: Numbered, box: PureBox, repeats: int | None = None) -> MatrixCell:
    """A cell. Without differences between connections or nodes one try says everything."""
    first = row(0, box.name)
    count = repeats or (DRAWS if first.varies or box.draws else 1)
    tries = tuple(
        tried_purely(row(number, box.name) if first.varies else first, box, number) for number in range(count)
    )
    return MatrixCell(first.name, box.key, tries)


def tried_purely(given: Contender, box: PureBox, number: int) -> MatrixTry:
    """A try that counts: the tool works without the box, and the direct connection is blocked by it."""
    if _free(given) is not Ending.THROUGH:
        return MatrixTry(Ending.BROKEN, reason="it fails without a box, too")
    if not _blocks(given.directly, box, number):
        return MatrixTry(Ending.INVALID, reason="the direct connection is not blocked")
    return try_purely(given, box, number)


@lru_cache(maxsize=4096)
def _free(given: Contender) -> Ending:
    return try_purely(given, None).ending


@cache
def _blocks(directly: str, box: PureBox, number: int) -> bool:
    ending = try_purely(contender(directly, host=box.name), box, number).ending
    return ending in (Ending.BLOCKED, Ending.DEGRADED)
