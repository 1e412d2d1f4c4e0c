"""Lists of names and addresses from files."""

import os

import pytest

from testbed.errors import InputError
from testbed.scenario.namelists import read_names
from tests.scenario.conftest import Desk


def test_names_from_a_file(desk: Desk) -> None:
    (desk.folder / "names.txt").write_text("# a list\ntwitter.com\n\n  *.facebook.com  # and below\n*t.co*\n")
    scenario = desk.rule("{tls.sni: {file: names.txt}}")()
    names = scenario.phases["block"].placements[0].policy.rules[0].match["tls.sni"]
    assert names is not None
    assert names.patterns == ("twitter.com", "*.facebook.com", "*t.co*")
    digest = scenario.files["names.txt"]
    assert names.source == f"names.txt sha256:{digest}"
    assert len(digest) == 64


def test_networks_from_a_file(desk: Desk) -> None:
    (desk.folder / "nets.txt").write_text("1.2.3.4\n5.6.0.0/16\n2a00::/32\n")
    scenario = desk.rule("{ip: {file: nets.txt}}")()
    networks = scenario.phases["block"].placements[0].policy.rules[0].match["ip"]
    assert [str(network) for network in networks] == ["1.2.3.4/32", "5.6.0.0/16", "2a00::/32"]
    assert "nets.txt" in scenario.files


def test_missing_list(desk: Desk) -> None:
    (desk.folder / "names.txt").write_text("a.com\n")
    problem = desk.rule_problem("{tls.sni: {file: name.txt}}")
    assert problem.place == "x.yaml:10 censors.tspu.rules[0].match.tls.sni.file"
    assert problem.message == "there is no file name.txt"
    assert problem.remedy == "did you mean 'names.txt'?"


def test_bad_lines(desk: Desk) -> None:
    (desk.folder / "names.txt").write_text("a.com\na*b.com\n\nc d\n")
    desk.rule("{tls.sni: {file: names.txt}}")
    problems = desk.problems()
    assert [problem.place for problem in problems] == ["names.txt:2", "names.txt:4"]
    assert "is not a name pattern" in problems[0].message
    assert "contains a space" in problems[1].message


def test_many_bad_lines_are_counted(desk: Desk) -> None:
    (desk.folder / "nets.txt").write_text("1.2.3.400\n" * 500)
    desk.rule("{ip: {file: nets.txt}}")
    problems = desk.problems()
    assert len(problems) == 11
    assert problems[0].place == "nets.txt:1"
    assert "is not an address" in problems[0].message
    assert problems[-1].message == "490 more lines are wrong"


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "the list is empty"), (b"a.com\n\xff\n", "not UTF-8")]
)
def test_unreadable_list(content: bytes, message: str, desk: Desk) -> None:
    (desk.folder / "names.txt").write_bytes(content)
    problem = desk.rule_problem("{tls.sni: {file: names.txt}}")
    assert problem.place.startswith("names.txt")
    assert message in problem.message


SECRET = "root:$6$salt$hash\n-----BEGIN KEY-----\nAAAA+BBBB/CC==\n"


@pytest.mark.parametrize("key", ["tls.sni", "http.url", "ip"])
@pytest.mark.parametrize("way", ["absolute", "above", "link"])
def test_nothing_of_a_file_elsewhere_is_quoted(key: str, way: str, desk: Desk, tmp_path_factory) -> None:
    """A stranger's scenario cannot have `check` print what only its user may read."""
    secret = tmp_path_factory.mktemp("elsewhere") / "shadow"
    secret.write_text(SECRET)
    name = {"absolute": str(secret), "above": os.path.relpath(secret, desk.folder), "link": "link.txt"}[way]
    (desk.folder / "link.txt").symlink_to(secret)
    with pytest.raises(InputError) as raised:
        desk.rule(f"{{{key}: {{file: {name}}}}}")()
    said = str(raised.value)
    assert "not shown: the file is outside the scenario's folder" in said
    for part in ("salt", "BEGIN", "AAAA", "BBBB"):
        assert part not in said


def test_a_file_of_the_scenarios_folder_is_quoted(desk: Desk) -> None:
    (desk.folder / "names.txt").write_text("two words\n")
    assert "'two words'" in desk.rule_problem("{tls.sni: {file: names.txt}}").message


@pytest.mark.parametrize("name", ["names.txt", "mine.py:Mine"])
def test_a_pipe_for_a_file(name: str, desk: Desk) -> None:
    os.mkfifo(desk.folder / name.partition(":")[0])
    match = "{tls.sni: {file: names.txt}}" if name == "names.txt" else "{mine.py:Mine: 1}"
    assert "is a pipe, not a file" in desk.rule_problem(match).message


def test_a_million_names(desk: Desk) -> None:
    path = desk.folder / "names.txt"
    path.write_text("\n".join(f"*.name-{number}.example.com" for number in range(1_000_000)))
    names, _ = read_names(path, "")
    assert len(names.patterns) == 1_000_000
    assert len(repr(names)) < 250


def test_a_million_names_in_a_scenario_are_checked(desk: Desk) -> None:
    path = desk.folder / "names.txt"
    path.write_text("\n".join(f"name-{number}.example.com" for number in range(1_000_000)))
    more = "      - {name: two, match: {tls.sni: {file: names.txt}, ports: [443]}, action: drop}\n"
    problem = desk.rule_problem("{tls.sni: {file: names.txt}}", more=more)
    assert "'one' already matches everything it would" in problem.message
