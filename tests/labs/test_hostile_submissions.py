"""A student signs whatever they like: the class still has its table, and nothing in it is a formula."""

import csv
import io
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.labs.evidencekinds import CaptureEvidence, CommandEvidence
from testbed.labs.grading import as_csv, as_json, grade
from testbed.labs.joining import read_folder
from testbed.labs.labfile import assign, load_lab
from testbed.report.gradepage import grade_page
from tests.labs.answering import DETECTOR, right_answer

LABS = sorted(one.name for one in (Path(__file__).parents[2] / "labs").iterdir() if one.is_dir())
KEY = Ed25519PrivateKey.generate()
VALUES: Any = st.sampled_from(
    [None, True, -1, 10**400, 1.5, float("nan"), float("inf"), "", "\ud800", "=1+1", "\x1b[2J", "1e999",
     "9" * 5000, "[" * 3000, "1..nan", "sampled", "<script>alert(1)</script>", "../../x",
     [], [1], [None], {}, {"a": 1}]
)  # fmt: skip
EVIDENCE = [
    asdict(one)
    for one in (
        CaptureEvidence("f", ("4500", "zz"), recorded=True),
        CommandEvidence(("true",), 0, "out", "secret", ("rule",)),
        DETECTOR,
    )
]


@st.composite
def changed(draw: st.DrawFn, values: dict[str, Any]) -> dict[str, Any]:
    """With other values in some places, or without."""
    made = dict(values)
    for name in draw(st.lists(st.sampled_from(sorted(values)), max_size=2, unique=True)):
        if draw(st.integers(0, 4)):
            made[name] = draw(VALUES)
        else:
            del made[name]
    return made


@st.composite
def entries(draw: st.DrawFn, lab: str) -> list[dict[str, Any]]:
    made = []
    for task in load_lab(lab).part.tasks:
        evidence = draw(st.sampled_from(EVIDENCE).flatmap(changed))
        text = draw(st.one_of(VALUES.filter(lambda one: isinstance(one, str)), st.just(json.dumps(evidence))))
        what = draw(st.sampled_from(["answer", "answer", "hint", "sampled"]))
        made.append({"at": 1.0, "what": what, "task": task, "text": text})
    made[0] = draw(changed(made[0]))
    return made


def signed(content: dict[str, Any]) -> str:
    """As `testbed lab submit` signs it."""
    content = {**content, "key": KEY.public_key().public_bytes_raw().hex()}
    text = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps({**content, "signature": KEY.sign(text).hex()})


def honest(lab: str) -> dict[str, Any]:
    """What a student hands in who has everything right."""
    tasks = assign(load_lab(lab), "anna", "c").tasks
    said = [
        {"at": 1.0, "what": "answer", "task": name, "text": right_answer(task)}
        for name, task in tasks.items()
    ]
    digest = load_lab(lab).digest
    return {"format": 1, "lab": lab, "digest": digest, "student": "anna", "class": "c", "entries": said}


@pytest.mark.parametrize("lab", LABS)
@given(data=st.data())
@settings(max_examples=20)
def test_the_table_is_made(lab: str, data: st.DataObject) -> None:
    hostile = {**honest(lab), "student": "boris", "entries": data.draw(entries(lab))}
    if data.draw(st.booleans()):
        hostile = data.draw(changed(hostile))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "anna.lab").write_text(signed(honest(lab)))
        Path(folder, "boris.lab").write_text(signed(hostile))
        submissions, problems = read_folder(Path(folder))
    grades = grade(submissions, load_lab(lab), "c")
    anna = next(one for one in grades if one.student == "anna")
    assert anna.points == anna.most
    table = as_csv(grades)
    page = grade_page(grades, problems)
    assert "<script>alert" not in page
    page.encode()
    json.dumps([as_json(grades), problems], ensure_ascii=False, allow_nan=False).encode()
    cells = [cell for row in csv.reader(io.StringIO(table)) for cell in row]
    assert [cell for cell in cells if cell[:1] in ("=", "+", "-", "@")] == []


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("student", "=HYPERLINK(1)", "it is damaged: ValueError(\"'=HYPERLINK(1)' is no student's name\")"),
        ("student", 7, "it is damaged: TypeError('student is no text')"),
        ("lab", "/tmp/mine/01-where", "there is no lab '/tmp/mine/01-where'"),
        ("lab", "1", "there is no lab '1'"),
        (
            "entries",
            [{"at": 1.0, "what": "sampled", "task": "who", "text": "x"}],
            "it is damaged: ValueError",
        ),
        ("entries", [{"at": 10**400, "what": "answer", "task": "who", "text": ""}], "it was edited"),
    ],
)
def test_what_no_lab_submit_writes_is_named(tmp_path: Path, name: str, value: object, why: str) -> None:
    (tmp_path / "x.lab").write_text(signed({**honest("01-where"), name: value}))
    submissions, [problem] = read_folder(tmp_path)
    assert submissions == []
    assert f"x.lab: {why}" in problem
