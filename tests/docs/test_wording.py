"""The testbed's pages, messages and comments use the field's words: some words are never right here."""

import re

import pytest

from tests.docs.pages import ROOT, pages

NEVER = re.compile(
    r"\b(how-manieth|told|salvag\w*|volleys?|spoilt|ways round|(is|are) wanted|meets? silence|lets? go of"
    r"|letting go of|gives? back|(this|every|each|other) rooms?|rooms)\b",
    re.IGNORECASE,
)
"""Private idiom of the first version. Words that are sometimes right (stands, met, whoever) are left out."""


def found(text: str) -> list[str]:
    return [match[0] for match in NEVER.finditer(text)]


def test_private_idiom_is_gone() -> None:
    files = [*sorted((ROOT / "testbed").rglob("*.py")), *pages()]
    words = {str(path.relative_to(ROOT)): found(path.read_text("utf-8")) for path in files}
    assert {path: here for path, here in words.items() if here} == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The number of those is told.", ["told"]),
        ("a mapping is wanted, not list", ["is wanted"]),
        ("the handshake meets silence", ["meets silence"]),
        ("Let go of the held packets", ["Let go of"]),
        ("What every other room works from", ["other room"]),
        ("make room there, or name another folder; untold; wanted", []),
    ],
)
def test_it_would_be_noticed(text: str, words: list[str]) -> None:
    assert found(text) == words
