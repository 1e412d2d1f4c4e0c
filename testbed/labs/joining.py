"""What students handed in, read from a folder and joined.

One may work at two places, and hand in more than once. Files of one workbook are one: its key says so. A
student's several workbooks stay apart, and so do those of other classes: their values are others.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from testbed.errors import InputError, Problem, nearest
from testbed.labs.labfile import names
from testbed.labs.submission import SUFFIX, Submission, read_submission

_BEGINS: Final = b'{\n "format":'  # as `testbed.labs.submission.submit` writes it


def read_folder(folder: Path) -> tuple[list[Submission], list[str]]:
    """Every workbook that was handed in under `folder`, and what is wrong with other submissions."""
    found: dict[tuple[str, str, str, str], list[Submission]] = {}
    problems, known = [], names()
    for path in _files(folder):
        if not _may_be_one(path):
            continue
        try:
            one = read_submission(path)
        except InputError as error:
            problems += [str(each) for each in error.problems]
            continue
        if one.lab in known:
            found.setdefault((one.student, one.lab, one.code, one.key), []).append(one)
        else:
            problems.append(
                str(Problem(str(path), f"there is no lab {one.lab[:80]!r}", nearest(one.lab, known)))
            )
    return [_joined(some) for some in found.values()], problems


def passed_over(folder: Path) -> list[Path]:
    """Files that were not read as submissions: neither their names nor contents are of one.

    Those in `folder`, and in folders of it, of which a learning platform makes one for each student; what is
    deeper, or hidden, is something else.
    """
    there = sorted(path for depth in ("*", "*/*") for path in folder.glob(depth) if path.is_file())
    return [path for path in there if "/." not in f"/{path.relative_to(folder)}" and not _may_be_one(path)]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _may_be_one(path: Path) -> bool:
    """By its name, or by how it begins: learning platforms and browsers give files other names."""
    if path.name.casefold().endswith(SUFFIX):
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_BEGINS)) == _BEGINS
    except OSError:
        return False


def _joined(files: Sequence[Submission]) -> Submission:
    """The entries of all files of one workbook, each once, in the order of time."""
    longest = max(files, key=lambda one: len(one.entries))
    entries = dict.fromkeys(entry for one in files for entry in one.entries)
    return replace(longest, entries=tuple(sorted(entries, key=lambda entry: entry.at)))
