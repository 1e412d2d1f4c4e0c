"""JSON of somebody else's: a value that can be written again, or a ValueError."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.foreignjson import json_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, -2.5, "ж", null, true]}', {"a": [1, -2.5, "ж", None, True]}),
        (b'"\xd0\xb6"', "ж"),
        ('["\udcff", "\ud800"]', ["?", "?"]),
        ("[NaN, Infinity, -Infinity, 1e999, -1e999]", [None] * 5),
        (f"[{2**63}, {10**400}, -{'9' * 5000}]", [2**63, None, None]),
        ('["\\ud83d\\ude00", "a\\ud83d", "\\uDE00", "\\\\ud800"]', ["\U0001f600", "a?", "?", "\\ud800"]),
    ],
)
def test_what_comes_of_a_text(text: str | bytes, value: object) -> None:
    assert json_value(text) == value


@pytest.mark.parametrize("text", ["", "{", "[1,]", b"\xff", b"\xed\xa0\x80", "[" * 3000, '{"a":' * 3000])
def test_what_is_none(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (of whatever words)
        json_value(text)


@given(st.text(alphabet='[]{}",:\\ud8c0123456789e-+.NaInfty \ud800é'))
def test_any_text_is_a_value_that_can_be_written_or_a_valueerror(text: str) -> None:
    try:
        value = json_value(text)
    except ValueError:
        return
    written = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    assert json_value(written) == value
