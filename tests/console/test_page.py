"""The page's source: nothing inline, nothing from outside, no HTML made of text."""

import re
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "frontend" / "src"


def test_the_page_has_nothing_inline_and_nothing_from_outside() -> None:
    page = (SOURCE / "index.html").read_text("utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style| style=| on[a-z]+=|https?:", page) == []


def test_no_script_makes_html_of_text() -> None:
    scripts = {path.name: path.read_text("utf-8") for path in SOURCE.glob("*.ts")}
    assert scripts
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\"style\""
    assert {name: found for name, text in scripts.items() if (found := re.findall(sinks, text))} == {
        "subscriberterminal.ts": ['"style"']  # by which the terminal's own sheets are recognized
    }
