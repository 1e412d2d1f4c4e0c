"""Who is in a class: a file with a name in each line, or a table of a learning platform."""

import csv
from pathlib import Path
from typing import Final

from testbed.errors import InputError
from testbed.labs.workbook import is_student

COLUMN: Final = "student"
_MOST: Final = 500  # our choice


def read_students(path: Path) -> tuple[str, ...]:
    """The names, in their order: the column "student" of a CSV file, or each line's first field.

    Empty lines and those that begin with "#" are passed over. InputError with every line that is wrong.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError.at(str(path), f"it cannot be read: {error}", "give a text file in UTF-8") from None
    found: dict[str, int] = {}
    column = 0
    for number, line in enumerate(lines, 1):
        cells = [cell.strip() for cell in next(csv.reader([line]), [])]
        if not any(cells) or cells[0].startswith("#"):
            continue
        if not found and COLUMN in cells:
            column = cells.index(COLUMN)
            continue
        name = cells[column] if column < len(cells) else ""
        place = f"{path}:{number}"
        if not is_student(name):
            remedy = "use letters, digits, '.', '_' and '-', 64 at most"
            raise InputError.at(place, f"{name[:80]!r} cannot be a student's name", remedy)
        if name in found:
            raise InputError.at(place, f"{name} is in line {found[name]}, too", "give each another name")
        found[name] = number
    if not found:
        raise InputError.at(str(path), "there is no student in it", "write one name a line")
    if len(found) > _MOST:
        raise InputError.at(str(path), f"it has {len(found)} students, and {_MOST} are possible", "")
    return tuple(found)
