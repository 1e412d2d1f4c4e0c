"""Lines of lists as others publish them: what the registry, v2ray and filter lists write, as rules need it.

Each function takes one line that is not in our own form. It returns what the line is read as and how, or
nothing: `Converted((), how)` is a line that is left out, None one that nobody understands.
"""

import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
    summarize_address_range,
)
from typing import Final, NamedTuple
from urllib.parse import quote

NAME = re.compile(
    r"\*|\*?[A-Za-z0-9_.-]*[A-Za-z0-9_][A-Za-z0-9_.-]*|\*[A-Za-z0-9_.-]*[A-Za-z0-9_][A-Za-z0-9_.-]*\*"
)
_V2RAY: Final = ("domain", "full", "keyword", "regexp", "include")
_PREFIXED = re.compile(rf"({'|'.join(_V2RAY)}):(\S+)((?:\s+@[\w!-]+)*)\s*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_FILTER = re.compile(r"\|\|([^/^|]+)\^?(?:\$.*)?")
_ENCODED: Final = "!$&'()*+,;=:@/?%~-._[]\"<>{}|\\^`"  # what browsers leave in the path and query of a URL

_MAPPED: Final = 96  # bits before the IPv4 address in an IPv4-mapped one (RFC 4291 §2.5.5.2)

DUMP: Final = b"Updated:"  # how the registry's dump begins, with its date
DUMP_CODING: Final = "windows-1251"
_FIELDS: Final = 6  # of its lines: addresses; name; URLs; who decided; number; date
_OF_DUMP: Final = "lines of the registry's dump"


class Converted(NamedTuple):
    """What a line is read as; `how` names what such lines are, for a count."""

    entries: tuple[str, ...]
    how: str


def is_name(pattern: str) -> bool:
    """Whether a text is a name pattern of ours."""
    return (
        NAME.fullmatch(pattern) is not None
        and ".." not in pattern
        and pattern[-1] != "."
        and pattern[0] != "."
    )


def as_names(line: str) -> Converted | None:
    """A line of a published list as patterns of names."""
    if record := _record(line):
        _, name, urls = record
        names = [wire_name(text) for text in ([name] if name else map(_host_of, map(_bare, urls)))]
        kept = tuple(dict.fromkeys(each for each in names if each and _network(each) is None))
        return Converted(kept, _OF_DUMP if kept else f"{_OF_DUMP} without a name, left out")
    if found := _PREFIXED.fullmatch(line):
        return _v2ray(found[1], found[2])
    if found := _FILTER.fullmatch(line):
        return _below(found[1], "filter rules (||name^), each as the name and those below it")
    if _network(line) is not None or _range(line) is not None:
        return Converted((), "addresses or prefixes, left out: they belong under ip")
    if _SCHEME.match(line) or "/" in line:
        host = wire_name(_host_of(_SCHEME.sub("", line, count=1)))
        if host is None:
            return None
        if _network(host) is not None:
            return Converted((), "URLs with an address, left out: they belong under ip or http.url")
        return Converted((host,), "URLs, each by its host")
    return _odd_name(line)


def _v2ray(kind: str, text: str) -> Converted | None:
    if kind == "regexp":
        return Converted((), "regexp: lines, left out: no pattern of ours says the same")
    if kind == "include":
        return Converted((), "include: lines, left out: the other list is not read")
    if kind == "domain":
        return _below(text, "domain: lines, each as the name and those below it")
    name = wire_name(text)
    if name is None:
        return None
    return Converted((f"*{name}*" if kind == "keyword" else name,), f"{kind}: lines")


def _below(text: str, how: str) -> Converted | None:
    name = wire_name(text)
    return None if name is None or name.startswith("*") else Converted((name, f"*.{name}"), how)


def _odd_name(line: str) -> Converted | None:
    """Names in Cyrillic, with a dot at either end, with a port."""
    if line.startswith(".") and (name := wire_name(line[1:])):
        return Converted(
            (name, f"*.{name}"), "names with a dot before them, each as the name and those below it"
        )
    head, colon, port = line.rpartition(":")
    if colon and port.isdigit() and (name := wire_name(head)):
        return Converted((name,), "names with a port, which is left out")
    name = wire_name(line)
    if name is None:
        return None
    how = "names with a final dot" if line.endswith(".") else ""
    return Converted((name,), how if line.isascii() else "names outside ASCII, as IDNA")


def wire_name(text: str) -> str | None:
    """A name or pattern as it is on the wire (IDNA), without a final dot; None if it is none."""
    text = text.strip().rstrip(".")
    if not text.isascii():
        front, back = "*" * text.startswith("*"), "*" * (len(text) > 1 and text.endswith("*"))
        inner = text.strip("*")
        dot = "." * inner.startswith(".")
        try:
            text = f"{front}{dot}{inner.lstrip('.').encode('idna').decode()}{back}"
        except UnicodeError:
            return None
    return text if text and is_name(text) else None


def as_url(line: str) -> Converted | None:
    """A line as a URL pattern in the form of `testbed.censor.urls`."""
    if record := _record(line):
        read = [each.entries for url in record[2] if (each := as_url(url))]
        entries = tuple(entry for pages in read for entry in pages)
        return Converted(
            entries, _OF_DUMP if entries else f"{_OF_DUMP} without a page of plain HTTP, left out"
        )
    scheme, rest = "", line
    if found := _SCHEME.match(line):
        scheme, rest = found[0].lower(), line[found.end() :]
    if scheme == "https://":
        return Converted((), "https:// URLs, left out: a box sees only their host, by tls.sni")
    if scheme not in ("", "http://") or not rest or re.search(r"\s", rest):
        return None
    if rest.startswith("*"):
        before, slash, path = rest.partition("/")
        in_host = None if before.isascii() else wire_name(before)  # or it is part of a path
        also = (f"{in_host}{slash}{_encoded(path)}",) if in_host else ()
        return Converted((_encoded(rest), *also), "")
    host, slash, path = rest.partition("/")
    open_end = not slash and host.endswith("*")
    name, colon, port = host.rstrip("*" if open_end else "").partition(":")
    wire = wire_name(name)
    if wire is None or "*" in wire:
        return None
    port = "" if port == "80" else colon + port
    path = path.partition("#")[0]
    how = "" if name.isascii() and path.isascii() else "URLs outside ASCII, as they are sent"
    return Converted((f"{wire.lower()}{port}{'*' if open_end else '/'}{_encoded(path)}",), how)


def _encoded(text: str) -> str:
    return quote(text, safe=_ENCODED)


def _host_of(rest: str) -> str:
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def as_networks(line: str) -> Converted | None:
    """A line of a published list as addresses and prefixes."""
    if record := _record(line):
        networks = tuple(str(found) for text in record[0] if (found := _network(text)))
        return Converted(networks, _OF_DUMP if networks else f"{_OF_DUMP} without an address, left out")
    if found := _network(line):
        how = "prefixes with host bits set, each as its network"
        return Converted(
            (str(found),), "IPv4 addresses in the form of IPv6" if found.version == 4 and ":" in line else how
        )
    if ends := _range(line):
        return Converted(tuple(map(str, summarize_address_range(*ends))), "ranges of addresses, as prefixes")
    if _SCHEME.match(line):
        host = _host_of(_SCHEME.sub("", line, count=1))
        if found := _network(host):
            return Converted((str(found),), "URLs with an address")
        return Converted((), "URLs, left out: they belong under http.url or tls.sni")
    if line.strip("0123456789.:/-") and (is_name(line) or as_names(line)):
        return Converted((), "names, left out: they belong under tls.sni, http.host, dns.qname or quic.sni")
    return None


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        return None
    if isinstance(found, IPv6Network):
        return None if found.network_address.scope_id else as_version4(found) or found
    return found


def as_version4(network: IPv6Network) -> IPv4Network | None:
    """What an IPv4-mapped prefix (::ffff:192.0.2.1) means; None for any other."""
    mapped = network.network_address.ipv4_mapped
    if mapped is None or network.prefixlen < _MAPPED:
        return None
    return IPv4Network((mapped, network.prefixlen - _MAPPED), strict=False)


def _range(text: str) -> tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address] | None:
    first, dash, last = (part.strip() for part in text.partition("-"))
    try:
        ends = ip_address(first), ip_address(last)
    except ValueError:
        return None
    same = dash and ends[0].version == ends[1].version
    return ends if same and int(ends[0]) <= int(ends[1]) else None


def _record(line: str) -> tuple[list[str], str, list[str]] | None:
    """Addresses, name and URLs of a line of the registry's dump; None for any other line."""
    fields = line.split(";")
    if len(fields) < _FIELDS:
        return None
    return _several(fields[0]), fields[1].strip(), _several(fields[2])


def _several(field: str) -> list[str]:
    return [text for part in field.split("|") if (text := part.strip())]


def _bare(url: str) -> str:
    return _SCHEME.sub("", url, count=1)
