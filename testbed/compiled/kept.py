"""What Python makes of texts at every start (methods of dataclasses, patterns), made once and kept on disk.

It depends on nothing but the text and this Python, so it is kept in the user's cache
($XDG_CACHE_HOME/runet-testbed-code, or ~/.cache/runet-testbed-code), and only in a folder that nobody else
may write to. What is not there is made and added. TESTBED_NO_CACHE=1: everything is made.
"""

import contextlib
import marshal
import os
import struct
import sys
import zlib
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Final

from testbed import usercache

MOST: Final = 16 << 20
"""Octets of the file, ten times what everything of ours needs; our choice: then it begins anew."""
MANY: Final = 50
"""Records, our choice: above, the file is made anew as one, which is read in a tenth of the time."""

_FOLDER: Final = "runet-testbed-code"
_HEAD: Final = struct.Struct("<II")  # length and check sum of a record

KeptKey = str | tuple[bool, str | bytes, int, str]  # methods; a pattern (is it text?), flags, engine


def use() -> None:
    """From now on, methods of dataclasses and patterns are taken from what is kept."""
    if not os.environ.get(usercache.OFF):
        from testbed.compiled import methods, patterns

        code = KeptCode()
        methods.use(code)
        patterns.use(code)


class KeptCode:
    """A file of records, each with keys and what was made of them. It is read when the first is asked for."""

    def __init__(self) -> None:
        self._place: Path | None = None
        self._kept: dict[KeptKey, bytes] | None = None

    def get(self, key: KeptKey) -> bytes | None:
        """What is kept, as `marshal` writes it; None if nothing is."""
        if self._kept is None:
            self._kept = self._read()
        return self._kept.get(key)

    def keep(self, key: KeptKey, made: bytes) -> bytes:
        """Keep it, if that can be done; nothing depends on it. Call `get` first."""
        if self._kept is not None:
            self._kept[key] = made
            self._append(record({key: made}))
        return made

    def _read(self) -> dict[KeptKey, bytes]:
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
                self._write(place, record({key: made for one in found for key, made in one.items()}))
        return {key: made for one in found or () for key, made in one.items()}

    def _append(self, content: bytes) -> None:
        """Add a record. Of two runs at once, both may."""
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


def record(made: dict[KeptKey, bytes]) -> bytes:
    """Keys and what was made of them as a record."""
    content = marshal.dumps(made)
    return _HEAD.pack(len(content), zlib.crc32(content)) + content


def records(content: bytes) -> list[dict[KeptKey, bytes]] | None:
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
