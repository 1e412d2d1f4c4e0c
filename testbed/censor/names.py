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

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_NAME_BYTES: Final = re.compile(rb"[A-Za-z0-9_.-]+")  # what patterns are made of
_FEW_PARTS: Final = 32  # so many are tried one after the other; our choice


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
    """A compiled NameList: a few set probes for a name, whatever the length of the list.

    Exact names take one probe, `*.suffix` names one per label, `*ending` and `*part*` patterns one per length
    in use (and place, for parts). Names in lower case are not copied, so that a list and its matcher together
    stay small (budget: 180 MB for 1,000,000 names).
    """

    __slots__ = ("_ending_lengths", "_endings", "_exact", "_lengths", "_part_lengths", "_parts", "_suffixes")

    def __init__(self, patterns: Iterable[str]) -> None:
        exact, suffixes, endings, parts = set[str](), set[str](), set[str](), set[str]()
        for pattern in patterns:
            text = pattern.lower()
            if text[:1] != "*":
                exact.add(pattern if text == pattern else text)
            elif text == "*":
                parts.add("")
            elif text.endswith("*") and len(text) > 2:
                parts.add(text[1:-1])
            elif text.startswith("*."):
                suffixes.add(text[2:])
            else:
                endings.add(text[1:])
        self._exact, self._suffixes, self._endings, self._parts = exact, suffixes, endings, parts
        self._ending_lengths, self._part_lengths = _lengths(endings), _lengths(parts)
        self._lengths: tuple[int, ...] | None = None

    def __contains__(self, name: str) -> bool:
        if not name:
            return False
        name = name.lower()
        if name in self._exact:
            return True
        for size in self._ending_lengths:
            if name[-size:] in self._endings:
                return True
        if self._suffixes:
            at = name.find(".")
            while at >= 0:
                if name[at + 1 :] in self._suffixes:
                    return True
                at = name.find(".", at + 1)
        return bool(self._parts) and self._has_part(name)

    def found_in(self, payload: bytes) -> Iterator[str]:
        """What a keyword filter finds anywhere in `payload`, in its order: each name without its stars.

        The work is bounded by the payload's runs of name characters, not by the length of the list.
        """
        if self._lengths is None:
            self._lengths = _lengths(self._exact | self._suffixes | self._endings | self._parts - {""})
        for run in _NAME_BYTES.findall(payload):
            text = run.lower().decode("ascii")
            for at in range(len(text)):
                for size in self._lengths:
                    if at + size > len(text):
                        break
                    word = text[at : at + size]
                    if word in self._exact or word in self._endings or word in self._parts:
                        yield word
                    if at and text[at - 1] == "." and word in self._suffixes:
                        yield f".{word}"

    def _has_part(self, name: str) -> bool:
        if len(self._parts) <= _FEW_PARTS:
            return any(part in name for part in self._parts)
        return any(
            name[at : at + size] in self._parts
            for size in self._part_lengths
            for at in range(len(name) - size + 1)
        )


def _lengths(words: Iterable[str]) -> tuple[int, ...]:
    return tuple(sorted({len(word) for word in words}))
