"""A number that a process and its children share, without asking each other."""

import mmap
import struct

_FORM = struct.Struct("=Q")


class SharedNumber:
    """Whoever forked after it was made sees what anybody sets, at once."""

    def __init__(self, value: int = 0) -> None:
        self._memory = mmap.mmap(-1, _FORM.size)
        self.value = value

    @property
    def value(self) -> int:
        """The number, 0 to 2**64 - 1. Set whole: no reader sees half of it."""
        found: tuple[int] = _FORM.unpack_from(self._memory)
        return found[0]

    @value.setter
    def value(self, number: int) -> None:
        _FORM.pack_into(self._memory, 0, number)
