"""The full references behind the keys that scenarios cite: docs/bibliography.yaml."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

BIBLIOGRAPHY = Path(__file__).resolve().parents[1] / "docs/bibliography.yaml"
NO_SOURCE = "our choice"
_KEY = re.compile(
    r"gh:(?P<repository>[^#\s]+)#(?P<issue>\d+)|seed (?P<seed>\d+)|(?P<key>[\w-]+)(?:\s?#(?P<n>\d+))?"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """One source: who says it, where it is, and how it was read here."""

    by: str
    title: str
    published_in: str
    year: int | None
    address: str
    seen: str

    def markdown(self) -> str:
        """One line: "By: [Title](address). Journal, 2022. Read in translation"."""
        title = f"[{self.title}]({self.address})" if self.address else self.title
        place = ", ".join(str(part) for part in (self.published_in, self.year) if part)
        read = f"Read {self.seen}" if self.seen else ""
        line = ". ".join(part for part in (title, place, read) if part)
        return (f"{self.by}: " if self.by else "") + line


def entries() -> Mapping[str, Any]:
    """The bibliography as it is written, by key."""
    found: Mapping[str, Any] = yaml.safe_load(BIBLIOGRAPHY.read_text("utf-8"))
    return found


def reference(source: str, known: Mapping[str, Any]) -> Reference | None:
    """What a source of a scenario ("N4P#81", "IMC21 §6.3") stands for; None for our own choice.

    KeyError if the bibliography lacks it.
    """
    if source == NO_SOURCE:
        return None
    found = _KEY.match(source)
    if found is None:
        raise KeyError(source)
    if found["seed"]:
        entry = known["seed"][found["seed"]]
    else:
        entry = known["gh" if found["repository"] else found["key"]]
    number = found["issue"] or found["n"] or ""

    def text(field: str) -> str:
        line = str(entry.get(field, "")).replace("{n}", number)
        return line.replace("{repository}", found["repository"] or "")

    return Reference(text("by"), text("title"), text("in"), entry.get("year"), text("address"), text("seen"))
