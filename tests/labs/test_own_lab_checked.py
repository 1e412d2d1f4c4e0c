"""A lab of one's own: what no student could answer, or everybody, is refused when it is read."""

from pathlib import Path

import pytest

from testbed.errors import InputError
from testbed.labs.labfile import load_lab, names

DRAWS = "{hop: [1, 2], site: [{name: vk.com}, {name: ok.ru}]}"
HEAD = f"title: x\nminutes: 45\nvantage: mts\ndraws: {DRAWS}\ntasks:\n"
SCENARIO = "rules: [{name: box, match: {tls.sni: [$site_name]}}]\n"


def problems(
    tmp_path: Path, tasks: str, name: str = "10-x", scenario: str | None = SCENARIO
) -> list[tuple[str, str]]:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "lab.yaml").write_text(HEAD + tasks)
    if scenario is not None:
        (folder / "scenario.yaml").write_text(scenario)
    try:
        load_lab(str(folder))
    except InputError as error:
        return [(one.message, one.remedy) for one in error.problems]
    return []


def test_a_labs_file_is_checked(tmp_path: Path) -> None:
    tasks = "  one: {question: $hip, answer: 1, after: tow}\n  two: {question: x, kind: choice, answer: x}\n"
    assert problems(tmp_path, tasks) == [
        ("there is no task 'tow'", "did you mean 'two'?"),
        ("nothing named 'hip' is drawn", "did you mean 'hop'?"),
        ("options belong to kind 'choice', and only there", ""),
    ]


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("kind: address, answer: $site_name", "does not appear to be an IPv4 or IPv6 address"),
        ("kind: address, answer: 192.0.2.1, mistakes: [{of: $site_name, say: no}]", "does not appear to be"),
        ("kind: number, answer: $site_name", "cannot be calculated|is no number"),
        ("kind: choice, options: [x, y], answer: z", "the answer 'z' is none of the options"),
        (
            "kind: choice, options: [vk.com, y], answer: $site_name",
            "the answer 'ok.ru' is none of the options",
        ),
        ("answer: 1, after: task", "task comes after itself"),
        ("answer: 1, after: other", "task comes after itself"),
        ('kind: command, answer: {rule: nosuch, acts: "yes"}', "the scenario has no rule 'nosuch'"),
        ("kind: command, answer: {rule: box, acts: maybe}", "acts is 'maybe'"),
        ("kind: command, answer: {rule: box}", "a rule and whether it acts belong together"),
        ("kind: command, answer: {shows: page}", "a command shows no 'page'"),
        ("kind: command, answer: {show: secret}", "evidence of kind 'command' has no 'show'"),
        ("kind: capture, answer: {name: vk.com, flags: RST}", "evidence of kind 'capture' needs 'ttl'"),
        ("kind: capture, answer: {name: vk.com, flags: RTS, ttl: 3}", "'RTS' are no flags of TCP"),
        ("kind: capture, answer: {name: vk.com, flags: RST, ttl: 65 - 3}", "'65 - 3' is no hop limit"),
        ("kind: detector, answer: {recall: 80 %}", "recall '80 %' is no share"),
    ],
)
def test_a_task_that_cannot_work_is_refused(task: str, words: str, tmp_path: Path) -> None:
    more = "  other: {question: x, answer: 1, after: task}\n" if "after" in task else ""
    found = problems(tmp_path, f"  task: {{question: x, {task}}}\n{more}")
    assert found
    assert any(one in found[0][0] for one in words.split("|")), found


@pytest.mark.parametrize(
    "task",
    [
        'kind: command, answer: {rule: box, acts: "no"}',
        "kind: capture, answer: {name: x, flags: RST+ACK, ttl: $hop}",
    ],
)
def test_a_task_that_works_is_not(task: str, tmp_path: Path) -> None:
    assert problems(tmp_path, f"  task: {{question: x, {task}}}\n") == []


def test_its_folder_is_checked(tmp_path: Path) -> None:
    task = "  task: {question: x, answer: 1}\n"
    assert problems(tmp_path, task, "my lab")[0][0] == "'my lab' cannot be a lab's name"
    assert problems(tmp_path, task, "key")[0][0] == "'key' cannot be a lab's name"
    assert problems(tmp_path, task, "none", None)[0][0].startswith("scenario.yaml beside it cannot be read")
    assert problems(tmp_path, task, "name", "x: $hip")[0] == (
        "scenario.yaml: nothing named 'hip' is drawn", "did you mean 'hop'?",
    )  # fmt: skip


@pytest.mark.parametrize("name", names())
def test_those_of_this_repository_are_right(name: str) -> None:
    assert load_lab(name).part.tasks
