"""Running a piece of a test inside a fresh world and getting its value back."""

import os
import pickle
import traceback
from collections.abc import Callable
from typing import TypeVar

from testbed.world.enter import run_isolated

T = TypeVar("T")


def in_world(function: Callable[[], T]) -> T:
    """Call `function` in new namespaces (see `run_isolated`); return its value or raise what it raised.

    The value (and an exception's arguments) must be picklable; an exception carries the traceback of the
    world's side as a note.
    """
    answer = os.memfd_create("answer")  # a file, not a pipe: nobody need read while the function runs

    def main() -> int:
        try:
            outcome: tuple[bool, object] = (True, function())
        except BaseException as error:
            error.add_note("".join(traceback.format_exception(error)))
            outcome = (False, error)
        try:
            data = pickle.dumps(outcome)
        except Exception:
            data = pickle.dumps((False, RuntimeError(f"cannot be pickled: {outcome!r}")))
        with os.fdopen(os.dup(answer), "wb") as file:
            file.write(data)
        return 0

    try:
        status = run_isolated(main)
        with os.fdopen(os.dup(answer), "rb") as file:
            file.seek(0)
            data = file.read()
    finally:
        os.close(answer)
    if not data:
        raise RuntimeError(f"the isolated function ended with status {status} and no answer")
    fine, value = pickle.loads(data)
    if not fine:
        raise value
    return value  # type: ignore[no-any-return]
