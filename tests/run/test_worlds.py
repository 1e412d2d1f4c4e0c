"""The folder of the sockets: whose it is, which names it takes, what is left over from a killed keeper."""

import os
import socket
import threading

import pytest

from testbed.errors import InputError, InvalidRunError
from testbed.run import worlds
from testbed.run.control import Line


@pytest.fixture(autouse=True)
def runtime(tmp_path, monkeypatch):
    folder = (
        tmp_path / "a-runtime-folder-with-a-name-so-long-that-no-socket-could-have-its-path-as-an-address"
    )
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


def listening(name=None, default="twitter-throttling-2021"):
    return worlds.listen(name, default)


def test_a_name_is_the_scenarios_and_then_numbered():
    one, first = listening()
    two, second = listening()
    three, third = listening("mine")
    with first, second, third:
        assert (one, two, three) == ("twitter-throttling-2021", "twitter-throttling-2021-2", "mine")
        assert worlds.running() == ["mine", "twitter-throttling-2021", "twitter-throttling-2021-2"]


def test_a_name_is_free_again_when_nobody_listens():
    _, listener = listening("mine")
    with listener, pytest.raises(InputError) as refused:
        listening("mine")
    assert str(refused.value) == (
        "--name: there is a world 'mine' already; choose another, or end that world: testbed down mine"
    )
    assert worlds.running() == []  # its socket has been taken away
    name, listener = listening("mine")
    with listener:
        assert (name, worlds.running()) == ("mine", ["mine"])


@pytest.mark.parametrize("name", ["", "a/b", ".hidden", "a b", "x" * 65, "a\n"])
def test_a_name_that_cannot_be_one(name):
    with pytest.raises(InputError, match="cannot be a world's name"):
        listening(name)


def test_what_cannot_be_in_a_name_is_replaced_in_the_scenarios():
    name, listener = listening(default="мой сценарий/x")
    with listener:
        assert worlds._NAME.fullmatch(name)


@pytest.mark.parametrize(
    ("open_worlds", "asked", "said"),
    [
        ([], None, "WORLD: no world is held open; open one: testbed up SCENARIO --detach"),
        ([], "mine", "WORLD: there is no world 'mine'; open one: testbed up SCENARIO --detach"),
        (["one", "two"], None, "WORLD: several worlds are held open; name one: one, two"),
        (["one", "two"], "tow", "WORLD: this user has no world 'tow'; did you mean 'two'?"),
        (["one", "two"], "zzzzz", "WORLD: this user has no world 'zzzzz'; there are: one, two"),
    ],
)
def test_asking_for_a_world_that_is_not_there(open_worlds, asked, said):
    sockets = [listening(name)[1] for name in open_worlds]
    with pytest.raises(InputError) as refused:
        worlds.connect(asked)
    assert str(refused.value) == said
    for one in sockets:
        one.close()


def test_the_only_world_needs_no_name():
    _, listener = listening("mine")
    with listener:
        name, line = worlds.connect(None)
        line.close()
    assert name == "mine"


def test_a_folder_that_others_may_enter_is_refused(runtime):
    (runtime / "testbed").mkdir()
    (runtime / "testbed").chmod(0o755)
    with pytest.raises(InputError, match=r"others may enter it \(mode 755\); remove it, or set XDG_RUNTIME"):
        worlds.running()


def test_a_link_is_refused(runtime, tmp_path):
    (runtime / "testbed").symlink_to(tmp_path)
    with pytest.raises(InputError, match="it is not a folder of user"):
        worlds.running()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_a_folder_of_somebody_else_is_refused(runtime):
    (runtime / "testbed").mkdir(mode=0o700)
    os.chown(runtime / "testbed", 65534, 65534)
    with pytest.raises(InputError, match=r"testbed: it is not a folder of user 0; remove it, or set XDG_RUN"):
        worlds.running()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_somebody_elses_runtime_folder_is_not_used(runtime):
    """As `su` and `sudo` leave it in the environment."""
    os.chown(runtime, 65534, 65534)
    assert str(worlds.state_folder()) == "/tmp/testbed-0"


def ends():
    return tuple(map(Line, socket.socketpair()))


def test_a_question_and_its_answer():
    near, far = ends()

    def answering():
        assert far.receive() == {"do": "status", "text": "é" * 70_000}
        far.answer({"phase": "exact"})

    thread = threading.Thread(target=answering)
    thread.start()
    assert near.ask({"do": "status", "text": "é" * 70_000}) == {"phase": "exact"}
    thread.join()
    near.close()
    far.close()


@pytest.mark.parametrize(
    "error", [InputError.at("PHASE", "no phase 'x'", "did you mean 'y'?"), InvalidRunError("it broke")]
)
def test_an_error_is_raised_where_the_question_was_asked(error):
    near, far = ends()
    far.answer(error)
    with pytest.raises(type(error)) as raised:
        near.ask({"do": "phase"})
    assert str(raised.value) == str(error)
    near.close()
    far.close()


def test_a_world_that_ends_instead_of_answering():
    near, far = ends()
    far.close()
    with pytest.raises(InvalidRunError, match="the world ended before it answered"):
        near.ask({"do": "status"})
    near.close()
