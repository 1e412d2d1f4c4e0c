"""What was loaded once is taken from the disk, and only while nothing has changed."""

import pickle
from pathlib import Path

import pytest

from testbed import usercache
from testbed.errors import InputError
from testbed.scenario import loadcache
from testbed.scenario.loadcache import load_kept
from testbed.scenario.loader import load

SCENARIO = """\
title: A list
period: any
sources: [our choice]
operators: [mts]
censors:
  box:
    profile: t22
    hop: 3
    rules: [{name: sni, match: {tls.sni: {file: names.txt}}, action: rst-rewrite}]
default_phase: on
phases: {on: {title: on, sources: {our choice: M}, all: box}}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a scenario, and a cache that is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "listed.yaml").write_text(SCENARIO)
    (tmp_path / "names.txt").write_text("x.com\n")
    return tmp_path


@pytest.fixture
def reads(monkeypatch):
    """How often a scenario was read from its files."""
    made = []
    monkeypatch.setattr(loadcache, "load", lambda *args, **kwargs: made.append(args) or load(*args, **kwargs))
    return made


def kept(place: Path) -> list[Path]:
    return list((place / "cache/runet-testbed").iterdir())


def test_the_second_time_it_is_not_read(place, reads):
    first = load_kept("./listed.yaml")
    second = load_kept("./listed.yaml")
    assert first == second == load("./listed.yaml")
    assert len(reads) == 1


def test_twin_without_a_cache(place, reads, monkeypatch):
    monkeypatch.setenv(usercache.OFF, "1")
    assert load_kept("./listed.yaml") == load_kept("./listed.yaml")
    assert len(reads) == 2


def test_the_library_s_are_the_same(place):
    for tools in (True, False):
        found = [load_kept("twitter-throttling-2021", tools=tools) for _ in range(2)]
        assert found == [load("twitter-throttling-2021", tools=tools)] * 2


@pytest.mark.parametrize(("own", "times"), [(None, 1), ("scenarios", 2), ("recipes", 2)])
def test_the_library_s_are_taken_in_every_folder_without_any_of_its_own(
    place, reads, monkeypatch, own, times
):
    first = load_kept("twitter-throttling-2021")
    elsewhere = place / "elsewhere"
    (elsewhere / own if own else elsewhere).mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    second = load_kept("twitter-throttling-2021")
    assert first == second == load("twitter-throttling-2021")
    assert len(reads) == times


def test_a_path_from_here_is_another_file_elsewhere(place, monkeypatch):
    there = place / "there"
    there.mkdir()
    (there / "listed.yaml").write_text(SCENARIO.replace("A list", "Another"))
    (there / "names.txt").write_text("x.com\n")
    assert load_kept("./listed.yaml").title == "A list"
    monkeypatch.chdir(there)
    assert load_kept("./listed.yaml").title == "Another"


@pytest.mark.parametrize("name", ["listed.yaml", "names.txt"])
def test_a_file_that_changed_is_read(place, reads, name):
    load_kept("./listed.yaml")
    (place / name).write_text((place / name).read_text() + "\n")
    load_kept("./listed.yaml")
    assert len(reads) == 2


def test_a_world_that_comes_nearer_is_taken(place, reads):
    load_kept("./listed.yaml")
    (place / "worlds").mkdir()
    (place / "worlds/runet.yaml").write_text("no: world\n")
    with pytest.raises(InputError, match=r"worlds/runet\.yaml"):
        load_kept("./listed.yaml")


def test_a_file_that_became_wrong_is_refused(place):
    load_kept("./listed.yaml")
    (place / "names.txt").write_text("no name\n")
    with pytest.raises(InputError, match=r"names\.txt"):
        load_kept("./listed.yaml")


def test_another_version_of_the_program_reads_again(place, reads, monkeypatch):
    load_kept("./listed.yaml")
    monkeypatch.setattr(loadcache, "_code", lambda: "another")
    load_kept("./listed.yaml")
    assert len(reads) == 2


def test_python_of_its_own_is_not_kept(place):
    load_kept("cloudflare-ech-2024")
    assert kept(place) == []


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("touched"),))


@pytest.mark.parametrize("damage", ["cut", "junk", "call", "shared", "other"])
def test_what_is_wrong_with_the_kept_file_does_not_matter(place, reads, damage):
    load_kept("./listed.yaml")
    (file,) = kept(place)
    head, _, made = file.read_bytes().partition(b"\n")
    match damage:
        case "cut":
            file.write_bytes(head + b"\n" + made[:-100])
        case "junk":
            file.write_bytes(b"\0" * 100)
        case "call":
            file.write_bytes(head + b"\n" + pickle.dumps(Evil()))
        case "shared":
            file.chmod(0o666)
        case "other":
            file.write_bytes(head + b"\n" + pickle.dumps("a scenario"))
    assert load_kept("./listed.yaml") == load("./listed.yaml")
    assert len(reads) == 2
    assert not (place / "touched").exists()


def test_a_folder_that_others_may_write_to_is_not_used(place, reads):
    (place / "cache/runet-testbed").mkdir(parents=True)
    (place / "cache/runet-testbed").chmod(0o777)
    load_kept("./listed.yaml")
    assert kept(place) == []


def test_there_are_never_more_than_some(place, monkeypatch):
    monkeypatch.setattr(loadcache, "MOST", 3)
    for number in range(5):
        (place / f"s{number}.yaml").write_text(SCENARIO)
        load_kept(f"./s{number}.yaml")
    assert len(kept(place)) == 3


def test_those_that_were_used_last_are_kept(place, reads, monkeypatch):
    monkeypatch.setattr(loadcache, "MOST", 3)
    for number in (0, 1, 2, 0, 3, 0):
        (place / f"s{number}.yaml").write_text(SCENARIO)
        load_kept(f"./s{number}.yaml")
    assert [path for (path,) in reads] == [Path(f"s{number}.yaml") for number in (0, 1, 2, 3)]
