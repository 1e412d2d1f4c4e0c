"""Lists read again while packets go on: a thread reads and compiles, the swap is between two packets."""

import gc
import sys
import threading
import time
from collections.abc import Callable

from testbed.censor.core import Censor
from testbed.censor.decision import Event
from testbed.censor.match import CompiledRule, compiled
from testbed.censor.policy import Policy
from testbed.errors import InputError
from testbed.middlebox.eventstream import EventStream

_TURN = 0.0005  # s that the reading thread may keep the interpreter while a packet waits; our choice


class Reloader:
    """Gives a core its policy anew. Everything but the reading happens in the thread that judges packets."""

    def __init__(self, core: Censor, reread: Callable[[], Policy], stream: EventStream) -> None:
        """`reread` returns the policy as the files now have it; InputError if they are wrong."""
        self._core, self._reread, self._stream = core, reread, stream
        self._asked = False
        self._thread: threading.Thread | None = None
        self._done = False
        self._begun = 0.0
        self._found: tuple[Policy, list[CompiledRule]] | BaseException | None = None
        self.wake: Callable[[], object] = lambda: None  # interrupts the loop: there is something to do

    def ask(self) -> None:
        """Read again soon; called by a signal handler."""
        self._asked = True
        self.wake()

    def step(self, now: float) -> None:
        """Between two packets: take over what is ready, begin what was asked for (`now`: the run's clock)."""
        if self._thread is not None:
            if not self._done:
                return
            self._thread.join()
            self._thread, self._done = None, False
            self._take_over(now)
        if self._asked:
            self._asked = False
            self._begun = time.monotonic()
            self._thread = threading.Thread(target=self._read, daemon=True)
            self._thread.start()

    def _read(self) -> None:
        turn = sys.getswitchinterval()
        sys.setswitchinterval(_TURN)
        gc.disable()  # the collector would traverse a million new objects repeatedly
        try:
            policy = self._reread()
            self._core.must_fit(policy)
            self._found = policy, compiled(policy)
        except BaseException as error:  # reported by the other thread
            self._found = error
        finally:
            gc.enable()
            sys.setswitchinterval(turn)
            self._done = True
            self.wake()

    def _take_over(self, now: float) -> None:
        found, self._found = self._found, None
        took = round(time.monotonic() - self._begun, 3)
        if isinstance(found, InputError | ValueError):
            self._stream.write(Event("reload", "", "", {"refused": str(found), "seconds": took}), now)
        elif isinstance(found, BaseException):
            self._stream.fault("the lists could not be read again", now, found)
        elif found is not None:
            self._core.reload(*found)
            gc.freeze()
            self._stream.write(Event("reload", "", "", {"rules": len(found[0].rules), "seconds": took}), now)
