"""Results in files that a user asks for by an option: `--junit FILE`, `--markdown FILE`, `--badge FILE`."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from testbed.errors import InputError
from testbed.report import cipage, junit
from testbed.run.result import RunResult

_FORMS: Final[Mapping[str, Callable[[Sequence[RunResult]], str]]] = {
    "--junit": junit.document,
    "--markdown": cipage.markdown,
    "--badge": cipage.badge,
}
_REMEDY: Final = "name another file"


def require_writable(files: Mapping[str, Path]) -> None:
    """InputError unless each file, by its option, can be written: before a run that may take long."""
    for option, path in files.items():
        folder = path.parent
        if not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
            why = "it cannot be written" if folder.is_dir() else "there is no such folder"
            raise InputError.at(option, f"{path}: {why}", _REMEDY)


def write(files: Mapping[str, Path], results: Sequence[RunResult]) -> None:
    """Write the results into each file, in its form. Errors: InputError if one cannot be written."""
    for option, path in files.items():
        write_text(path, _FORMS[option](results), option)


def write_text(path: Path, text: str, option: str) -> None:
    """Write one file, whole or not at all. Errors: InputError, with the option that named it."""
    try:
        if path.exists() and not path.is_file():  # a pipe, /dev/stdout
            path.write_text(text, "utf-8", "backslashreplace")
        else:
            _replace(path.resolve(), text)
    except OSError as error:
        raise InputError.at(option, f"cannot write {path}: {error.strerror}", _REMEDY) from error


def _replace(path: Path, text: str) -> None:
    """Write beside it, then put it in its place: a disk that fills up leaves what was there."""
    if path.exists() and not os.access(path.parent, os.W_OK):
        path.write_text(text, "utf-8", "backslashreplace")  # only the file itself is ours to write
        return
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, "utf-8", "backslashreplace")
        if path.exists():
            partial.chmod(path.stat().st_mode & 0o7777)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
