"""A Russian Internet on one Linux machine: operators, sites and censorship, emulated at packet level.

In Python: `execute(Job(…))` runs a scenario and returns what was seen; `open_world(…)` holds a world open for
commands. See docs/python-api.md.
"""

from typing import TYPE_CHECKING, Any

from testbed import compiled

if TYPE_CHECKING:
    from testbed.run.execute import execute
    from testbed.run.job import Job
    from testbed.run.open import StandingWorld, open_world
    from testbed.run.result import RunResult

compiled.use()

__version__ = "0.1.0"
__all__ = ["Job", "RunResult", "StandingWorld", "execute", "open_world"]

_PLACES = {
    "Job": "testbed.run.job",
    "RunResult": "testbed.run.result",
    "StandingWorld": "testbed.run.open",
    "execute": "testbed.run.execute",
    "open_world": "testbed.run.open",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import testbed` itself must be instant."""
    if name not in _PLACES:
        raise AttributeError(f"module 'testbed' has no attribute '{name}'")
    import gc
    from importlib import import_module

    from testbed.compiled import kept

    kept.use()
    collecting = gc.isenabled()
    gc.disable()  # what is imported stays
    try:
        return getattr(import_module(_PLACES[name]), name)
    finally:
        if collecting:
            gc.enable()


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
