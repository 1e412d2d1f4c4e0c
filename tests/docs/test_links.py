"""Relative links lead to files and headings that are there."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, pages

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img[^>]*src=\"([^\"]+)\"")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_HTML = re.compile(r"<[a-zA-Z][^>]*>")
_HEADING = re.compile(r"^#+\s+(.*?)\s*$", re.MULTILINE)


def broken(page: Path) -> list[str]:
    text = _CODE.sub("", page.read_text("utf-8"))
    wrong = []
    for match in _LINK.finditer(text):
        link = match[1] or match[2]
        if re.match(r"[a-z]+:", link):
            continue
        place, _, heading = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or (heading and heading not in headings(target)):
            wrong.append(link)
    return wrong


def headings(page: Path) -> set[str]:
    """The anchors of a page, as forges make them."""
    found = _HEADING.findall(page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    assert broken(page) == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A title\n[a](page.md#a-title) [b](none.md) [c](#none) `[d](code.md)` [e](https://x.org/)\n"
    )
    assert broken(page) == ["none.md", "#none"]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_brings_no_html(page: Path) -> None:
    """A site would show it as it is: an address in it would be asked by whoever reads the page."""
    assert _HTML.findall(_CODE.sub("", page.read_text("utf-8"))) == []
