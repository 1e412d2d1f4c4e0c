"""What a command inside a world may reach is what docs/security.md says: a hostile one tries all it knows.

As the user of these tests and, if that is root, as an ordinary one too. The twin runs the same outside.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.conftest import TESTBED
from tests.world.users import ROOT, become

pytestmark = pytest.mark.world("unix-diag", "iptables-nft")

HOSTILE = Path(__file__).with_name("hostile.py")
LIBC = ctypes.CDLL(None, use_errno=True)
IPC_CREAT, IPC_RMID = 0o1000, 0
# What has no folder is this process's own by its number: other tests run at the same time.
KEY, ABSTRACT = 0x7E570000 | os.getpid() & 0xFFFF, f"testbed-hostile-{os.getpid()}"

REFUSED = {
    "connect listed": "ECONNREFUSED",
    "connect renamed": "ECONNREFUSED",  # as ssh does with the socket of a shared connection
    "connect log.dgram": "ECONNREFUSED",
    "connect alone": "ENOENT",  # a folder that has nothing but sockets is covered whole
    "connect to an abstract socket": "ECONNREFUSED",
    "connect to 127.0.0.1": "ECONNREFUSED",
    "umount -l /run": "EINVAL",
    "umount -l /proc": "EINVAL",
    "umount -l /sys": "EINVAL",
    "umount -l /dev": "EINVAL",
    "umount -l /etc/resolv.conf": "EINVAL",
    "umount -l /run in a user namespace": "EINVAL",
    "mount -o remount,rw /sys": "EPERM",
    "mount -t proc": "EPERM",
    "write to /sys": "EROFS",
    "hostname x": "EPERM",
    "shared memory of the machine": "ENOENT",
    "mknod": "EPERM",
    "trace process 1": "EPERM",
    "/proc/1/root": "EACCES",
    "the world's own folder": "ENOENT",
    "enter a hop": "ENOENT",
}
SEEN = {
    "processes": 2,  # itself and the first one, which holds the namespaces
    "interfaces": ["eth0", "lo"],
    "hosts": ["domestic", "far", "mts", "outside"],
    "variables": [],
}
DEVICES = {
    "console", "fd", "full", "net", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout",
    "tty", "urandom", "zero",
}  # fmt: skip
RIGHTS = dict.fromkeys(
    ("address", "firewall", "setting", "raw socket", "packet socket", "tunnel", "ip netns exec"), "done"
)


@dataclass
class Machine:
    """What a command may not reach, and the command line that tries to."""

    sockets: list[str]
    variables: dict[str, str]
    folder: Path

    @property
    def command(self) -> list[str]:
        return ["python3", str(HOSTILE), *self.sockets]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.variables}


@contextmanager
def machine() -> Iterator[Machine]:
    """Programs of the machine that wait for somebody to talk to."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o777)
        (folder / "agent").mkdir()
        (folder / "file").touch()

        def listening(address: str | tuple[str, int], kind: int = socket.SOCK_STREAM) -> socket.socket:
            family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
            one = stack.enter_context(socket.socket(family, kind))
            one.bind(address)
            if kind == socket.SOCK_STREAM:
                one.listen(100)
            return one

        paths = [folder / name for name in ("listed", "renamed", "log.dgram", "agent/alone")]
        for path, kind in zip(paths, (1, 1, socket.SOCK_DGRAM, 1), strict=True):
            listening(str(path), socket.SocketKind(kind))
            path.chmod(0o777)
        paths[1].rename(folder / "renamed.tmp")
        (folder / "renamed.tmp").rename(paths[1])
        listening(f"\0{ABSTRACT}")
        memory = LIBC.shmget(KEY, 4096, IPC_CREAT | 0o666)
        assert memory != -1
        stack.callback(LIBC.shmctl, memory, IPC_RMID, None)
        variables = {
            "HOST_PORT": str(listening(("127.0.0.1", 0)).getsockname()[1]),
            "HOST_KEY": str(KEY),
            "HOST_ABSTRACT": ABSTRACT,
            "SSH_AUTH_SOCK": str(paths[0]),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={paths[0]}",
            "XDG_RUNTIME_DIR": "/run/user/0",
            "DISPLAY": ":0",
            "TMUX": f"{paths[0]},1,0",
            "https_proxy": "http://127.0.0.1:3128",
        }
        yield Machine([str(path) for path in paths], variables, folder)


@pytest.fixture
def reachable() -> Iterator[Machine]:
    with machine() as one:
        yield one


def tried(line: list[str], machine: Machine) -> dict[str, dict]:
    done = subprocess.run(
        line, cwd=ROOT, env=machine.environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_confined(found: dict[str, dict]) -> None:
    settings = {found["out"].pop(name) for name in ("write kernel.hostname", "write vm.swappiness")}
    assert settings <= {"EROFS", "EACCES"}  # root's are read-only; others do not own them
    assert found["out"] == REFUSED
    assert set(found["sees"].pop("devices")) <= DEVICES
    assert found["sees"] == SEEN
    assert found["rights"] == RIGHTS


@pytest.fixture(params=["this user", "an ordinary user"])
def prefix(request) -> list[str]:
    if request.param == "this user":
        return []
    if os.geteuid() != 0:
        pytest.skip("the user of these tests is an ordinary one already")
    return become()


def test_outside_the_sockets_answer(reachable: Machine) -> None:
    """The twin: what is refused inside works outside."""
    script = (
        "import hostile, json, os, sys\n"
        "print(json.dumps([hostile.outcome(lambda: hostile.connect(1, 2 if 'dgram' in p else 1, p))"
        " for p in sys.argv[1:]]\n"
        "+ [hostile.outcome(hostile.abstract),"
        " hostile.outcome(lambda: hostile.libc('shmget', int(os.environ['HOST_KEY']), 0, 0))]))"
    )
    line = [sys.executable, "-c", script, *reachable.sockets]
    done = subprocess.run(
        line, cwd=HOSTILE.parent, env=reachable.environment, capture_output=True, text=True, check=False
    )
    assert json.loads(done.stdout) == ["done"] * 6, done.stderr


def test_a_hostile_command(reachable: Machine, prefix: list[str]) -> None:
    line = [*prefix, TESTBED, "run", "free-network", "--vantage", "mts", "--quiet"]
    line += ["--out", str(reachable.folder / "run"), "--", *reachable.command]
    assert_confined(tried(line, reachable))


def test_a_hostile_command_in_a_standing_world(prefix: list[str]) -> None:
    """Its sockets are closed also if they are newer than the world."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        names = ["--name", f"hostile-{os.getpid()}"]
        up = [*prefix, TESTBED, "up", "free-network", "--vantage", "mts", "--detach", *names]
        environment = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
        subprocess.run(
            [*up, "--out", f"{folder}/run"],
            cwd=ROOT,
            env=environment,
            check=True,
            timeout=60,
            capture_output=True,
        )
        try:
            with machine() as newer:
                del newer.variables["XDG_RUNTIME_DIR"]  # where the world is found
                line = [*prefix, TESTBED, "exec", names[1], "--vantage", "mts", "--quiet", "--"]
                assert_confined(tried([*line, *newer.command], newer))
        finally:
            down = [*prefix, TESTBED, "down", names[1]]
            subprocess.run(down, cwd=ROOT, env=environment, check=True, timeout=60, capture_output=True)


def test_words_and_folders_that_are_no_utf8_are_as_good_as_others(tmp_path: Path) -> None:
    folder, word = os.fsencode(tmp_path) + b"/caf\xe9", b"na\xefve"
    page, junit = folder + b".html", folder + b".xml"
    command = [TESTBED, "run", "free-network", "--vantage", "mts", "--out", folder, "--junit", junit]
    done = subprocess.run([*command, "--", "echo", word], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, word + b"\n"), done.stderr
    summary = json.loads(Path(os.fsdecode(folder), "summary.json").read_text("utf-8"))
    assert os.fsencode(summary["command"][1]) == word
    shown = subprocess.run([TESTBED, "report", folder, "-o", page], capture_output=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert b"free-network" in Path(os.fsdecode(page)).read_bytes()


def test_commands_of_one_host_share_its_run_and_others_do_not(tmp_path: Path) -> None:
    line = [TESTBED, "run", "free-network", "--vantage", "mts", "--quiet", "--out", str(tmp_path / "run")]
    for where in ("mts", "elsewhere.example.net"):
        line += ["--serve", f"{where}=touch /run/{where}; exec python3 -m http.server 8000"]
    done = subprocess.run(
        [*line, "--", "ls", "/run/mts", "/run/elsewhere.example.net", "/run/hosts"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout == "/run/mts\n\n/run/hosts:\nmts\n"  # the other one's key is not there
    assert done.stderr.count("No such file or directory") == 1
