"""Who is in a class: a file with a name in each line, or a table of a learning platform."""

import csv
from pathlib import Path
from typing import Final

from testbed.errors import InputError, Problem
from testbed.labs.workbook import is_student

COLUMN: Final = "student"
_MOST: Final = 500  # our choice
_SEPARATORS: Final = (",", ";", "\t")


def read_students(path: Path) -> tuple[str, ...]:
    """The names, in their order: the column "student" of a CSV file, or each line's first field.

    Fields end with a comma, a semicolon (as spreadsheets write in many countries) or a tabulator. Empty lines
    and those that begin with "#" are passed over. InputError with every line that is wrong.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError.at(str(path), f"it cannot be read: {error}", "give a text file in UTF-8") from None
    rows = [(number, line) for number, line in enumerate(lines, 1) if _says_something(line)]
    mark = next((one for one in _SEPARATORS if rows and one in rows[0][1]), ",")
    cells = [(number, _cells(line, mark)) for number, line in rows]
    titles = [cell.casefold() for cell in cells[0][1]] if cells else []
    column = titles.index(COLUMN) if COLUMN in titles else 0
    found: dict[str, int] = {}
    problems = []
    for number, row in cells[COLUMN in titles :]:
        name, place = row[column] if column < len(row) else "", f"{path}:{number}"
        if not is_student(name):
            remedy = "use letters, digits, '.', '_' and '-', 64 at most"
            problems.append(Problem(place, f"{name[:80]!r} cannot be a student's name", remedy))
        elif name in found:
            problems.append(Problem(place, f"{name} is in line {found[name]}, too", "give each another name"))
        else:
            found[name] = number
    if problems:
        raise InputError(*problems)
    if not found:
        raise InputError.at(str(path), "there is no student in it", "write one name a line")
    if len(found) > _MOST:
        raise InputError.at(str(path), f"it has {len(found)} students, and {_MOST} are possible", "")
    return tuple(found)


def _says_something(line: str) -> bool:
    return bool(line.strip(" \t,;")) and not line.lstrip().startswith("#")


def _cells(line: str, mark: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=mark), [])]
