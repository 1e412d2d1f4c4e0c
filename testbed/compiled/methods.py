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

MOST: Final = (
    16 << 20
)  # octets of the file, ten times what everything of ours needs; our choice: then it begins anew

_FOLDER: Final = "runet-testbed-methods"
_HEAD: Final = struct.Struct("<III")  # lengths of text and code, check sum of both


def use() -> None:
    """From now on `dataclasses` takes the code of its methods from the disk."""
    if not os.environ.get(usercache.OFF):
        vars(dataclasses)["exec"] = KeptMethods().execute  # where it is looked up before the built-in one


class KeptMethods:
    """A file of texts and their code. It is read when the first text comes."""

    def __init__(self) -> None:
        self._place: Path | None = None
        self._kept: dict[bytes, bytes] | None = None

    def execute(self, text: str, variables: dict[str, Any], names: dict[str, Any]) -> None:
        """As the built-in `exec`."""
        if self._kept is None:
            self._kept = self._read()
        kept = self._kept.get(text.encode())
        if kept is None:
            kept = marshal.dumps(compile(text, "<string>", "exec", dont_inherit=True))
            self._add(text.encode(), kept)
        exec(marshal.loads(kept), variables, names)

    def _read(self) -> dict[bytes, bytes]:
        """What is there. A file that is damaged is removed."""
        folder = usercache.own_folder(_FOLDER)
        if folder is None:
            return {}
        self._place = folder / f"{sys.implementation.cache_tag}-{MAGIC_NUMBER.hex()}-{sys.flags.optimize}"
        try:
            with self._place.open("rb") as file:
                if not usercache.own(os.fstat(file.fileno())):
                    self._place = None
                    return {}
                content = file.read()
        except OSError:
            return {}
        found = records(content)
        if found is None or len(content) > MOST:
            with contextlib.suppress(OSError):
                self._place.unlink()
        return found or {}

    def _add(self, text: bytes, code: bytes) -> None:
        """Append it, if that can be done; nothing depends on it. Of two runs at once, both may."""
        if self._kept is not None:
            self._kept[text] = code
        if self._place is not None:
            check = zlib.crc32(code, zlib.crc32(text))
            with contextlib.suppress(OSError):
                number = os.open(self._place, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
                try:
                    os.write(number, _HEAD.pack(len(text), len(code), check) + text + code)
                finally:
                    os.close(number)


def records(content: bytes) -> dict[bytes, bytes] | None:
    """Text -> code of all records; None if anything is wrong with one."""
    found = {}
    at = 0
    try:
        while at < len(content):
            texts, codes, check = _HEAD.unpack_from(content, at)
            begin, middle = at + _HEAD.size, at + _HEAD.size + texts
            at = middle + codes
            text, code = content[begin:middle], content[middle:at]
            if zlib.crc32(code, zlib.crc32(text)) != check:
                return None
            found[text] = code
    except struct.error:
        return None
    return found
