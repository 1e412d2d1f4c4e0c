"""Files of a run folder: the same values as JSON's own, with a line for each part of the upper levels."""

import json
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from testbed.run.folder import RunFolder, _laid_out

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.text() | st.integers() | st.booleans() | st.none()
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner),
    max_leaves=40,
)


@given(VALUES)
def test_the_values_are_the_same(value: object) -> None:
    assert json.loads(_laid_out(value)) == json.loads(json.dumps(value))


def test_three_levels_have_lines(tmp_path: Path) -> None:
    sites = [{"name": "a", "at": ("x", Path("y"))}, {"name": "ж", "at": []}]
    RunFolder(tmp_path).write("scenario.json", {"world": {"sites": sites}, "notes": [], "seed": 1})
    assert (tmp_path / "scenario.json").read_text("utf-8").splitlines() == [
        "{",
        ' "world": {',
        '  "sites": [',
        '   {"name": "a", "at": ["x", "y"]},',
        '   {"name": "ж", "at": []}',
        "  ]",
        " },",
        ' "notes": [],',
        ' "seed": 1',
        "}",
    ]


def test_bytes_of_a_command_line_are_read_as_they_were_given(tmp_path: Path) -> None:
    """No UTF-8 is a word like any other for Linux."""
    given = [os.fsdecode(b"caf\xe9"), "ж"]
    folder = RunFolder(tmp_path)
    folder.write("job.json", {"command": given})
    folder.write_lines("lines.jsonl", [given])
    folder.append("more.jsonl", given)
    written = [(tmp_path / name).read_text("utf-8") for name in ("job.json", "lines.jsonl", "more.jsonl")]
    assert [json.loads(text) for text in written] == [{"command": given}, given, given]
    assert "ж" in written[0]
