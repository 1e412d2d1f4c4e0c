"""Classes and objects from a Python file beside the scenario, written `file.py:Name`.

One loader serves every kind: actions, match keys, profiles, services, probe kinds. The caller gives the class
that it expects, and what is checked follows from that class:

- a class is derived from it (of a Protocol: has its members), and is a frozen dataclass if the base is one;
- every abstract method is there, and every method can be called as the base's can;
- class variables that the base leaves without a value, or with an empty text, have one of the base's type.

The file is run with the rights of whoever loads the scenario. Whatever it raises, `sys.exit` included,
becomes an InputError; only KeyboardInterrupt passes.
"""

import ast
import hashlib
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Final, Generic, TypeVar, get_origin

from testbed.errors import InputError, nearest
from testbed.scenario.lookups import display, exists, is_file, not_a_file, read_bytes
from testbed.scenario.problems import shown
from testbed.scenario.values import HINTS, HintError

T = TypeVar("T")

_MARK: Final = ".py:"
_MODULES: Final = "testbed_plugin_"  # how the names of their modules begin
_loaded: set[str] = set()  # file names as tracebacks have them
_TYPE_NAMES: Final = {str: "text", bool: "True or False", int: "a whole number", float: "a number"}


def is_reference(text: object) -> bool:
    """Whether a key or value of a scenario file names something in a Python file."""
    return isinstance(text, str) and _MARK in text


@dataclass(frozen=True, slots=True)
class Plugin(Generic[T]):
    """A checked class or object, and the file that it came from."""

    value: T
    path: Path
    digest: str  # the file's sha256, hexadecimal
    line: int  # where the class or object is defined

    @property
    def place(self) -> str:
        """Such as "freeze.py:8"."""
        return f"{display(self.path)}:{self.line}"

    @contextmanager
    def running(self, place: str) -> Iterator[None]:
        """Around code that calls the plug-in: an exception becomes an InputError at `place`."""
        with _running(self.path, place, "fails"):
            yield


@contextmanager
def blaming_plugins(place: str) -> Iterator[None]:
    """Around code that may call plug-ins: what one raises becomes an InputError that names its file.

    Exceptions of any other code pass.
    """
    try:
        yield
    except (KeyboardInterrupt, InputError):
        raise
    except BaseException as error:
        path = _culprit(error)
        if path is None:
            raise
        with _running(path, place, "fails"):
            raise


def blamed(error: BaseException) -> InputError | None:
    """The InputError for what a plug-in raised, which names its file; None if no plug-in did."""
    try:
        with blaming_plugins(""):
            raise error
    except InputError as found:
        return found
    except BaseException:
        return None


def load_class(
    folder: Path, reference: str, place: str, base: type[T], what: str, required: Iterable[str] = ()
) -> Plugin[type[T]]:
    """The class `freeze.py:Freeze`, derived from `base`.

    `what` is the base in words ("an action"). `required` names methods that must be overridden although the
    base has them. `place` is where the scenario names the class. InputError says what is wrong, where in the
    Python file, and what is expected.
    """
    file = _File.load(folder, reference, place, "class")
    found = file.find(lambda value: isinstance(value, type) and value is not base)
    if not isinstance(found, type):
        raise file.fault(f"is not a class but {shown(found)}", f"expected {_derived(base)}")
    with _running(file.path, place, "fails"):
        _check_class(file, found, base, what, required)
    return Plugin(found, file.path, file.digest, file.line())


def load_object(folder: Path, reference: str, place: str, kind: type[T], what: str) -> Plugin[T]:
    """The object `boxes.py:MINE`, an instance of `kind`. Errors as for `load_class`."""
    file = _File.load(folder, reference, place, "object")
    found = file.find(lambda value: isinstance(value, kind))
    if not isinstance(found, kind):
        given = f"the class {found.__name__}" if isinstance(found, type) else shown(found)
        raise file.fault(f"is {given}, not {what}", f"expected an object of {_name(kind)}")
    return Plugin(found, file.path, file.digest, file.line())


@dataclass(frozen=True, slots=True)
class _File:
    """A Python file that has been run, and the name that is looked for in it."""

    path: Path
    digest: str
    module: ModuleType
    tree: ast.Module
    name: str
    noun: str
    place: str

    @classmethod
    def load(cls, folder: Path, reference: str, place: str, noun: str) -> "_File":
        file, _, name = reference.partition(":")
        path = (folder / file).absolute()  # as tracebacks have it
        if Path(file).name == file and exists(path) and not is_file(path):
            raise InputError.at(place, not_a_file(path), "name a Python file beside the scenario")
        if Path(file).name != file or not is_file(path):
            siblings = [entry.name for entry in folder.glob("*.py")]
            raise InputError.at(
                place, f"there is no file {file[:80]!r} beside the scenario", nearest(file, siblings)
            )
        if not name.isidentifier():
            raise InputError.at(
                place, f"{reference[:80]!r} names no {noun}", f"write {file}:Name, the {noun}'s name in it"
            )
        source = read_bytes(path, place)
        if b"\0" in source:  # what Python says of it depends on its version
            raise InputError.at(place, f"{display(path)} holds a zero byte: no Python", "name a Python file")
        digest = hashlib.sha256(source).hexdigest()
        module_name = f"{_MODULES}{path.stem}_{digest[:12]}"
        module = sys.modules.get(module_name) or _run(module_name, path, source, place)
        with _running(path, place, "cannot be read"):
            tree = ast.parse(source)
        return cls(path, digest, module, tree, name, noun, place)

    def find(self, fits: Callable[[object], bool]) -> object:
        """What has the name. InputError with the nearest fitting name if nothing has."""
        own = vars(self.module)
        if self.name in own:
            return own[self.name]
        known = [key for key, value in own.items() if not key.startswith("_") and fits(value)]
        message = f"{display(self.path)} has no {self.noun} {self.name!r}"
        raise InputError.at(self.place, message, nearest(self.name, known))

    def fault(self, message: str, remedy: str, member: str = "") -> InputError:
        """An error about the named thing, or a member of the class, with its line."""
        what = f"{self.name}.{member}" if member else self.name
        return InputError.at(
            self.place, f"{display(self.path)}:{self.line(member)}: {what} {message}", remedy
        )

    def line(self, member: str = "") -> int:
        """Where the named thing, or a member of the class, is defined; 1 if that is not seen."""
        node = _definition(self.tree, self.name)
        inner = _definition(node, member) if member and isinstance(node, ast.ClassDef) else None
        found = inner or node
        return getattr(found, "lineno", 1)


def _definition(tree: ast.Module | ast.ClassDef, name: str) -> ast.stmt | None:
    """The last statement of a body that defines a name."""
    for node in reversed(tree.body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return node
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return node
    return None


def _run(module_name: str, path: Path, source: bytes, place: str) -> ModuleType:
    """Run exactly these bytes: the import system would take bytecode of a file changed in the same second."""
    module = ModuleType(module_name)
    module.__file__ = str(path)
    sys.modules[module_name] = module  # dataclasses look their module up by name
    _loaded.add(str(path))
    try:
        with _running(path, place, "does not run"):
            exec(compile(source, str(path), "exec"), vars(module))
    except BaseException:
        sys.modules.pop(module_name, None)
        raise
    return module


@contextmanager
def _running(path: Path, place: str, fails: str) -> Iterator[None]:
    """Code of the file runs inside. InputError with the file's line for whatever it raises."""
    try:
        yield
    except (KeyboardInterrupt, InputError):
        raise
    except HintError as error:
        raise InputError.at(place, f"{display(path)}: {error}", HINTS) from error
    except SystemExit as error:
        message = f"{display(path)}{_raised_at(error, path)} {fails}: it calls sys.exit({error.code!r:.40})"
        raise InputError.at(
            place, message, "remove the call: the file is imported, not run as a program"
        ) from error
    except BaseException as error:
        message = f"{display(path)}{_raised_at(error, path)} {fails}: {type(error).__name__}: {_text(error)}"
        raise InputError.at(place, message, "run it with python to see the whole error") from error


def _culprit(error: BaseException) -> Path | None:
    """The plug-in file in whose code an exception was raised, or that called what raised it."""
    trace, found = error.__traceback__, None
    while trace:
        name = trace.tb_frame.f_code.co_filename
        found = Path(name) if name in _loaded else found
        trace = trace.tb_next
    return found


def _text(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())[:300]
    except Exception:  # the file's own exception class
        return "(its message cannot be read)"


def _raised_at(error: BaseException, path: Path) -> str:
    line = getattr(error, "lineno", None)
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f":{line}" if line else ""


def _check_class(file: _File, found: type, base: type, what: str, required: Iterable[str]) -> None:
    protocol = getattr(base, "_is_protocol", False)
    if not protocol and not issubclass(found, base):
        raise file.fault(f"is not {what}", f"derive it from {_name(base)}")
    if not protocol:  # what the nearest base of ours asks for: a HeaderKey, where a MatchKey is expected
        ours = (each for each in found.__mro__ if not each.__module__.startswith(_MODULES))
        base = next(each for each in ours if issubclass(each, base))
    made, wanted = vars(found).get("__dataclass_params__"), vars(base).get("__dataclass_params__")
    if wanted is not None and wanted.frozen and (made is None or not made.frozen):
        raise file.fault("is not a frozen dataclass", "write @dataclass(frozen=True, slots=True) above it")
    _check_variables(file, found, base)
    missing = set(getattr(base if protocol else found, "__abstractmethods__", ())) | set(required)
    for name, method in _methods(base).items():
        raw = inspect.getattr_static(found, name, None)
        if raw is None or (name in missing and raw is method):
            raise file.fault(f"has no method {name!r}", f"write {_heading(name, method)}")
        if raw is not method:
            _check_method(file, found, name, raw, method)


def _check_variables(file: _File, found: type, base: type) -> None:
    """Class variables: those without a value in the base, or with an empty text, have one, of its type."""
    hints = {
        name: hint for each in reversed(base.__mro__) for name, hint in inspect.get_annotations(each).items()
    }
    for name, hint in hints.items():
        if get_origin(hint) is not ClassVar and hint is not ClassVar:
            continue
        kind = next(iter(getattr(hint, "__args__", ())), object)
        kind = get_origin(kind) or kind
        checked = isinstance(kind, type) and kind not in (Any, types.UnionType)
        written = f"{name}: ClassVar[{getattr(kind, '__name__', kind)}]"
        value = getattr(found, name, None)
        if not hasattr(found, name) or (value == "" and getattr(base, name, None) == ""):
            example = f'"{file.name.lower()}"' if kind is str else "…"
            raise file.fault(f"has no {name}", f"write {written} = {example}")
        if checked and not isinstance(value, kind):
            expected = _TYPE_NAMES.get(kind, kind.__name__)
            raise file.fault(f"is not {expected} but {shown(value)}", f"write {written} = …", name)


def _methods(base: type) -> dict[str, Any]:
    """The public methods of a class and of those it is derived from, as they are stored there."""
    found: dict[str, Any] = {}
    for each in reversed(base.__mro__):
        if each is not object and each.__module__ not in ("typing", "abc"):
            found |= {
                name: value
                for name, value in vars(each).items()
                if not name.startswith("_") and (inspect.isroutine(value) or isinstance(value, property))
            }
    return found


def _check_method(file: _File, found: type, name: str, raw: Any, method: Any) -> None:
    """Whether a method can be called as the base's can."""
    heading = _heading(name, method)
    if isinstance(method, property):
        if callable(raw):
            raise file.fault("is a method; a property is expected", f"write @property above {heading}", name)
        return
    mine = _bound(raw, found)
    if not callable(mine):
        raise file.fault(f"is not a method but {shown(raw)}", f"write {heading}", name)
    theirs = _bound(method, found)
    for test, kind in ((inspect.iscoroutinefunction, "async"), (inspect.isgeneratorfunction, "a generator")):
        if test(mine) != test(theirs):
            state = f"is {kind}" if test(mine) else f"is not {kind}"
            raise file.fault(state, f"expected {heading}", name)
    if not _fits(mine, theirs):
        raise file.fault(f"cannot be called as {heading}", f"write {heading}", name)


def _bound(raw: Any, owner: type) -> Any:
    """A method as an instance has it: without self."""
    return raw.__get__(owner, owner) if hasattr(raw, "__get__") else raw


def _fits(mine: Callable[..., object], theirs: Callable[..., object]) -> bool:
    try:
        parameters = inspect.signature(theirs).parameters.values()
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        keywords = {p.name: None for p in parameters if p.kind is p.KEYWORD_ONLY}
        inspect.signature(mine).bind(*positional, **keywords)
    except (TypeError, ValueError):
        return False
    return True


def _heading(name: str, method: Any) -> str:
    """The first line of a method as the base has it, without types."""
    function = getattr(method, "fget", None) or getattr(method, "__func__", method)
    parameters = [
        parameter.replace(annotation=parameter.empty)
        for parameter in inspect.signature(function).parameters.values()
    ]
    signature = inspect.Signature(parameters)
    start = "async def" if inspect.iscoroutinefunction(function) else "def"
    return f"{start} {name}{signature}"


def _derived(base: type) -> str:
    return f"a class derived from {_name(base)}"


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
