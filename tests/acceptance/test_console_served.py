"""The console's server over a real world, by real sockets: terminals, and who gets in."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed import open_world
from testbed.run.open import StandingWorld
from tests.console.served import MOST_TERMINALS, ServedConsole, served
from tests.console.wsclient import PATIENCE, SocketRefusedError, WebSocketClient, websocket

pytestmark = pytest.mark.world
SPELLED = "PS1='rea''dy> '; stty -echo\n"  # the shell's own prompt, which no echo of this shows


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingWorld]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "runtime").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("SHELL", "/bin/bash")
        made = open_world("twitter-throttling-2021", vantages=["mts"], out=folder / "run", name="w")
        yield made
        assert made.close().valid


@pytest.fixture(scope="module")
def console(world: StandingWorld) -> Iterator[ServedConsole]:
    with served("w") as running:
        yield running


@pytest.fixture(scope="module")
def seat(console: ServedConsole) -> dict[str, str]:
    """The headers of the browser that has the page."""
    return {"cookie": console.enter()}


def terminal(console: ServedConsole, vantage: str = "mts") -> str:
    return f"{console.place}terminal/{vantage}?cols=91&rows=33"


def test_a_shell_of_the_subscriber_has_the_pages_size_and_follows_it(
    console: ServedConsole, seat: dict[str, str]
) -> None:
    with websocket(console.port, terminal(console), **seat) as shell:
        shell.type(SPELLED)
        shell.until("ready> ")
        shell.type("stty size; ip -o -4 addr show eth0 | cut -d/ -f1\n")
        shell.until("33 91")
        shell.until("91.76.0.100")
        shell.say('{"resize": [120, 40]}')
        shell.type("stty size\n")
        shell.until("40 120")
        for nonsense in ("3", '["x", 1]', "[1e999, 1]", f"[{10**30}, 1]", "[" * 3000, "[-5, 9999]"):
            shell.say(f'{{"resize": {nonsense}}}')
        shell.say("[]")
        shell.type("stty size\n")
        shell.until("200 2")  # as large as a terminal may be


def test_the_end_of_the_shell_closes_the_socket(console: ServedConsole, seat: dict[str, str]) -> None:
    with websocket(console.port, terminal(console), **seat) as shell:
        shell.type("exit\n")
        assert shell.to_the_end() == (1000, "")


def test_ctrl_c_ends_a_command_and_not_the_shell(console: ServedConsole, seat: dict[str, str]) -> None:
    with websocket(console.port, terminal(console), **seat) as shell:
        shell.type(SPELLED)
        shell.until("ready> ")
        # Who says so has the terminal. Bash itself would say so before `sleep` has it, and get the Ctrl-C.
        shell.type("sh -c 'echo $((11111111 * 3)); exec sleep 1000'\n")
        shell.until("33333333")
        shell.type("\x03")
        shell.type("echo $((11111111 * 4))\n")
        shell.until("44444444")


def test_what_runs_in_a_terminal_ends_with_its_page(console: ServedConsole, seat: dict[str, str]) -> None:
    with websocket(console.port, terminal(console), **seat) as shell:
        shell.until("$")
        shell.type("exec sleep 4711.25\n")
        wait(lambda: sleeps("4711.25") == 1, shell)
        shell.drop()
        wait(lambda: sleeps("4711.25") == 0, shell)


def test_a_vantage_that_is_not_there_is_named(console: ServedConsole, seat: dict[str, str]) -> None:
    with websocket(console.port, terminal(console, "mtz"), **seat) as shell:
        code, reason = shell.to_the_end()
    assert (code, "mtz" in reason) == (4003, True)


def test_one_terminal_too_many_is_refused(console: ServedConsole, seat: dict[str, str]) -> None:
    with ExitStack() as stack:
        for _ in range(MOST_TERMINALS):
            stack.enter_context(websocket(console.port, terminal(console), **seat)).until("$")
        another = stack.enter_context(websocket(console.port, terminal(console), **seat))
        assert another.to_the_end() == (4003, f"{MOST_TERMINALS} terminals are open already; close one")


def test_a_page_that_is_loaded_anew_has_its_terminals_again(
    console: ServedConsole, seat: dict[str, str]
) -> None:
    """Its old ones are still ending, as their programs take no notice."""
    for _ in range(2):
        with ExitStack() as stack:
            for _ in range(MOST_TERMINALS):
                shell = stack.enter_context(websocket(console.port, terminal(console), **seat))
                shell.type(f"{SPELLED}trap '' HUP\n")
                shell.until("ready> ")


def test_it_listens_on_one_address_alone(console: ServedConsole) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", console.port), PATIENCE)


def test_a_wrong_link_a_used_one_and_none_get_nothing(console: ServedConsole, seat: dict[str, str]) -> None:
    for path in ("", "enter", "enter?token=x", f"enter?token={console.token}", "story?flow=x"):
        status, body, cookie = console.get(console.place + path)
        assert (status, cookie) == (403, ""), path
        assert body.startswith("403: ")


@pytest.mark.parametrize(
    "foreign",
    [
        {"host": "rebound.example"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"cookie": "testbed-seat=x"},
    ],
)
def test_a_foreign_page_gets_nothing_though_it_has_the_cookie(
    console: ServedConsole, seat: dict[str, str], foreign: dict[str, str]
) -> None:
    assert console.get(console.place, **seat, **({} if "cookie" in foreign else foreign))[0] == (
        200 if "cookie" in foreign else 403
    )
    for path in (f"{console.place}live", terminal(console)):
        with (
            pytest.raises(SocketRefusedError) as refused,
            websocket(console.port, path, **{**seat, **foreign}),
        ):
            pass
        assert refused.value.status == 403, path


def test_a_second_browser_takes_the_page_over_with_a_new_link(console: ServedConsole) -> None:
    """Enter where the console runs; the terminal of the first one ends, and so does its live view."""
    console.press_enter()
    first = {"cookie": console.enter()}
    with (
        websocket(console.port, terminal(console), **first) as shell,
        websocket(console.port, f"{console.place}live", **first) as live,
    ):
        shell.until("$")
        shell.type("exec sleep 4712.25\n")
        wait(lambda: sleeps("4712.25") == 1, shell)
        live.next_message()
        status, body, _ = console.get(console.place)
        assert (status, body.startswith("403: another browser has this console.")) == (403, True)
        console.press_enter()
        second = {"cookie": console.enter()}
        assert shell.to_the_end()[0] == 4001
        assert live.to_the_end()[0] == 4001
        wait(lambda: sleeps("4712.25") == 0, shell)
    assert (console.get(console.place, **first)[0], console.get(console.place, **second)[0]) == (403, 200)


def test_the_world_ends_under_the_page(console: ServedConsole, world: StandingWorld) -> None:
    """It comes last: the page is told how, the terminal ends, and then the console itself."""
    console.press_enter()
    seat = {"cookie": console.enter()}
    with (
        websocket(console.port, terminal(console), **seat) as shell,
        websocket(console.port, f"{console.place}live", **seat) as live,
    ):
        shell.until("$")
        world.close()
        while not (shown := live.next_message())["ended"]:
            pass
        assert shown["ended"]["valid"], json.dumps(shown["ended"])
        assert live.to_the_end()[0] == 4002
        assert shell.to_the_end()[0] in (1000, 1012, 4002)
    assert console.process.wait(PATIENCE) == 0


def sleeps(seconds: str) -> int:
    """How many processes of that length there are."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += path.read_bytes() == f"sleep\0{seconds}\0".encode()
        except OSError:
            continue
    return found


def wait(done: Callable[[], bool], shell: WebSocketClient) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, f"it did not come; the terminal: {shell.received!r}"
        time.sleep(0.02)
