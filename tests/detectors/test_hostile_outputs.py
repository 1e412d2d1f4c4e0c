"""Whatever is in a tool's output: what is fine in it counts, the rest is named, and every table is made."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.detectors.adapter import ToolOutput, adapter
from testbed.detectors.pairing import answer, paired
from testbed.detectors.score import Thresholds, score
from testbed.detectors.trials import Trial
from testbed.report import scores, scoring

DATA = Path(__file__).parent / "data"
RECORD = {"target": "https://twitter.com/", "verdict": "blocked", "mechanism": "tls.sni.rst", "rate": 1.5,
          "layer": "tls", "hop": 3, "vantage": "mts"}  # fmt: skip
JSON = {
    "cendpi": "cendpi-tls.jsonl",
    "cenfuzz": "cenfuzz-tls.jsonl",
    "curl": "curl.jsonl",
    "dpi-ch": "dpi-ch.jsonl",
    "hyperquack": "hyperquack-v2.jsonl",
    "netlog": "netlog-reset.json",
    "ooni": "ooni-others.jsonl",
    "plain": "",
    "satellite": "satellite-v2.jsonl",
    "zgrab2": "zgrab2.jsonl",
}
TEXT = {
    "blockcheck": "blockcheck-tls12.txt",
    "centrace": "centrace-rewrite.csv",
    "dpi-detector": "dpi-detector-domains.txt",
}
VALUES: Any = st.sampled_from(
    [None, True, -1, 0, 10**400, 1.5, 1e308, float("nan"), "", "x", "=1+1", "\x1b[2J", "\ud800", "\x00",
     "http://[::1", "https://x:99999/", "https://x:y/", "//[", " \n|", "9" * 500, "nan",
     [], [1], [None], [[]], [{}], {}, {"a": 1}, {"": None}]
)  # fmt: skip
KNOWN = [
    Trial(scenario="s", phase="p", vantage="mts", target=target, outcome=outcome, acted=("mts/tspu/rule",))
    for target, outcome in (("https://twitter.com/", "tls.sni.rst"), ("https://vk.com/", "ok"))
]


def documents(name: str) -> list[Any]:
    """The JSON values of a sample."""
    if not JSON[name]:
        return [RECORD]
    text = (DATA / JSON[name]).read_text("utf-8")
    try:
        return [json.loads(text)]
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a value, of lists the first few."""
    yield here
    inner = value if isinstance(value, dict) else range(min(6, len(value))) if isinstance(value, list) else ()
    for key in inner:
        yield from places(value[key], (*here, key))


def put(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """The value with another one at that place."""
    if not place:
        return new
    key, *rest = place
    made: Any = value.copy()
    made[key] = put(value[key], tuple(rest), new)
    return made


def judged(name: str, text: str, target: str) -> None:
    """Read it, and make everything of it that `testbed score` does."""
    tool = adapter(name)
    report = tool.read(ToolOutput(text, target=target))
    for verdict in report.verdicts:
        assert isinstance(verdict.target, str)
        assert isinstance(verdict.words, str)
        assert all(isinstance(value, int | float) for value in verdict.parameters.values())
    for known in KNOWN:
        answer(known, report)
    trials, complaints = paired(KNOWN, report)
    made = score(name, trials, tool, complaints)
    scores.markdown(made, Thresholds()).encode()
    with tempfile.TemporaryDirectory() as folder:
        page, junit = Path(folder, "score.md"), Path(folder, "score.xml")
        scoring.publish(made, trials, Thresholds(), as_json=True, junit=junit, markdown=page)
        ElementTree.parse(junit)


@pytest.mark.parametrize("name", JSON)
@given(data=st.data())
@settings(max_examples=25)
def test_a_value_of_another_kind_anywhere(name: str, data: st.DataObject) -> None:
    found = documents(name)
    number = data.draw(st.integers(0, len(found) - 1))
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(list(places(found[number]))))
        found[number] = put(found[number], place, data.draw(VALUES))
    text = "\n".join(map(json.dumps, found))
    judged(name, text, data.draw(st.sampled_from(["", "https://twitter.com/"])))


@pytest.mark.parametrize("name", TEXT)
@given(data=st.data())
@settings(max_examples=25)
def test_other_words_anywhere(name: str, data: st.DataObject) -> None:
    lines = (DATA / TEXT[name]).read_text("utf-8").splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(lines[number]))] * 2)))
    word = data.draw(VALUES.map(str).map(lambda one: one.encode("utf-8", "replace").decode()))
    lines[number] = lines[number][:begin] + word + lines[number][end:]
    judged(name, "\n".join(lines), data.draw(st.sampled_from(["", "https://twitter.com/"])))


def test_a_url_that_is_none_is_about_no_target() -> None:
    text = "".join(
        json.dumps({**RECORD, "target": url}) + "\n"
        for url in ("http://[::1", "https://x:99999/", "https://x:y/", "https://twitter.com/")
    )
    trials, complaints = paired(KNOWN, adapter("plain").read(ToolOutput(text)))
    assert [one.verdict is not None for one in trials] == [True, False]
    assert [(one.kind, one.place) for one in complaints] == [
        ("no such target", "http://[::1"),
        ("no such target", "https://x:99999/"),
        ("no such target", "https://x:y/"),
    ]
