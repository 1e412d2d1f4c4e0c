"""A world held open, as a user has it: up, exec, phase, worlds, down; and the same from Python."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.acceptance.conftest import TESTBED
from tests.acceptance.test_leaves_nothing import descendants, gone, machine
from tests.inprocess import run_here
from tests.meddling import kill, meddling
from tests.world.users import ROOT, become

pytestmark = pytest.mark.world
SCENARIO = "twitter-throttling-2021"
THREE = ("mts", "beeline", "megafon")
POLICER = "tspu-substring/twitter-policer"
CURL = ("curl", "-sS", "-o", "/dev/null")
SLOW = "https://abs.twimg.com/bytes/60000"  # 3 s at 140 kbit/s: far more than a handshake on a busy machine


@dataclass
class User:
    """Somebody who calls `testbed`, in a folder and with a runtime folder of their own."""

    folder: Path
    prefix: Sequence[str] = ()
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "XDG_RUNTIME_DIR": str(self.folder / "runtime"), "HOME": str(self.folder)}

    def __call__(self, *args: str, status: int = 0, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.prefix, sys.executable, TESTBED, *args],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False,
            timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == status, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def start(self, *args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*self.prefix, sys.executable, TESTBED, *args],
            cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        self.started.append(process)
        return process

    def worlds(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self("worlds", "--json").stdout)
        return found


def made(folder: Path, prefix: Sequence[str] = ()) -> User:
    (folder / "runtime").mkdir(mode=0o700)
    if prefix:
        number = int(prefix[1].partition("=")[2])
        for path in (folder, folder / "runtime"):
            os.chown(path, number, number)
    return User(folder, prefix)


def put_away(user: User) -> None:
    """End whatever a failed test left."""
    for process in user.started:
        process.kill()
        process.communicate()
    for world in user.worlds():
        user("down", world["name"], status=0 if not world["problems"] else 3)


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    someone = made(tmp_path)
    yield someone
    put_away(someone)


@pytest.fixture(params=["this user", "an ordinary user"])
def anybody(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[User]:
    if request.param == "this user":
        someone = made(tmp_path)
        yield someone
        put_away(someone)
        return
    prefix = become()
    if not prefix:
        pytest.skip("this user is an ordinary one")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        someone = made(Path(folder), prefix)
        yield someone
        put_away(someone)


def rate(err_and_out: subprocess.CompletedProcess[str]) -> float:
    """What curl measured, in kbit/s."""
    return float(err_and_out.stdout) * 8 / 1000


def test_up_five_execs_at_once_from_three_vantages_phase_exec_down(anybody: User) -> None:
    before = machine()
    vantages = [word for vantage in THREE for word in ("--vantage", vantage)]
    up = anybody("up", SCENARIO, *vantages, "--detach", "--out", "run")
    assert up.stdout.splitlines() == [
        f"{SCENARIO}/substring, vantages: mts, beeline, megafon, outside",
        "recorded in run",
        "it ends by `testbed down`, or 1 h without a command",
        f"world {SCENARIO}",
    ]
    measured = (*CURL, "-w", "%{speed_download}", SLOW)
    places = [*THREE, "mts", "outside"]
    with ThreadPoolExecutor(5) as pool:
        done = list(pool.map(lambda v: anybody("exec", "--vantage", v, "--", *measured), places))
    rates = dict(zip(places, map(rate, done), strict=True))
    slow = max(rates[vantage] for vantage in THREE)
    assert slow < 250, rates
    assert rates["outside"] > 1.5 * slow, rates
    assert f"as beeline in {SCENARIO}/substring: beeline/{POLICER} matched" in done[1].stderr

    switched = anybody("phase", SCENARIO, "before")
    assert switched.stdout.splitlines()[-1] == f"world {SCENARIO} is in phase before"
    assert all(f"{vantage}/{POLICER} (" in switched.stdout for vantage in THREE)
    free = anybody("exec", SCENARIO, "--vantage", "mts", "--", *measured)
    assert rate(free) > 1.5 * slow
    assert "no rule matched" in free.stderr

    down = anybody("down", SCENARIO)
    lines = [line for line in down.stdout.splitlines() if not line.strip().startswith("note: ")]
    assert len(lines) == 3, down.stdout  # and notes, as of a busy machine
    substring, nothing, last = lines
    assert substring.startswith("substring, ")
    assert ", 5 commands: " in substring
    assert nothing.endswith(", 1 command: no rule fired")
    assert last == f"world {SCENARIO}: ended by testbed down, valid; recorded in run"
    assert anybody.worlds() == []
    assert machine() == before

    run = anybody.folder / "run"
    summary = json.loads((run / "summary.json").read_text())
    assert [(one["phase"], one["commands"]) for one in summary["phases"]] == [("substring", 5), ("before", 1)]
    assert (summary["exit_status"], summary["valid"], summary["world"]) == (0, True, SCENARIO)
    assert summary["phases"][0]["controls"]["mts"] == {"https://vk.com/": "ok"}
    receipt = json.loads((run / "receipts/1-substring/mts.tspu-substring.json").read_text())
    kernel = receipt["rules"]["twitter-policer"]["kernel"]
    counted = sum(kernel.values()) - kernel["police"]  # a flow handed over is no packet
    assert summary["phases"][0]["fired"][f"mts/{POLICER}"] == counted > 0
    commands = [json.loads(line) for line in (run / "commands.jsonl").read_text().splitlines()]
    assert sorted(one["vantage"] for one in commands if one["phase"] == "substring") == sorted(places)
    assert {one["status"] for one in commands} == {0}


PROGRAM = f"""
    from concurrent.futures import ThreadPoolExecutor
    from testbed import open_world

    curl = ["curl", "-sS", "-o", "/dev/null", "-w", "%{{speed_download}}", "{SLOW}"]
    with open_world("{SCENARIO}", vantages=["mts", "beeline", "megafon"]) as world:
        pool = ThreadPoolExecutor()
        def speed(vantage):
            return float(world.run(curl, vantage=vantage, capture_output=True, text=True).stdout)
        slow = list(pool.map(speed, ["mts", "beeline", "megafon", "mts", "outside"]))
        world.phase("before")
        print([s < 31_000 for s in slow], speed("mts") > 1.5 * max(slow[:4]), world.result)
    print(world.result.valid, [(one.phase, one.commands) for one in world.result.phases])
"""


def test_the_same_from_python(anybody: User) -> None:
    start = ["sh", "-c", f"exec {sys.executable} -c pass"]
    if subprocess.run([*anybody.prefix, *start], capture_output=True, check=False).returncode:
        pytest.skip("the ordinary user may not start this Python")
    done = subprocess.run(
        [*anybody.prefix, sys.executable, "-c", dedent(PROGRAM)], cwd=anybody.folder, text=True,
        env={**anybody.environment, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False, timeout=90,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "[True, True, True, True, False] True None",
        "True [('substring', 5), ('before', 1)]",
    ]
    assert anybody.worlds() == []


def test_a_connection_in_progress_meets_the_change(user: User) -> None:
    """400 kB take 23 s at 140 kbit/s; without the policer they are there at once."""
    user("up", SCENARIO, "--vantage", "mts", "--detach")
    slow = user.start("exec", "--", *CURL, "https://abs.twimg.com/bytes/400000")
    time.sleep(4)
    assert slow.poll() is None
    began = time.monotonic()
    user("phase", "before")
    assert slow.wait(15) == 0
    assert time.monotonic() - began < 12
    user("down")


def test_a_command_has_its_status_streams_and_folder(user: User) -> None:
    user("up", "free-network", "--vantage", "mts", "--detach", "--name", "mine")
    script = "cat; pwd; echo err >&2; exit 3"
    done = subprocess.run(
        [sys.executable, TESTBED, "exec", "--", "sh", "-c", script], cwd=user.folder, env=user.environment,
        input="typed\n", capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 3
    assert done.stdout == f"typed\n{user.folder}\n"
    assert done.stderr.splitlines() == [
        "err",
        "testbed: as mts in mine/free: no rule matched; exit status 3 is that of sh",
    ]
    quiet = user("exec", "-q", "--", "sh", "-c", "kill -TERM $$", status=143)
    assert (quiet.stdout, quiet.stderr) == ("", "")
    found = json.loads(user("exec", "--json", "mine", "--", "true").stderr)
    assert (found["world"], found["phase"], found["vantage"], found["status"]) == ("mine", "free", "mts", 0)
    missing = user("exec", "--", "crul", status=127)
    assert missing.stderr.splitlines()[0] == "testbed: crul: no such program; did you mean 'curl'?"
    user("down", "mine")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("exec", "--vantage", "MTS", "--", "true"), "has no vantage 'MTS'; did you mean 'mts'?"),
        (("exec", "--vantage", "tele2", "--", "true"), "was built without 'tele2'; it has: mts, beeline"),
        (("exec", "--", "true"), "--vantage: this world has several; name one: mts, beeline, outside"),
        (("exec", "wrld", "--vantage", "mts", "--", "true"), "no world 'wrld'; did you mean 'world'?"),
        (("exec", "--vantage", "mts", "--"), "there is no command after '--'; name a program after '--'"),
        (("exec", "--vantage", "mts"), "no command is given; name a program after '--'"),
        (("phase", "exat"), "PHASE: twitter-throttling-2021 has no phase 'exat'; did you mean 'exact'?"),
        (("phase", "substring"), "PHASE: the world is in phase 'substring' already; nothing was changed"),
        (("phase",), "give a world and a phase"),
        (("up", SCENARIO, "--name", "world"), "--name: there is a world 'world' already; choose another"),
        (("up", SCENARIO, "--name", "a/b"), "--name: 'a/b' cannot be a world's name"),
        (("up", SCENARIO, "--idle", "soon"), "--idle: "),
        (("up", SCENARIO, "--idle", "0 s"), "--idle: '0 s' would end the world at once; write it like 1 h"),
        (("up", "twiter-throttling-2021", "--detach"), "did you mean 'twitter-throttling-2021'?"),
        (("up", SCENARIO, "--phase", "exat", "--detach"), "did you mean 'exact'?"),
        (("down", "wrld"), "this user has no world 'wrld'; did you mean 'world'?"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_clear_line(shared: User, args: tuple[str, ...], said: str) -> None:
    done = run_here(*args, cwd=shared.folder, env=shared.environment)
    lines = [
        line for line in done.stderr.decode().splitlines() if line and not line.startswith(("Usage", "Try"))
    ]
    assert len(lines) == 1, lines
    assert said in lines[0]
    assert (done.returncode, done.stdout) == (2, b"")
    listed = run_here("worlds", "--json", cwd=shared.folder, env=shared.environment)
    assert [world["name"] for world in json.loads(listed.stdout)] == ["world"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """Somebody with one world of two vantages."""
    someone = made(tmp_path_factory.mktemp("shared"))
    someone("up", SCENARIO, "--vantage", "mts", "--vantage", "beeline", "--name", "world", "--detach")
    yield someone
    put_away(someone)


def test_a_failed_up_leaves_no_name(user: User) -> None:
    (user.folder / "full").mkdir()
    (user.folder / "full/file").touch()
    assert "is not empty" in user("up", "free-network", "--out", "full", "--detach", status=2).stderr
    assert user.worlds() == []


def keeper(user: User) -> int:
    (world,) = user.worlds()
    return int(world["keeper"])


def test_kill_9_of_the_keeper_leaves_nothing(user: User) -> None:
    before = machine()
    user("up", "free-network", "--vantage", "mts", "--detach")
    asleep = user.start("exec", "--", "sh", "-c", "echo started; sleep 60")
    assert asleep.stdout is not None
    assert asleep.stdout.readline() == "started\n"
    family = descendants(keeper(user)) | descendants(asleep.pid)
    assert len(family) > 5
    os.kill(keeper(user), signal.SIGKILL)
    assert not gone(family)
    _, err = asleep.communicate(timeout=15)
    assert asleep.returncode == 3
    assert "ended" in err
    assert "Traceback" not in err
    said = user("exec", "free-network", "--", "true", status=2).stderr
    assert "there is no world 'free-network'" in said
    assert user.worlds() == []
    assert list((user.folder / "runtime/testbed").glob("*.sock")) == []
    assert machine() == before
    user("up", "free-network", "--vantage", "mts", "--detach", "--name", "free-network")
    user("down")


def test_it_ends_by_itself_when_nobody_has_used_it(user: User) -> None:
    user("up", "free-network", "--vantage", "mts", "--detach", "--idle", "3 s", "--out", "run")
    user("exec", "--", "sleep", "5")  # a command that runs is use
    end = time.monotonic() + 20
    while user.worlds() and time.monotonic() < end:
        time.sleep(0.5)
    assert user.worlds() == []
    summary = json.loads((user.folder / "run/summary.json").read_text())
    assert (summary["ended_by"], summary["valid"]) == ("its idle limit of 3 s", True)
    assert summary["phases"][0]["commands"] == 1


@pytest.mark.parametrize("how", ["Ctrl-C", "testbed down"])
def test_in_the_foreground_it_stays_until_it_is_ended(user: User, how: str) -> None:
    before = machine()
    up = user.start("up", "free-network", "--vantage", "mts", "--out", "run")
    assert up.stdout is not None
    lines = [up.stdout.readline() for _ in range(4)]
    assert lines[-2:] == ["it ends by Ctrl-C or `testbed down`\n", "world free-network\n"]
    user("exec", "--", *CURL, "https://twitter.com/")
    if how == "Ctrl-C":
        os.killpg(up.pid, signal.SIGINT)  # as a terminal does
    else:
        user("down")
    out, err = up.communicate(timeout=20)
    assert (up.returncode, err) == (0, "")
    ended = "a signal" if how == "Ctrl-C" else "testbed down"
    assert out.splitlines()[-1] == f"world free-network: ended by {ended}, valid; recorded in run"
    assert user.worlds() == []
    assert machine() == before


def test_a_world_that_broke_says_so(user: User) -> None:
    user("up", "free-network", "--vantage", "mts", "--detach", "--out", "run")
    with meddling(user.folder, kill("resolvers")) as command:
        done = user("exec", "--", *command, status=3)
    assert "testbed: INVALID WORLD: service resolvers was killed by SIGKILL" in done.stderr
    assert "exit status 3 is testbed's, that of" in done.stderr
    assert "INVALID WORLD: service resolvers" in user("worlds").stdout
    down = user("down", status=3)
    assert "INVALID WORLD: service resolvers was killed by SIGKILL" in down.stdout
    assert down.stdout.splitlines()[-1].startswith("world free-network: ended by testbed down, INVALID")
    summary = json.loads((user.folder / "run/summary.json").read_text())
    assert (summary["exit_status"], summary["valid"]) == (3, False)


def test_lying_resolvers_come_and_go_with_their_phase(user: User, tmp_path: Path) -> None:
    file = tmp_path / "lies.yaml"
    file.write_text(dedent("""
        title: A resolver that lies in one phase
        period: any
        sources: [our choice]
        operators: [mts]
        censors:
          liar:
            profile: leg-dns
            at: resolver
            rules: [{name: lie, match: {dns.qname: [twitter.com]}, action: {dns: {a: 192.0.2.7}}}]
        phases: {honest: {}, lying: {mts: liar}}
        default_phase: honest
        controls: ["https://vk.com/"]
    """))  # fmt: skip
    dig = ("exec", "--", "dig", "+short", "twitter.com", "A")
    user("up", str(file), "--detach", "--out", "run")
    honest = user(*dig).stdout
    user("phase", "lying")
    lying = user(*dig)
    user("phase", "honest")
    again = user(*dig).stdout
    assert lying.stdout == "192.0.2.7\n"
    assert "mts/liar/lie matched once" in lying.stderr
    assert honest == again != lying.stdout
    down = user("down").stdout.splitlines()
    assert [line.split(":")[-1].strip() for line in down[:3]] == [
        "no rule fired",
        "mts/liar/lie (1 packet)",
        "no rule fired",
    ]
    assert sorted(path.name for path in (user.folder / "run/receipts").iterdir()) == [
        "1-honest",
        "2-lying",
        "3-honest",
    ]


KEEPING = """
    title: One censor in three phases, alone and beside another
    period: any
    sources: [our choice]
    operators: [mts]
    censors:
      box:
        profile: t22
        rules: [{name: page, match: {http.host: twitter.com}, action: {drop: {residual: 600 s}}}]
      other:
        profile: t22
        rules: [{name: mail, match: {http.host: facebook.com}, action: {drop: {residual: 600 s}}}]
      late:
        profile: t22
        rules: [{name: slow, match: {http.host: facebook.com}, action: {shape: {rate: 1 Mbit/s}}}]
    phases: {one: {mts: box}, two: {mts: [other, box]}, three: {mts: [box, late]}, free: {}}
    default_phase: one
    controls: ["https://vk.com/"]
"""
ASK = """
import socket, struct, sys
sock = socket.socket()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # frees the port at once
sock.bind(("0.0.0.0", int(sys.argv[1])))
sock.settimeout(1.5)
try:
    sock.connect(("twitter.com", 80))
    sock.sendall(f"GET / HTTP/1.1\\r\\nHost: {sys.argv[2]}\\r\\n\\r\\n".encode())
    print("answered" if sock.recv(100) else "closed")
except TimeoutError:
    print("silence")
"""


def test_a_censor_that_stays_keeps_what_it_remembers(user: User) -> None:
    (user.folder / "keeping.yaml").write_text(dedent(KEEPING))
    user("up", "keeping.yaml", "--detach", "--out", "run")
    seen = []

    def ask(port: int, host: str) -> None:
        seen.append(user("exec", "--", sys.executable, "-c", ASK, str(port), host).stdout.strip())

    ask(5000, "twitter.com")
    for phase in ("two", "three", "free", "one"):
        user("phase", phase)
        ask(5000, "ok.ru")  # the same 4-tuple: residual blocking, as long as the box has been there
        if phase == "two":
            ask(5001, "ok.ru")
    down = user("down").stdout
    assert seen == ["silence", "silence", "answered", "silence", "answered", "answered"], down
    receipts = {
        part.name: json.loads((part / "mts.box.json").read_text())["rules"]["page"]
        for part in sorted((user.folder / "run/receipts").iterdir())
        if (part / "mts.box.json").exists()
    }
    assert list(receipts) == ["1-one", "2-two", "3-three", "5-one"]
    claimed = [one["claimed"]["drop"] for one in receipts.values()]
    dropped = [one["kernel"]["drop"] + one["kernel"]["flow_drop"] for one in receipts.values()]
    assert claimed[:1] + claimed[3:] == [1, 0]  # each receipt has its own phase's
    assert [count > 0 for count in dropped] == [True, True, True, False], receipts


def test_a_caller_that_is_killed_takes_its_command_along(user: User) -> None:
    user("up", "free-network", "--vantage", "mts", "--detach")
    asleep = user.start("exec", "--", "sh", "-c", "echo started; sleep 60")
    assert asleep.stdout is not None
    assert asleep.stdout.readline() == "started\n"
    family = descendants(asleep.pid)
    assert [one["command"][0] for one in user.worlds()[0]["running"]] == ["sh"]
    asleep.kill()
    assert not gone(family - {max(family)})  # sleep itself is the shell's, and stays until `down`
    end = time.monotonic() + 5
    while user.worlds()[0]["running"] and time.monotonic() < end:
        time.sleep(0.1)
    assert user.worlds()[0]["running"] == []
    user("down")
    assert not gone(family)
