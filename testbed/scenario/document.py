"""One YAML 1.2 file: plain data, and the line of every key and item in it."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from testbed.errors import InputError, Problem, first_control, path_text, printable
from testbed.scenario.lookups import display, is_file, read_bytes

MAX_NODES = 200_000  # a bound on what aliases may blow up to
MAX_DEPTH = 60
MAX_BYTES = 4 << 20  # of one file; our choice: the parser reads some hundred kilobytes a second
_OUTSIDE_LISTS = "put long lists into a file: {file: names.txt}"

_TOO_DEEP = "exceeded maximum nesting depth"  # the parser's own limit, some hundreds
_TAG = "tag:yaml.org,2002:"
_INDENT = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Document:
    """A file's content. `lines` maps a path inside it, as a tuple of keys and indices, to its line."""

    path: Path
    data: Any
    lines: dict[tuple[str | int, ...], int]
    digest: str  # sha256, hexadecimal

    @property
    def folder(self) -> Path:
        """Where files named in this one are looked for."""
        return self.path.parent

    def place(self, loc: tuple[str | int, ...] = ()) -> str:
        """Such as "scenarios/x.yaml:12 censors.tspu.rules[0].match"."""
        known: tuple[str | int, ...] = ()
        for part in loc:  # the model has steps that the file has not: a list written as a single value
            known = (*known, part) if (*known, part) in self.lines else known
        return f"{display(self.path)}:{self.lines.get(known, 1)} {path_text(known)}".rstrip()


def decode(raw: bytes, path: Path) -> str:
    """UTF-8 text, with the line and byte where it is not."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError.at(
            f"{display(path)}:{line}",
            f"byte 0x{raw[error.start]:02x} is not UTF-8",
            "save the file as UTF-8",
        ) from error


def read(path: Path) -> Document:
    """Parse a file. InputError if it is not readable, not UTF-8, not YAML, empty, or gives a key twice."""
    raw = _bounded(path)
    text = decode(raw, path)
    node = _compose(text, path)
    if node is None:
        raise InputError.at(
            f"{display(path)}:1", "the file is empty", "see docs/scenarios.md for a first one"
        )
    builder = _Builder(path)
    data = builder.build(node, (), 0)
    if not isinstance(data, dict):
        builder.fault(node, f"expected key: value pairs, found {_kind(data)}", "write 'key: value' lines")
    if builder.problems:
        raise InputError(*builder.problems)
    return Document(path, data, builder.lines, hashlib.sha256(raw).hexdigest())


def _bounded(path: Path) -> bytes:
    """The bytes of a file that is no larger than the parser should meet."""
    size = path.stat().st_size if is_file(path) else 0
    if size > MAX_BYTES:
        raise InputError.at(display(path), f"the file is too large: {size:,} bytes", _OUTSIDE_LISTS)
    if control := first_control(path.name):
        raise InputError.at(display(path), f"the file's name contains {control}", "name it in letters")
    return read_bytes(path)


class _Yaml12(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # the C parser, where there is one
    """Plain text by YAML 1.2's core schema: `no` and `22:30` are text, as are dates."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}


for _name, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    _Yaml12.add_implicit_resolver(_TAG + _name, re.compile(rf"^(?:{_pattern})$"), list(_first))


def _compose(text: str, path: Path) -> Node | None:
    try:
        return yaml.compose(text, Loader=_Yaml12)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}" if mark else ""
        if error.problem == _TOO_DEEP:
            raise InputError.at(f"{display(path)}{where}", "the file is too deep", _OUTSIDE_LISTS) from error
        begun = error.context_mark and f"{error.context} that begins on line {error.context_mark.line + 1}"
        said = _INDENT.sub(" ", ", ".join(filter(None, (begun or error.context, error.problem))))
        raise InputError.at(f"{display(path)}{where}", f"not YAML: {said}", _syntax_remedy(text)) from error
    except MemoryError:
        raise
    except Exception as error:  # the parser meets any bytes at all, and raises many things for them
        said = _INDENT.sub(" ", f"{type(error).__name__}: {error}")[:200]
        raise InputError.at(display(path), f"not YAML: {said}", _syntax_remedy(text)) from error


def _syntax_remedy(text: str) -> str:
    if "\t" in text:
        return "YAML does not allow tabs to indent: use spaces"
    return "look at the line, and the one before: indentation, brackets, a name that begins with * unquoted"


class _Builder:
    """Nodes to plain data. Timestamps stay text; nothing else than text, numbers, true, false, null."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[tuple[str | int, ...], int] = {}
        self.problems: list[Problem] = []
        self.count = 0

    def fault(self, node: Node, message: str, remedy: str = "") -> None:
        place = f"{display(self.path)}:{node.start_mark.line + 1}"
        self.problems.append(Problem(place, message, remedy))

    def build(self, node: Node, loc: tuple[str | int, ...], depth: int) -> Any:
        self.count += 1
        if self.count > MAX_NODES or depth > MAX_DEPTH:
            too = "too deep" if depth > MAX_DEPTH else "too large"
            place = f"{display(self.path)}:{node.start_mark.line + 1}"
            raise InputError.at(place, f"the file is {too}", _OUTSIDE_LISTS)
        self.lines.setdefault(loc, node.start_mark.line + 1)
        if isinstance(node, ScalarNode):
            self.no_controls(node, loc)
            return self.scalar(node)
        if isinstance(node, MappingNode):
            return self.mapping(node, loc, depth)
        return [self.build(item, (*loc, index), depth + 1) for index, item in enumerate(node.value)]

    def no_controls(self, node: ScalarNode, loc: tuple[str | int, ...]) -> None:
        """Titles and names are printed: nothing in a file is obeyed by a terminal."""
        if control := first_control(node.value):
            place = f"{display(self.path)}:{node.start_mark.line + 1} {path_text(loc)}"
            message = f"the text contains the control character {control}"
            self.problems.append(Problem(printable(place), message, "leave it out"))

    def mapping(self, node: MappingNode, loc: tuple[str | int, ...], depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self.fault(key_node, "a key must be text, not a list or key: value pairs")
                continue
            key = key_node.value
            self.no_controls(key_node, (*loc, key))
            if key in data:
                first = self.lines[(*loc, key)]
                self.fault(key_node, f"the key {key!r} is given twice", f"it is already on line {first}")
                continue
            self.lines[(*loc, key)] = key_node.start_mark.line + 1
            data[key] = self.build(value_node, (*loc, key), depth + 1)
        return data

    def scalar(self, node: ScalarNode) -> str | int | float | bool | None:
        kind, text = str(node.tag).removeprefix(_TAG), node.value
        try:
            match kind:
                case "null":
                    return None
                case "bool":
                    return bool(text.lower() == "true")
                case "int":
                    return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
                case "float":
                    return float(text.replace(".inf", "inf").replace(".nan", "nan"))
                case "str" | "timestamp" | "value" | "merge":
                    return str(text)
        except ValueError:
            return str(text)
        self.fault(node, f"the tag {node.tag!s:.80} is not known", "leave it out")
        return None


def _kind(data: Any) -> str:
    return {list: "a list", str: "text", type(None): "nothing"}.get(type(data), f"{data!r:.40}")
