"""Joining a world that runs, from outside, as root and as an ordinary user."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testbed.errors import InputError, InvalidRunError
from testbed.world.join import FirstProcess, WorldEndedError
from tests.world.users import ROOT, become

pytestmark = pytest.mark.world

KEEPER = """
import json, os, sys
from pathlib import Path
from testbed.world import confine, interrupt
from testbed.world.enter import run_isolated
from testbed.world.join import FirstProcess
def main():
    Path("/run/here").write_text("in the world")
    confine.gate()  # is made meanwhile; a world that is announced has used it
    first = FirstProcess.of_this_world()
    print(json.dumps([first.pid, first.began, os.readlink("/proc/self/ns/net")]), flush=True)
    interrupt.sleep(60)
sys.exit(run_isolated(main))
"""

JOINER = """
import json, os, sys
from pathlib import Path
from testbed.world.join import FirstProcess
def look():
    print(json.dumps({
        "run": Path("/run/here").read_text(), "net": os.readlink("/proc/self/ns/net"), "uid": os.geteuid(),
        "folder": os.getcwd(), "first": Path("/proc/1/comm").read_text() != "", "group": os.getpgid(0),
    }), flush=True)
    os.execvp("sh", ["sh", "-c", sys.argv[3]])
sys.exit(FirstProcess(int(sys.argv[1]), int(sys.argv[2])).join(look))
"""


class World:
    """A world held open by a process of its own."""

    def __init__(self, prefix=()):
        self.prefix = list(prefix)
        self.keeper = subprocess.Popen(
            [*prefix, sys.executable, "-c", KEEPER], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        self.pid, self.began, self.net = json.loads(self.keeper.stdout.readline())

    @property
    def first(self):
        return FirstProcess(self.pid, self.began)

    def joiner(self, script, **options):
        line = [*self.prefix, sys.executable, "-c", JOINER, str(self.pid), str(self.began), script]
        return subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=ROOT, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.keeper.terminate()
        self.keeper.communicate(timeout=10)


@pytest.fixture(params=["this user", "an ordinary user"])
def world(request):
    with World([] if request.param == "this user" else become()) as running:
        yield running


def test_a_command_runs_in_the_world_and_its_status_comes_back(world):
    joiner = world.joiner("exit 7")
    out, _ = joiner.communicate(timeout=20)
    assert json.loads(out) == {
        "run": "in the world", "net": world.net, "uid": 0, "folder": str(ROOT), "first": True, "group": 0,
    }  # fmt: skip
    assert joiner.returncode == 7
    assert world.keeper.poll() is None  # it goes on


def test_a_signal_that_ends_the_command_is_a_status(world):
    joiner = world.joiner("kill -TERM $$")
    joiner.communicate(timeout=20)
    assert joiner.returncode == 128 + signal.SIGTERM


def test_a_signal_to_the_joiner_is_passed_on(world):
    joiner = world.joiner("trap 'echo caught; exit 5' TERM; echo set; while :; do sleep 0.05; done")
    joiner.stdout.readline()
    assert joiner.stdout.readline() == "set\n"
    joiner.terminate()
    out, _ = joiner.communicate(timeout=20)
    assert (out, joiner.returncode) == ("caught\n", 5)


def test_nothing_outlives_a_killed_joiner(world):
    joiner = world.joiner("echo $$; exec sleep 987")
    joiner.stdout.readline()
    joiner.stdout.readline()
    [door] = Path(f"/proc/{joiner.pid}/task/{joiner.pid}/children").read_text().split()
    [guest] = Path(f"/proc/{door}/task/{door}/children").read_text().split()
    joiner.kill()
    joiner.communicate(timeout=20)
    end = time.monotonic() + 5
    while Path(f"/proc/{guest}/stat").exists() and time.monotonic() < end:
        time.sleep(0.01)
    assert not Path(f"/proc/{guest}/stat").exists()
    assert world.keeper.poll() is None


def test_ctrl_c_in_a_terminal_is_the_commands_business_once(world):
    pid, terminal = pty.fork()
    script = "trap 'echo caught' INT; echo set; sleep 0.6 & wait; wait; exit 6"
    if pid == 0:
        os.chdir(ROOT)
        line = [*world.prefix, sys.executable, "-c", JOINER, str(world.pid), str(world.began), script]
        os.execvp(line[0], line)
    shown = ""
    while "set" not in shown:
        shown += os.read(terminal, 4096).decode()
    os.write(terminal, b"\x03")
    try:
        while piece := os.read(terminal, 4096):
            shown += piece.decode()
    except OSError:  # the terminal has gone with its last process
        pass
    assert shown.count("caught") == 1
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 6
    os.close(terminal)


def test_a_world_that_ends_meanwhile(world):
    joiner = world.joiner("echo on; exec sleep 60", stderr=subprocess.PIPE)
    joiner.stdout.readline()
    joiner.stdout.readline()
    world.keeper.kill()
    _, err = joiner.communicate(timeout=20)
    assert err.splitlines()[-1] == (
        f"testbed.world.join.WorldEndedError: the world of process {world.pid} ended meanwhile"
    )


def test_a_world_that_is_gone():
    with World() as world:
        assert world.first.alive()
        stranger = FirstProcess(os.getpid(), 1)
        assert not stranger.alive()  # the number has another owner
        with pytest.raises(WorldEndedError, match=f"the world of process {os.getpid()} has ended"):
            stranger.join(lambda: 0)
    assert not world.first.alive()
    with pytest.raises(WorldEndedError, match=f"the world of process {world.pid} has ended"):
        world.first.join(lambda: 0)


def test_an_error_of_the_function_comes_back():
    with World() as world, pytest.raises(InputError, match="--vantage: no 'mst'"):
        world.first.join(lambda: (_ for _ in ()).throw(InputError.at("--vantage", "no 'mst'")))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_the_world_of_another_user_is_refused():
    with World() as world:
        code = (
            "import sys\nfrom testbed.world.join import FirstProcess\n"
            f"FirstProcess({world.pid}, {world.began}).join(lambda: 0)"
        )
        done = subprocess.run(
            [*become(), sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
        )
    assert done.stderr.splitlines()[-1].endswith("belongs to another user")


def test_outside_a_world_there_is_no_first_process():
    with pytest.raises(InvalidRunError, match="not inside a world"):
        FirstProcess.of_this_world()
