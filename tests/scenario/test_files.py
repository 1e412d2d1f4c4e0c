"""Files that are not what they should be, before any schema looks at them."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from testbed.errors import InputError, Problem, first_control
from testbed.scenario import document
from testbed.scenario.loader import load
from tests.scenario.conftest import SCENARIO, Desk


def test_duplicate_key(desk: Desk) -> None:
    problem = desk.problem("world:", "title: Again\nworld:")
    assert problem.place == "x.yaml:4"
    assert problem.message == "the key 'title' is given twice"
    assert problem.remedy == "it is already on line 1"


def test_empty_file(desk: Desk) -> None:
    desk.path.write_text("# nothing\n")
    problem = desk.problem()
    assert (problem.place, problem.message) == ("x.yaml:1", "the file is empty")


def test_not_utf8(desk: Desk) -> None:
    desk.path.write_bytes(b"title: ok\nnotes: \xff\n")
    problem = desk.problem()
    assert problem.place == "x.yaml:2"
    assert "byte 0xff is not UTF-8" in problem.message
    assert "UTF-8" in problem.remedy


@pytest.mark.parametrize(
    ("text", "line", "remedy"),
    [
        ("title: [a\nb: c\n", 2, "brackets"),
        ("title: a\n\tb: c\n", 2, "use spaces"),
        ("title: *t.co*\n", 1, "unquoted"),
        ("a: {b: c\n", 2, "brackets"),
    ],
)
def test_syntax_error(text: str, line: int, remedy: str, desk: Desk) -> None:
    desk.path.write_text(text)
    problem = desk.problem()
    assert problem.place == f"x.yaml:{line}"
    assert problem.message.startswith("not YAML: ")
    assert remedy in problem.remedy


def test_a_list_at_the_top(desk: Desk) -> None:
    desk.path.write_text("- a\n")
    assert "expected key: value pairs, found a list" in desk.problem().message


def test_binary_file(desk: Desk) -> None:
    desk.path.write_bytes(b"\x7fELF\x00\x01")
    assert "not YAML" in desk.problem().message


def test_folder_instead_of_file(desk: Desk) -> None:
    with pytest.raises(InputError, match="is a folder, not a file; name a YAML file"):
        load(f"{desk.folder}/")


def test_file_missing(desk: Desk) -> None:
    with pytest.raises(InputError) as caught:
        load("./y.yaml")
    assert caught.value.problems[0].message == "there is no scenario file './y.yaml'"
    assert "x.yaml" in caught.value.problems[0].remedy


def test_self_containing_alias(desk: Desk) -> None:
    desk.path.write_text("title: &a [*a]\n")
    with pytest.raises(InputError):
        desk.load()


def test_aliases_that_blow_up(desk: Desk) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    desk.path.write_text("\n".join(lines))
    assert "the file is too large" in desk.problem().message


@pytest.mark.parametrize("text", ["[" * 5000, "a: " + "[a, " * 5000, "- " * 5000, "{a: " * 5000])
def test_nesting_is_refused_at_once(text: str, desk: Desk) -> None:
    desk.path.write_text(text)
    began = time.monotonic()
    assert desk.problem().message == "the file is too deep"
    assert time.monotonic() - began < 4, "seconds; the parser alone takes longer for all of it"


def test_a_huge_comment_is_refused_at_once(desk: Desk) -> None:
    desk.path.write_text("#" + "x" * 80_000_000)
    began = time.monotonic()
    assert desk.problem().message == "the file is too large: 80,000,001 bytes"
    assert time.monotonic() - began < 2


def test_a_pipe_instead_of_a_file(tmp_path: Path, desk: Desk) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(InputError, match=r"pipe\.yaml is a pipe, not a file; name a YAML file"):
        load(str(tmp_path / "pipe.yaml"))


@pytest.mark.parametrize("name", ["a\x1b[31mb.yaml", "a\u202eb.yaml"])
def test_a_name_that_the_terminal_obeys(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("title: x\n")
    with pytest.raises(InputError) as raised:
        load(tmp_path / name)
    assert "the file's name contains U+" in str(raised.value)
    assert first_control(str(raised.value)) == ""


def test_no_norway_problem(desk: Desk) -> None:
    assert desk.load("title: A test", "title: no").title == "no"
    assert desk.load("period: 2022", "period: 2016-11-17").period == "2016-11-17"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("Yes", "Yes"), ("22:30", "22:30"), ("2016-11-17", "2016-11-17"), ("0b1", "0b1"),
        ("true", True), ("FALSE", False), ("~", None), ("null", None), ("", None),
        ("012", 12), ("-7", -7), ("0o17", 15), ("0x1F", 31), ("1_000", 1000),
        ("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5), ("-.inf", float("-inf")), ('"1"', "1"), ("=", "="),
    ],
)  # fmt: skip
def test_plain_text_by_the_core_schema_of_yaml_1_2(text: str, value: object, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(f"key: {text}\n")
    read_value = document.read(tmp_path / "x.yaml").data["key"]
    assert (read_value, type(read_value)) == (value, type(value))


LINES = SCENARIO.split("\n")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_junk_bytes(data: bytes, desk: Desk) -> None:
    desk.path.write_bytes(data)
    with pytest.raises(InputError):
        load(desk.path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    line=st.integers(0, len(LINES) - 2),
    value=st.one_of(
        st.text(st.characters(codec="utf-8"), max_size=30),
        st.sampled_from(
            [
                "[]",
                "{}",
                "null",
                "-1",
                "1e999",
                ".nan",
                "0x",
                "9" * 5000,
                "[[[]]]",
                "{a: {b: c}}",
                "!!python/object:x y",
                "&a",
                "? x",
                "%YAML 9.9",
                "true",
                "'",
                "- ",
            ]
        ),
    ),
    keep_key=st.booleans(),
)
def test_junk_in_a_line(line: int, value: str, keep_key: bool, desk: Desk) -> None:
    """A good file with one line spoiled loads or says what is wrong; it never breaks the loader."""
    key = LINES[line].partition(":")[0] + ": " if keep_key else ""
    desk.path.write_text("\n".join([*LINES[:line], key + value, *LINES[line + 1 :]]), "utf-8")
    check_answer(desk)


def check_answer(desk: Desk) -> None:
    """It loads, or says what is wrong; nothing else is raised."""
    problems: tuple[Problem, ...] = ()
    try:
        load(desk.path)
    except InputError as error:
        problems = error.problems
    assert all(isinstance(problem.place, str) and problem.message for problem in problems)


YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.sampled_from(["censors", "phases", "expect", "controls", "world", "operators", "seed", "sources"]),
    value=YAML,
)
def test_junk_values(key: str, value: object, desk: Desk) -> None:
    """Any value of any shape at the top keys."""
    import json

    kept = [text for text in SCENARIO.split("\n") if not text.startswith((f"{key}:", " "))]
    desk.path.write_text("\n".join([*kept, f"{key}: {json.dumps(value)}"]))
    check_answer(desk)


def test_place_is_relative_to_where_one_stands(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path.parent)
    assert desk.problem("t22", "t99").place == f"{tmp_path.name}/x.yaml:7 censors.tspu.profile"
