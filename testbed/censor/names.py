"""Matching host names: exact, suffix, substring, and lists of a million.

The pattern language is that of the 2021 measurements (IMC21 §6.3):

    example.com      this name only
    *.example.com    names that end in ".example.com" (not example.com itself)
    *example.com     names that end in "example.com"
    *example*        names that contain "example"

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
