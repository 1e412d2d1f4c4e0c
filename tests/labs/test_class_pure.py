"""A class on one server, without a world: who is in it, what is asked, who waits, what is refused."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from testbed.cli.labserve import command
from testbed.console import classapp
from testbed.console.classapp import LECTURER, ClassWeb, class_app
from testbed.console.classserver import ClassAddress, checked
from testbed.console.seats import Seats
from testbed.errors import InputError
from testbed.labs import classworlds
from testbed.labs.classclerk import ClassClerk, ClerkRequest, Desk, read_request
from testbed.labs.classfolder import ClassFolder, space
from testbed.labs.classprogress import progress_of
from testbed.labs.classworlds import ClassLimits, ClassWorlds
from testbed.labs.clerk import HANDED
from testbed.labs.labfile import assign, load_lab
from testbed.labs.opening import ROOM, tidy
from testbed.labs.roster import read_students
from testbed.vantage.seclusion import Seclusion
from tests.labs.answering import right_answer

HERE = "127.0.0.1:8080"
FILE = ("check", "d", "--file", HANDED)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("anna\nboris\n", ("anna", "boris")),
        ("# a class\n\nanna , 7\n", ("anna",)),
        ("name,student\nAnna A.,anna\n", ("anna",)),
        ("\ufeffanna\r\n", ("anna",)),
        ("Student,Group\nanna,7\nboris,8\n", ("anna", "boris")),
        ("\ufeffGruppe;STUDENT\r\n7;anna\r\n8;boris\r\n", ("anna", "boris")),
        ("group\tstudent\n7\tanna\n", ("anna",)),
        ("anna;7\nboris;8\n", ("anna", "boris")),
    ],
)
def test_students_are_read(text: str, found: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "class").write_text(text, "utf-8")
    assert read_students(tmp_path / "class") == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no student in it"),
        ("anna\nanna\n", "anna is in line 1, too; give each another name"),
        ("../x\n", "'../x' cannot be a student's name"),
        ("name,student\nAnna\n", "'' cannot be a student's name"),
    ],
)
def test_a_list_of_students_that_is_wrong_is_refused_by_line(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "class").write_text(text, "utf-8")
    with pytest.raises(InputError) as raised:
        read_students(tmp_path / "class")
    assert words in str(raised.value)


def test_every_wrong_line_of_a_list_is_named(tmp_path: Path) -> None:
    (tmp_path / "class").write_text("anna\n../x\nanna\nboris\n-b\n", "utf-8")
    with pytest.raises(InputError) as raised:
        read_students(tmp_path / "class")
    assert [one.place.rpartition(":")[2] for one in raised.value.problems] == ["2", "3", "5"]


def test_what_a_killed_server_left_is_removed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = ClassFolder.open(tmp_path / "class", load_lab("1"), "spring")
    left, mine = tmp_path / "class-x1", tmp_path / "mine"
    for student, place in (("anna", left), ("boris", mine)):
        (place / "run").mkdir(parents=True)
        book = folder.workbook(student)
        book.open()
        (book.folder / "world").write_text(str(place / "run"))
        tidy(book)
        assert not (book.folder / "world").exists()
    assert (left.exists(), mine.exists()) == (False, True)


def test_a_class_is_served_once(tmp_path: Path) -> None:
    first, second = (ClassFolder.open(tmp_path / "class", load_lab("1"), None) for _ in range(2))
    with first.alone(), pytest.raises(InputError, match="served already"), second.alone():
        pass
    with second.alone():
        pass


def asks(*words: str, handed: str = "", builds: bool = False) -> ClerkRequest:
    return ClerkRequest(words, handed, builds)


def asked(*words: str) -> bytes:
    return json.dumps({"words": words, "folder": "/"}).encode()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (asked("check"), ClerkRequest(("check",))),
        (asked("hint", "hop"), ClerkRequest(("hint", "hop"))),
        (asked("check", "d", "--file", "../d.py"), asks(*FILE, handed="d.py", builds=True)),
        (asked("check", "c", "--capture=/x/.y"), ClerkRequest(("check", "c", "--capture", HANDED), "y")),
        (asked("check", "p", "--", "cat", "--file"), asks("check", "p", "--", "cat", "--file", builds=True)),
        (asked("watch", "--every", "6 h"), ClerkRequest(("watch", "--every", "6 h"), builds=True)),
        (asked("submit", "/server/file"), ClerkRequest(("submit",))),
        (asked("grade", "."), None),
        (asked("start", "1"), None),
        (asked(), None),
        (b'{"words": ["check", 1]}', None),
        (b'{"words": "check"}', None),
        (b"\xff", None),
        (b"[" * 3000, None),
    ],
)  # fmt: skip
def test_a_students_request_names_no_file_of_the_servers(text: bytes, wanted: ClerkRequest | None) -> None:
    assert read_request(text) == wanted


def test_a_request_is_read_and_answered_without_following_links(tmp_path: Path) -> None:
    secret, desk = tmp_path / "secret", tmp_path / "desk"
    secret.write_text("secret")
    desk.mkdir()
    (desk / "link").symlink_to(secret)
    os.mkfifo(desk / "pipe")
    (desk / "long").write_bytes(b"x" * 11)
    (desk / "plain").write_bytes(b"x" * 10)
    with Desk(os.open(desk, os.O_RDONLY)) as one:
        assert [one.read(name, 10) for name in ("link", "pipe", "long", "none", "plain")] == [None] * 4 + [
            b"x" * 10
        ]
        for name in ("link", "pipe", "plain"):
            one.add(name, b"!")
        one.end("out", "", 1)
    assert secret.read_text() == "secret"
    assert (desk / "plain").read_bytes() == b"x" * 10 + b"!"
    assert ((desk / "out").read_text(), (desk / "status").read_text()) == ("out", "1")


@pytest.fixture
def folder(tmp_path: Path) -> ClassFolder:
    return ClassFolder.open(tmp_path / "class", load_lab("1"), "spring")


def test_a_class_goes_on_with_its_secret_code(tmp_path: Path) -> None:
    first = ClassFolder.open(tmp_path / "c", load_lab("1"), None)
    assert len(first.code) > 10
    assert ClassFolder.open(tmp_path / "c", load_lab("1"), None).code == first.code
    assert ClassFolder.open(tmp_path / "c", load_lab("1"), first.code).code == first.code
    with pytest.raises(InputError, match="has another code"):
        ClassFolder.open(tmp_path / "c", load_lab("1"), "autumn")
    assert ClassFolder.open(tmp_path / "c", load_lab("1"), None).code == first.code
    assert [(tmp_path / "c" / name).stat().st_mode & 0o077 for name in ("", "code")] == [0, 0]


def test_what_a_shell_gets_has_neither_the_code_nor_anothers_folder(folder: ClassFolder) -> None:
    for text in (str(folder.variables("anna")), folder.seclusion("anna").text()):
        assert "spring" not in text
        assert "boris" not in text
        assert "testbed/labs/anna" not in text
    assert any(path.endswith("01-where/solution") for path in folder.seclusion("anna").hidden)
    assert Seclusion.from_text(folder.seclusion("anna").text()) == folder.seclusion("anna")


def test_progress_is_what_the_workbook_says(folder: ClassFolder) -> None:
    lab = load_lab("2")
    book = replace(folder, lab=lab).workbook("anna")
    assignment = assign(lab, "anna", "spring")
    assert {one.sign for one in progress_of(book, assignment).tasks.values()} == {"open"}
    assert progress_of(book, assignment).tasks["hop"].waits == "watched"
    book.add("answer", "watched", right_answer(assignment.tasks["watched"]))
    for _ in range(assignment.tasks["hop"].tries):
        book.add("answer", "hop", "77")
    book.add("answer", "arrives", "1")
    book.add("hint", "arrives")
    made = progress_of(book, assignment)
    assert [made.tasks[name].sign for name in ("watched", "hop", "arrives", "servers")] == [
        "done", "failed", "tried", "open",
    ]  # fmt: skip
    assert (made.points, made.most, made.done) == (2, 14, 1)
    assert (made.tasks["hop"].waits, made.tasks["arrives"].hints, made.tasks["hop"].words) == (
        "",
        1,
        "✗ 0 (2 tries)",
    )
    assert made.latest > time.time() - 60


class QuietWorlds(ClassWorlds):
    """Worlds that are built when the test says so."""

    def __init__(self, folder: ClassFolder, number: int, **limits: int) -> None:
        self.free = ROOM + 1
        names = [f"s{one}" for one in range(1, number + 1)]
        super().__init__(folder, names, ClassLimits(**limits), lambda: self.free)

    def _start(self, world: classworlds.ClassWorld) -> None:
        world.state = "starting"


def test_thirty_starts_in_a_minute_stand_in_a_queue_with_places(folder: ClassFolder) -> None:
    worlds = QuietWorlds(folder, 30, at_once=2)
    for one in worlds.worlds:
        worlds.ask(one)
        worlds.ask(one)  # pressed twice
    assert worlds.line("s30") == "place 30 of 30 in the queue"
    worlds.admit()
    assert [one.state for one in worlds.worlds.values()] == ["starting"] * 2 + ["waiting"] * 28
    assert worlds.line("s1") == "your world is being built"
    assert worlds.line("s30") == "place 28 of 28 in the queue: 2 being built"
    worlds.worlds["s1"].state = "ready"
    worlds.admit()
    assert worlds.line("s4") == "place 1 of 27 in the queue: 2 being built"
    worlds.end("s5", "you ended your world")
    assert worlds.line("s5") == "you ended your world; your answers are kept"
    assert worlds.line("s30") == "place 26 of 26 in the queue: 2 being built"
    worlds.free = 90 << 20
    worlds.worlds["s2"].state = "ready"
    worlds.admit()
    words = "place 1 of 26 in the queue: there is no memory for another world: 90 MB are free"
    assert worlds.line("s4") == words


def test_no_more_worlds_are_open_than_were_allowed(folder: ClassFolder) -> None:
    worlds = QuietWorlds(folder, 3, at_once=5, most=2)
    for one in worlds.worlds:
        worlds.ask(one)
    worlds.admit()
    assert worlds.line("s3") == "place 1 of 1 in the queue: 2 worlds are open, and no more are allowed"


@pytest.mark.parametrize(
    ("limits", "used", "words"),
    [
        ({"idle": 0}, 0, "your world was ended after 0 min without you"),
        ({"memory": 1 << 20}, 3 << 20, "your world took 3 MB of memory, and 1 are allowed"),
        ({"space": 1 << 20}, 0, "3 MB of files, and 1 MB are allowed: the largest were removed"),
        ({}, 0, ""),
    ],
)
def test_a_world_that_takes_more_than_it_may_is_ended(
    limits: dict[str, int], used: int, words: str, folder: ClassFolder
) -> None:
    worlds = QuietWorlds(folder, 1, **limits)
    (folder.room("s1") / "home" / "large").write_bytes(b"x" * (3 << 20))
    world = worlds.worlds["s1"]
    world.state, world.used = "ready", used
    ended: list[str] = []
    worlds.end = lambda _, why: ended.append(why)  # type: ignore[method-assign]
    worlds._judge(world)
    assert "".join(ended) == words


def test_of_too_many_files_the_largest_go(tmp_path: Path) -> None:
    for name, size in (("small", 1), ("large", 3), ("middle", 2)):
        (tmp_path / name).write_bytes(b"x" * (size << 20))
    classworlds._make_room(tmp_path, 7 << 20)
    assert len([*tmp_path.iterdir()]) == 3
    classworlds._make_room(tmp_path, 5 << 20)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["small"]
    assert space(tmp_path, most_files=1) >= 1 << 62


@contextmanager
def visitors(folder: ClassFolder) -> Iterator[tuple[Seats, TestClient]]:
    """The pages of s1 and s2, and a browser without a seat."""
    seats = Seats()
    worlds = QuietWorlds(folder, 2)
    web = ClassWeb(
        worlds, seats, lambda student: f"http://{HERE}/w/{student}/enter?token={seats.issue(student)}"
    )
    app = class_app(web, seats, [HERE], ClassClerk(folder, ["s1", "s2"], 1, worlds.touch), lambda: None)
    with TestClient(app, base_url=f"http://{HERE}", follow_redirects=False) as client:
        yield seats, client


def test_pages_are_for_who_has_the_seat(
    folder: ClassFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "classroom.html").write_text("the page")
    monkeypatch.setattr(classapp, "ASSETS", tmp_path)
    with visitors(folder) as (seats, client):
        answer = client.get(f"/w/s1/enter?token={seats.issue('s1')}")
        cookie = answer.headers["set-cookie"].lower()
        assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/w/s1/", "max-age=43200"))
        assert (client.get("/w/s1/").text, "# Lab 1" in client.get("/w/s1/worksheet").text) == (
            "the page",
            True,
        )
        session = {"cookie": f"testbed-class={client.cookies['testbed-class']}"}
        for path in ("/w/s2/", "/w/s2/worksheet", "/class/", "/class/link?student=s1", "/w/none/"):
            assert client.get(path, headers=session).status_code == 403, path
        assert client.post("/w/s1/world/start", headers={"origin": "http://elsewhere"}).status_code == 403
        assert (
            client.post("/w/s2/world/start", headers={"origin": f"http://{HERE}", **session}).status_code
            == 403
        )
        assert client.get(f"/class/enter?token={seats.issue(LECTURER)}").headers["location"] == "/class/"
        table = client.get("/class/")
        assert (table.status_code, table.text.count('<th scope="row">')) == (200, 3)
        assert "s2: http" in client.get("/class/link?student=s2").text
        assert client.get("/class/link?student=s9").status_code == 404


@pytest.mark.parametrize(
    ("given", "plain", "words"),
    [
        ({"listen": "192.0.2.1"}, False, "everybody on the way could read links and answers"),
        ({"listen": "0.0.0.0"}, True, "by which name do students reach it?"),
        ({"certificate": Path("c")}, False, "it needs its key"),
        ({"certificate": Path("c"), "key": Path("k")}, False, "there is no file c"),
    ],
)
def test_what_gives_a_class_away_is_refused(given: dict[str, object], plain: bool, words: str) -> None:
    with pytest.raises(InputError, match=words):
        checked(ClassAddress(**given), plain=plain)  # type: ignore[arg-type]


def test_every_name_of_the_server_is_a_host() -> None:
    assert ClassAddress().hosts(81) == ["127.0.0.1:81", "localhost:81"]
    away = ClassAddress(listen="0.0.0.0", names=("lab.example.org",), certificate=Path("c"))
    assert (away.hosts(443), away.base(443)) == (
        ["lab.example.org:443", "lab.example.org"], "https://lab.example.org:443",
    )  # fmt: skip


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "class").write_text("anna\n")
    for words in (["77", "--students", "class"], ["1", "--students", "none"]):
        done = CliRunner().invoke(command, words, standalone_mode=False)
        assert isinstance(done.exception, InputError), words
        assert "\n" not in str(done.exception)
