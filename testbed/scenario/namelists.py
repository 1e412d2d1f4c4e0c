"""Names and addresses as rules list them: in the scenario, or one per line in a file beside it."""

import hashlib
import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from testbed.censor.match.address import Network
from testbed.censor.names import NameList
from testbed.errors import InputError, Problem, nearest
from testbed.scenario.document import decode, display, read_bytes

MAX_BAD_LINES: Final = 10  # of one file, reported in full; the rest are counted

WORDS: Final = ("site:", "country:")  # prefixes of entries that mean addresses of the world

_PATTERN = re.compile(
    r"\*|\*?[A-Za-z0-9_.-]*[A-Za-z0-9_][A-Za-z0-9_.-]*|\*[A-Za-z0-9_.-]*[A-Za-z0-9_][A-Za-z0-9_.-]*\*"
)
_FORMS: Final = "write example.com, *.example.com, *example.com, *example*, or * for any name"


def pattern_fault(pattern: str) -> tuple[str, str] | None:
    """Why a name pattern can never match, with the remedy; None for a good one."""
    if _PATTERN.fullmatch(pattern) and ".." not in pattern and not pattern.endswith("."):
        return (
            None if pattern[0] != "." else (f"the name {pattern!r} begins with a dot", f"write '*{pattern}'")
        )
    bare = pattern.strip("* ")
    if not bare.strip("."):
        return (
            f"the pattern {pattern!r} matches no name",
            _FORMS,
        )
    if "://" in pattern or "/" in bare:
        host = bare.split("://")[-1].split("/")[0]
        return f"{pattern!r} is a URL, not a name", f"write {host!r}"
    if re.search(r"\s", pattern):
        return f"the name {pattern!r} contains a space", "write one name per line or list item"
    if ":" in pattern:
        return f"{pattern!r} has a port", f"write {bare.split(':')[0]!r} and put the port under 'ports'"
    if not bare.isascii():
        return f"the name {pattern!r} is not ASCII", f"write it as on the wire: {_punycode(bare)!r}"
    if pattern.endswith("."):
        return f"the name {pattern!r} ends in a dot, which no client sends", f"write {pattern.rstrip('.')!r}"
    return f"{pattern!r} is not a name pattern", _FORMS


def network_fault(text: str) -> tuple[str, str] | None:
    """Why an address or prefix is wrong, with the remedy; None for a good one."""
    try:
        ip_network(text)
    except ValueError:
        try:
            loose = ip_network(text, strict=False)
        except ValueError:
            return f"{text!r} is not an address or prefix", "write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"
        return (
            f"the prefix {text!r} has host bits set",
            f"write '{loose}' or '{text.split('/', maxsplit=1)[0]}'",
        )
    return None


def read_names(path: Path, place: str) -> tuple[NameList, str]:
    """A file of names and its sha256. InputError names every bad line (the first ten in full)."""
    lines, digest = _lines(path, place)
    fullmatch = _PATTERN.fullmatch
    good = [
        line for line in lines
        if fullmatch(line) and ".." not in line and line[-1] != "." and line[0] != "."
    ]  # fmt: skip
    if len(good) != len(lines):
        _raise_bad(path, pattern_fault)
    return NameList(tuple(good), f"{path.name} sha256:{digest}"), digest


def read_networks(path: Path, place: str) -> tuple[tuple[Network, ...], str]:
    """A file of addresses and prefixes and its sha256. InputError names every bad line."""
    lines, digest = _lines(path, place)
    try:
        return tuple(ip_network(line) for line in lines), digest
    except ValueError:
        _raise_bad(path, network_fault)
        raise


def _lines(path: Path, place: str) -> tuple[list[str], str]:
    """Lines without comments and blanks."""
    if not path.is_file():
        siblings = [entry.name for entry in path.parent.glob("*.txt")] if path.parent.is_dir() else []
        raise InputError.at(place, f"there is no file {display(path)}", nearest(path.name, siblings))
    raw = read_bytes(path, place)
    text = decode(raw, path)
    if "#" in text:
        lines = [line.partition("#")[0].strip() for line in text.split("\n")]
    else:
        lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if line]
    if not lines:
        raise InputError.at(display(path), "the list is empty", "write one entry per line")
    return lines, hashlib.sha256(raw).hexdigest()


def _raise_bad(path: Path, fault_of: Callable[[str], tuple[str, str] | None]) -> None:
    problems: list[Problem] = []
    count = 0
    for number, line in enumerate(path.read_text("utf-8-sig").split("\n"), 1):
        entry = line.partition("#")[0].strip()
        fault = fault_of(entry) if entry else None
        if fault:
            count += 1
            if count <= MAX_BAD_LINES:
                problems.append(Problem(f"{display(path)}:{number}", *fault))
    if count > MAX_BAD_LINES:
        problems.append(Problem(f"{display(path)}:{number}", f"{count - MAX_BAD_LINES} more lines are wrong"))
    raise InputError(*problems)


def _punycode(name: str) -> str:
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return "xn--…"
