"""Regular expressions, compiled once.

Python compiles each in every process anew, by a parser in Python: one of cryptography's takes 12 ms, all
that a run of one operator needs 28. What it makes is a list of numbers, of which the engine makes a pattern
once it has checked them. Only those of modules are kept: what a program makes of its input has no end.
"""

import marshal
import re
import sys
from threading import get_ident
from types import FrameType, ModuleType
from typing import Any, Final

from testbed.compiled.kept import KeptCode

_COMPILER: Final[Any] = vars(re).get("_compiler")  # since Python 3.11
_sre: Final[Any] = sys.modules["_sre"]  # the engine, in C
_NUMBERS: Final = 6  # that `_sre.compile` is given; another Python may give it others, which are not kept
_KIND: Final = f"{_sre.MAGIC}-{_sre.CODESIZE}"  # of its numbers


def use(code: KeptCode) -> None:
    """From now on `re` takes what it compiles from what is kept."""
    if hasattr(_COMPILER, "compile") and type(getattr(_COMPILER, "_sre", None)) is ModuleType:
        engine = _Engine()
        _COMPILER._sre = engine
        _COMPILER.compile = _Compiler(code, engine).compile


class _Engine(ModuleType):
    """`_sre`, as `re` uses it, which remembers what each thread has last made a pattern from."""

    def __init__(self) -> None:
        super().__init__("_sre")
        vars(self).update(vars(_sre))
        self.compile = self._compile
        self.made: dict[int, tuple[Any, ...]] = {}

    def _compile(self, *numbers: Any) -> Any:
        self.made[get_ident()] = numbers
        return _sre.compile(*numbers)


class _Compiler:
    def __init__(self, code: KeptCode, engine: _Engine) -> None:
        self._code, self._engine, self._plain = code, engine, _COMPILER.compile

    def compile(self, pattern: Any, flags: int = 0) -> Any:
        """As `re._compiler.compile`."""
        if type(pattern) not in (str, bytes) or flags & re.DEBUG:  # parsed already; or it prints what it does
            return self._plain(pattern, flags)
        key = isinstance(pattern, str), pattern, int(flags), _KIND
        if (kept := self._code.get(key)) is not None:
            return _sre.compile(*marshal.loads(kept))
        compiled = self._plain(pattern, flags)
        numbers = self._engine.made.pop(get_ident(), ())
        if len(numbers) == _NUMBERS and _importing():
            self._code.keep(key, marshal.dumps(_as_plain(numbers)))
        return compiled


def _as_plain(numbers: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same, without the compiler's own kinds of numbers, which `marshal` does not know."""
    text, flags, code, groups, names, places = numbers
    return text, int(flags), list(map(int, code)), groups, dict(names), places


def _importing() -> bool:
    """Whether a module is being imported by this thread: others make patterns of what they are given."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    spec = frame.f_globals.get("__spec__") if frame is not None else None
    return bool(getattr(spec, "_initializing", False))
