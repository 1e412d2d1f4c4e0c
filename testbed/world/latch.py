"""A moment that other processes wait for."""

import os


class Latch:
    """Closed when made, and open for good after `open`. Processes forked from its maker share it."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_CLOEXEC)

    def open(self) -> None:
        """Let everybody through, now and later. Call it once."""
        os.eventfd_write(self._fd, 1 << 32)

    def wait(self) -> None:
        """Return once it is open."""
        os.eventfd_read(self._fd)
