"""Names, URLs and addresses as rules list them: in the scenario, or one per line in a file beside it.

In a file, lines may be as others publish them (`published`); how many were converted is said.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Network, ip_network
from pathlib import Path
from typing import Final

from testbed.censor.match.address import Network
from testbed.censor.names import NameList
from testbed.censor.urls import UrlList
from testbed.errors import InputError, Problem, nearest
from testbed.scenario.document import decode
from testbed.scenario.lookups import display, exists, is_file, not_a_file, read_bytes
from testbed.scenario.published import (
    DUMP,
    DUMP_CODING,
    NAME,
    Converted,
    as_names,
    as_networks,
    as_url,
    as_version4,
    is_name,
    wire_name,
)

MAX_BAD_LINES: Final = 10  # of one file, reported in full; the rest are counted

WORDS: Final = ("site:", "country:")  # prefixes of entries that mean addresses of the world

_FORMS: Final = "write example.com, *.example.com, *example.com, *example*, or * for any name"


def pattern_fault(pattern: str) -> tuple[str, str] | None:
    """Why a name pattern can never match, with the remedy; None for a good one."""
    if pattern and is_name(pattern):
        return None
    if pattern.startswith(".") and is_name(pattern[1:]):
        return f"the name {pattern!r} begins with a dot", f"write '*{pattern}'"
    bare = pattern.strip("* ")
    if not bare.strip("."):
        return (
            f"the pattern {pattern!r} matches no name",
            _FORMS,
        )
    if "://" in pattern or "/" in bare:
        host = bare.split("://")[-1].split("/")[0]
        return f"{pattern!r} is a URL, not a name", f"write {host!r}, or put it under http.url"
    if re.search(r"\s", pattern):
        return f"the name {pattern!r} contains a space", "write one name per line or list item"
    if ":" in pattern:
        return f"{pattern!r} has a port", f"write {bare.split(':')[0]!r} and put the port under 'ports'"
    if not bare.isascii():
        return (
            f"the name {pattern!r} is not ASCII",
            f"write it as on the wire: {wire_name(pattern) or 'xn--…'!r}",
        )
    if pattern.endswith("."):
        return f"the name {pattern!r} ends in a dot, which no client sends", f"write {pattern.rstrip('.')!r}"
    return f"{pattern!r} is not a name pattern", _FORMS


def network_fault(text: str) -> tuple[str, str] | None:
    """Why an address or prefix is wrong, with the remedy; None for a good one."""
    try:
        return never_seen(ip_network(text), text)
    except ValueError:
        try:
            loose = ip_network(text, strict=False)
        except ValueError:
            return f"{text!r} is not an address or prefix", "write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"
        return (
            f"the prefix {text!r} has host bits set",
            f"write '{loose}' or '{text.split('/', maxsplit=1)[0]}'",
        )


def never_seen(network: Network, text: str = "") -> tuple[str, str] | None:
    """Why no packet has such an address, with the remedy; None for others."""
    if not isinstance(network, IPv6Network):
        return None
    text = text or str(network)
    if network.network_address.scope_id:
        return f"{text!r} has the zone of one machine, which no packet carries", "write it without '%…'"
    if four := as_version4(network):
        written = str(four).removesuffix("/32")
        return f"{text!r} is never seen: packets over IPv4 have IPv4 addresses", f"write {written}"
    return None


def url_fault(text: str) -> tuple[str, str] | None:
    """Why a URL pattern is wrong, with the remedy; None for a good one."""
    found = as_url(text)
    if found is None:
        forms = "write http://example.com/page, http://example.com/dir/*, */page or *word*"
        return f"{text!r} is not a URL of plain HTTP", forms
    if not found.entries:
        host = text.partition("://")[2].partition("/")[0]
        return f"{text!r} is never seen: HTTPS shows only its host", f"write tls.sni: {host}"
    if "*" in text.partition("://")[2 if "://" in text else 0][1:-1]:
        return f"{text!r} has a star that is at neither end", "leave it out, or write a pattern for each part"
    return None


def url_patterns(text: str) -> tuple[str, ...]:
    """A good URL pattern as it is compared."""
    found = as_url(text)
    return found.entries if found else ()


@dataclass(frozen=True, slots=True)
class ListFile:
    """A list from a file: its entries, the file's sha256, and what was made of lines in other forms."""

    entries: tuple[str, ...]
    digest: str
    remark: str = (
        ""  # "12 of 400 lines converted: names outside ASCII, as IDNA (10); URLs, each by its host (2)"
    )


def read_names(path: Path, place: str) -> tuple[NameList, ListFile]:
    """A file of names. InputError names every line that cannot be understood (the first ten in full)."""
    lines, digest = _lines(path, place)
    fullmatch = NAME.fullmatch
    good = [
        line for line in lines
        if fullmatch(line) and ".." not in line and line[0] != "."
        and (line[-1] not in ".0123456789" or _is_plain(line))
    ]  # fmt: skip
    if len(good) == len(lines):
        names = tuple(good)
        return NameList(names, f"{path.name} sha256:{digest}"), ListFile(names, digest)
    read = _converted(path, lines, digest, _is_plain, as_names, pattern_fault)
    return NameList(read.entries, f"{path.name} sha256:{digest}; {read.remark}"), read


def read_urls(path: Path, place: str) -> tuple[UrlList, ListFile]:
    """A file of URLs. InputError as `read_names`."""
    lines, digest = _lines(path, place)
    read = _converted(path, lines, digest, lambda _: False, as_url, url_fault)
    return UrlList(read.entries, f"{path.name} sha256:{digest}{read.remark and '; '}{read.remark}"), read


def read_networks(path: Path, place: str) -> tuple[tuple[Network, ...], ListFile]:
    """A file of addresses and prefixes. InputError as `read_names`."""
    lines, digest = _lines(path, place)
    try:
        networks = tuple(ip_network(line) for line in lines)
    except ValueError:
        networks = ()
    if networks and not any(map(never_seen, networks)):
        return networks, ListFile(tuple(lines), digest)
    read = _converted(path, lines, digest, lambda line: not network_fault(line), as_networks, network_fault)
    return tuple(ip_network(entry) for entry in read.entries), read


def _is_plain(line: str) -> bool:
    """Whether a line is a name, not an IPv4 address or a range of them, which have the same form."""
    return is_name(line) and bool(line.strip("0123456789.-"))


def _converted(
    path: Path,
    lines: list[str],
    digest: str,
    is_good: Callable[[str], bool],
    convert: Callable[[str], Converted | None],
    fault_of: Callable[[str], tuple[str, str] | None],
) -> ListFile:
    """The entries of lines of which some are in other forms, with their counts."""
    entries: dict[str, None] = {}
    counts: Counter[str] = Counter()
    for line in lines:
        if is_good(line):
            entries[line] = None
            continue
        found = convert(line)
        if found is None:
            _raise_bad(path, lambda entry: None if is_good(entry) or convert(entry) else fault_of(entry))
            raise AssertionError(line)
        entries |= dict.fromkeys(found.entries)
        if found.how:
            counts[found.how] += 1
    kinds = "; ".join(f"{how} ({count})" for how, count in counts.most_common())
    remark = f"{counts.total()} of {len(lines)} lines converted: {kinds}" if counts else ""
    if not entries:
        raise InputError.at(display(path), f"no line is left; {remark}", "give the rule another list or key")
    return ListFile(tuple(entries), digest, remark)


def _lines(path: Path, place: str) -> tuple[list[str], str]:
    """Lines without comments and blanks."""
    if exists(path) and not is_file(path):
        raise InputError.at(place, not_a_file(path), "name a text file with one entry per line")
    if not is_file(path):
        siblings = [entry.name for entry in path.parent.glob("*.txt")] if path.parent.is_dir() else []
        raise InputError.at(place, f"there is no file {display(path)}", nearest(path.name, siblings))
    raw = read_bytes(path, place)
    lines = [line for line in _entries(raw, path) if line]
    if not lines:
        raise InputError.at(display(path), "the list is empty", "write one entry per line")
    return lines, hashlib.sha256(raw).hexdigest()


def _entries(raw: bytes, path: Path) -> list[str]:
    """One for each line of a file, "" where there is none."""
    if raw.startswith(DUMP):  # its date; the registry's own dump has no comments, and URLs have "#"
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode(DUMP_CODING, "replace")
        return ["", *(line.strip() for line in text.split("\n")[1:])]
    text = decode(raw, path)
    if "#" in text:
        return [line.partition("#")[0].strip() for line in text.split("\n")]
    return [line.strip() for line in text.split("\n")]


def _raise_bad(path: Path, fault_of: Callable[[str], tuple[str, str] | None]) -> None:
    problems: list[Problem] = []
    count = 0
    for number, entry in enumerate(_entries(path.read_bytes(), path), 1):
        fault = fault_of(entry) if entry else None
        if fault:
            count += 1
            if count <= MAX_BAD_LINES:
                problems.append(Problem(f"{display(path)}:{number}", *fault))
    if count > MAX_BAD_LINES:
        problems.append(Problem(f"{display(path)}:{number}", f"{count - MAX_BAD_LINES} more lines are wrong"))
    raise InputError(*problems)
