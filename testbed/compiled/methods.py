"""The methods that `@dataclass` writes, compiled once and kept on disk.

For each class `dataclasses` writes five or six methods as text and has Python compile them, in every process
anew: a third of what a start imports. What it compiles to depends on nothing but this Python, so it is kept
in the user's cache ($XDG_CACHE_HOME/runet-testbed-methods, or ~/.cache/runet-testbed-methods), and only in a
folder that nobody else may write to. A text that is not there is compiled and added. TESTBED_NO_CACHE=1: all
are.
"""

import contextlib
import dataclasses
import marshal
import os
import struct
import sys
import zlib
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Any, Final

from testbed import usercache

MOST: Final = 16 << 20
"""Octets of the file, ten times what everything of ours needs; our choice: then it begins anew."""
MANY: Final = 50
"""Records, our choice: above, the file is made anew as one, which is read in a tenth of the time."""

_FOLDER: Final = "runet-testbed-methods"
_HEAD: Final = struct.Struct("<II")  # length and check sum of a record


def use() -> None:
    """From now on `dataclasses` takes the code of its methods from the disk."""
    if not os.environ.get(usercache.OFF):
        vars(dataclasses)["exec"] = KeptMethods().execute  # where it is looked up before the built-in one


class KeptMethods:
    """A file of records, each with some texts and their code. It is read when the first text comes."""

    def __init__(self) -> None:
        self._place: Path | None = None
        self._kept: dict[str, bytes] | None = None

    def execute(self, text: str, variables: dict[str, Any], names: dict[str, Any]) -> None:
        """As the built-in `exec`."""
        if self._kept is None:
            self._kept = self._read()
        code = self._kept.get(text)
        if code is None:
            code = marshal.dumps(compile(text, "<string>", "exec", dont_inherit=True))
            self._kept[text] = code
            self._append(record({text: code}))
        exec(marshal.loads(code), variables, names)

    def _read(self) -> dict[str, bytes]:
        """What is there. A file that is damaged is removed; one of many records is made one of one."""
        folder = usercache.own_folder(_FOLDER)
        if folder is None:
            return {}
        place = folder / f"{sys.implementation.cache_tag}-{MAGIC_NUMBER.hex()}-{sys.flags.optimize}"
        try:
            with place.open("rb") as file:
                if not usercache.own(os.fstat(file.fileno())):
                    return {}
                content = file.read()
        except FileNotFoundError:
            content = b""
        except OSError:
            return {}
        self._place = place
        found = records(content)
        with contextlib.suppress(OSError):
            if found is None or len(content) > MOST:
                place.unlink()
            elif len(found) > MANY:
                self._write(place, record({text: code for one in found for text, code in one.items()}))
        return {text: code for one in found or () for text, code in one.items()}

    def _append(self, content: bytes) -> None:
        """Add a record, if that can be done; nothing depends on it. Of two runs at once, both may."""
        if self._place is not None:
            with contextlib.suppress(OSError):
                how = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
                number = os.open(self._place, how, 0o600)
                try:
                    os.write(number, content)
                finally:
                    os.close(number)

    @staticmethod
    def _write(place: Path, content: bytes) -> None:
        """Replace the file whole. What another run adds meanwhile is lost, and added once more."""
        partial = place.with_name(f".{place.name}.{os.getpid()}")
        number = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            whole = os.write(number, content) == len(content)
        finally:
            os.close(number)
        if whole:
            partial.replace(place)
        else:  # no room
            partial.unlink()


def record(methods: dict[str, bytes]) -> bytes:
    """Texts and their code as a record."""
    content = marshal.dumps(methods)
    return _HEAD.pack(len(content), zlib.crc32(content)) + content


def records(content: bytes) -> list[dict[str, bytes]] | None:
    """What `record` was given for each; None if anything is wrong with one."""
    found = []
    at, view = 0, memoryview(content)
    while at < len(content):
        begin = at + _HEAD.size
        if begin > len(content):
            return None
        length, check = _HEAD.unpack_from(content, at)
        at = begin + length
        if zlib.crc32(view[begin:at]) != check:
            return None
        try:
            one = marshal.loads(view[begin:at])
        except (EOFError, TypeError, ValueError):
            return None
        if not isinstance(one, dict):
            return None
        found.append(one)
    return found
