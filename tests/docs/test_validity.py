"""The page of every way in which a run could be untrue names tests that exist."""

import re

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "validity.md").read_text("utf-8")
NAMED = re.findall(r"`(tests/[a-z_0-9/]+\.py)::(test_[a-z_0-9]+)`", PAGE)
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "What could be untrue" not in line]


def test_every_row_names_a_test():
    assert [row for row in ROWS if "`tests/" not in row] == []
    assert len(ROWS) > 30


def test_every_named_test_exists():
    missing = [
        f"{file}::{name}"
        for file, name in NAMED
        if not (ROOT / file).is_file() or f"def {name}(" not in (ROOT / file).read_text("utf-8")
    ]
    assert missing == []
