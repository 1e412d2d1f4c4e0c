"""Matching host names: exact, suffix, substring, and lists of a million.

The pattern language is that of the 2021 measurements (IMC21 §6.3):

    example.com      this name only
    *.example.com    names that end in ".example.com" (not example.com itself)
    *example.com     names that end in "example.com"
    *example*        names that contain "example"
    *                every name

Names compare without regard to ASCII case. Nothing else is normalised: "example.com." is a different
name (CP21: a trailing dot evades).
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NameList:
    """Patterns as the scenario gives them. `source` names the file they came from and its digest."""

    patterns: tuple[str, ...]
    source: str = ""

    def __repr__(self) -> str:
        """Short for long lists, so that errors and resolved scenarios stay readable."""
        shown = ", ".join(self.patterns[:4]) + (", …" if len(self.patterns) > 4 else "")
        return f"NameList({len(self.patterns)}: {shown}{'; ' + self.source if self.source else ''})"


class NameMatcher:
    """A compiled NameList: one set look-up for exact names and one per label for `*.suffix` names.

    Load and memory are those of two frozensets of str; a look-up costs a few set probes whatever the
    length of the list (design budget: 1,000,000 names, 5 µs).
    """

    __slots__ = ("_endings", "_exact", "_parts", "_suffixes")

    def __init__(self, patterns: Iterable[str]) -> None:
        exact, suffixes, endings, parts = set(), set(), set(), set()
        for pattern in patterns:
            text = pattern.lower()
            if text == "*":
                parts.add("")
            elif text.startswith("*") and text.endswith("*") and len(text) > 2:
                parts.add(text[1:-1])
            elif text.startswith("*."):
                suffixes.add(text[2:])
            elif text.startswith("*"):
                endings.add(text[1:])
            else:
                exact.add(text)
        self._exact, self._suffixes = frozenset(exact), frozenset(suffixes)
        self._endings, self._parts = tuple(sorted(endings)), tuple(sorted(parts))

    def __contains__(self, name: str) -> bool:
        if not name:
            return False
        name = name.lower()
        if name in self._exact or (self._endings and name.endswith(self._endings)):
            return True
        if self._suffixes:
            at = name.find(".")
            while at >= 0:
                if name[at + 1 :] in self._suffixes:
                    return True
                at = name.find(".", at + 1)
        return any(part in name for part in self._parts)
