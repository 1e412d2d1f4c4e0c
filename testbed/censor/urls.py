"""Matching the addresses of pages, as the registry lists them: http://example.com/page.

    http://example.com/page     this page only
    http://example.com/dir/*    what begins so
    *example.com/page           what ends so
    */page*                     what contains it

The scheme may be left out. Hosts compare without regard to case, the rest as it was sent, and stars stand at
the ends only. What follows "#" is no part of a request.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UrlList:
    """URL patterns without their scheme. `source` names the file they came from and its digest."""

    patterns: tuple[str, ...]
    source: str = ""


class UrlMatcher:
    """A compiled UrlList: a set probe for whole URLs and one per length in use for the others."""

    __slots__ = ("_endings", "_exact", "_in_host", "_parts", "_prefixes", "_sizes")

    def __init__(self, patterns: Iterable[str]) -> None:
        exact, prefixes, endings, parts = set[str](), set[str](), set[str](), set[str]()
        for pattern in patterns:
            if pattern.startswith("*"):
                (parts if len(pattern) > 1 and pattern.endswith("*") else endings).add(pattern.strip("*"))
            elif pattern.endswith("*"):
                prefixes.add(pattern[:-1])
            else:
                exact.add(pattern)
        self._exact, self._prefixes = exact, prefixes
        self._endings, self._parts = tuple(endings), tuple(parts)
        self._in_host = (*_in_hosts(endings, ends=True), *_in_hosts(parts, ends=False))
        self._sizes = tuple(sorted({len(each) for each in prefixes}))

    def __contains__(self, url: str) -> bool:
        if not url:
            return False
        if url in self._exact or any(url[:size] in self._prefixes for size in self._sizes):
            return True
        if url.endswith(self._endings) or any(part in url for part in self._parts):
            return True
        return bool(self._in_host) and self._is_in_host(url)

    def _is_in_host(self, url: str) -> bool:
        """Whether a pattern with capital letters fits where its host is compared, in small letters."""
        size = url.find("/")
        for before, rest, ends in self._in_host:
            at = size - len(before)
            if rest:
                after = url[size:]
                fits = after == rest if ends else after.startswith(rest)
                if at >= 0 and fits and url.startswith(before, at):
                    return True
            elif before in url[:size]:
                return True
        return False

    def found_in(self, payload: bytes) -> Iterable[str]:
        """What a filter that only searches finds: whole URLs whose host and path are both there."""
        for url in self._exact:
            host, slash, rest = url.partition("/")
            if host.encode() in payload and f"{slash}{rest}".encode() in payload:
                yield url


def _in_hosts(patterns: Iterable[str], *, ends: bool) -> Iterator[tuple[str, str, bool]]:
    """Those that may begin in a host: its part in small letters, the path, whether URLs end so."""
    for pattern in patterns:
        before, slash, path = pattern.partition("/")
        if before != before.lower() and (slash or not ends):
            yield before.lower(), f"{slash}{path}", ends
