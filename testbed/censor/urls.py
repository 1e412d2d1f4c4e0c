"""Matching the addresses of pages, as the registry lists them: http://example.com/page.

    http://example.com/page     this page only
    http://example.com/dir/*    what begins so
    *example.com/page           what ends so
    */page*                     what contains it

The scheme may be left out. Hosts compare without regard to case, the rest as it was sent. What follows "#"
is no part of a request.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UrlList:
    """URL patterns without their scheme. `source` names the file they came from and its digest."""

    patterns: tuple[str, ...]
    source: str = ""


class UrlMatcher:
    """A compiled UrlList: a set probe for whole URLs and one per length in use for the others."""

    __slots__ = ("_endings", "_exact", "_parts", "_prefixes", "_sizes")

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
        self._sizes = tuple(sorted({len(each) for each in prefixes}))

    def __contains__(self, url: str) -> bool:
        if not url:
            return False
        if url in self._exact or any(url[:size] in self._prefixes for size in self._sizes):
            return True
        return url.endswith(self._endings) or any(part in url for part in self._parts)

    def found_in(self, payload: bytes) -> Iterable[str]:
        """What a filter that only searches finds: whole URLs whose host and path are both there."""
        for url in self._exact:
            host, slash, rest = url.partition("/")
            if host.encode() in payload and f"{slash}{rest}".encode() in payload:
                yield url
