"""Going into a world, and what is left afterwards: nothing."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from testbed.errors import Exit, InputError, InvalidRunError, UnsupportedError
from testbed.world import linux
from testbed.world.enter import isolated_call, run_isolated
from tests.world.users import ROOT, become

pytestmark = pytest.mark.world

SCRIPT = """
import os, subprocess, sys, time
from testbed.world import interrupt
from testbed.world.enter import run_isolated
def main():
{body}
print("before", end=" ")
sys.exit(run_isolated(main))
"""


def start(body: str, prefix=(), **options) -> subprocess.Popen:
    """A separate Python that runs `body` isolated; its output is piped."""
    script = SCRIPT.format(body="\n".join(f"    {line}" for line in body.splitlines()))
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        **options,
    )


def net_namespace() -> str:
    return str(Path("/proc/self/ns/net").readlink())


def host() -> dict[str, object]:
    """What a world must not change."""
    return {
        "net": net_namespace(),
        "mounts": sorted(Path("/proc/self/mountinfo").read_text().splitlines()),
        "interfaces": sorted(p.name for p in Path("/sys/class/net").iterdir()),
        "named": sorted(p.name for p in Path("/run/netns").glob("*")),
        "forward": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
        "mask": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
    }


def members(net: str) -> list[int]:
    """Processes in that network namespace, all over the machine."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(Path(entry / "ns/net").readlink()) == net:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return value


def test_status_and_errors_come_back():
    assert run_isolated(lambda: 7) == 7
    assert isolated_call(lambda: {"a": [1]}) == {"a": [1]}
    with pytest.raises(ZeroDivisionError) as caught:
        isolated_call(lambda: 1 // 0)
    assert "test_enter.py" in caught.value.__notes__[0]


def test_it_is_a_world_of_its_own_and_the_host_stays_as_it_was():
    before = host()

    def look():
        Path("/run/mine").write_text("x")
        subprocess.run(["mount", "-t", "tmpfs", "none", "/mnt"], check=True)
        processes = [p.name for p in Path("/proc").glob("[0-9]*")]
        links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout
        ping = subprocess.run(
            ["ping", "-c1", "-W1", "127.0.0.1"], capture_output=True, check=False
        ).returncode
        route = subprocess.run(["ip", "route", "get", "8.8.8.8"], capture_output=True, check=False).returncode
        return os.geteuid(), net_namespace(), processes, links.split()[0::4], ping, route

    uid, net, processes, links, ping, route = isolated_call(look)
    assert uid == 0
    assert net != before["net"]
    assert {"1", "2"} <= set(processes)
    assert len(processes) <= 3, processes  # the third holds the commands' namespaces
    assert links[0] == "lo"
    assert len(links) == 1
    assert ping == 0
    assert route != 0  # no way out
    assert host() == before
    assert not Path("/run/mine").exists()
    assert members(net) == []


def test_any_thread_may_enter():
    with ThreadPoolExecutor(2) as pool:
        pids = list(pool.map(lambda _: isolated_call(os.getpid), range(2)))
    assert pids == [2, 2]


def test_output_is_written_once():
    done = start('print("inside", flush=False)\nreturn 5')
    out, err = done.communicate(timeout=20)
    assert (out, err, done.returncode) == ("before inside\n", "", 5)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("sys.exit(4)", 4, ""),
        ("sys.exit('no')", 1, "no"),
        ("raise RuntimeError('a bug')", Exit.INVALID, "RuntimeError: a bug"),
        (
            "from testbed.errors import InputError\nraise InputError.at('x.yaml:1', 'wrong')",
            2,
            "x.yaml:1: wrong",
        ),
    ],
)
def test_ways_to_end(body, status, said):
    done = start(body)
    _, err = done.communicate(timeout=20)
    assert done.returncode == status
    assert said in err


def test_a_killed_main_process_is_an_invalid_run():
    with pytest.raises(InvalidRunError, match=r"main process was killed by SIGKILL"):
        run_isolated(lambda: os.kill(os.getpid(), signal.SIGKILL) or 0)


def test_orphans_are_collected_and_own_children_are_not():
    def main():
        subprocess.run(["sh", "-c", "(sleep 0.05; exit 3) & exit 0"], check=True)  # an orphan that ends
        child = os.fork()
        if child == 0:
            os._exit(9)
        time.sleep(0.3)
        zombies = [
            p.name
            for p in Path("/proc").glob("[0-9]*")
            if "State:\tZ" in (p / "status").read_text() and p.name != str(child)
        ]
        return zombies, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert isolated_call(main) == ([], 9)


INTERRUPTIBLE = """
try:
    print("ready", flush=True)
    interrupt.sleep(20)
except KeyboardInterrupt:
    print("caught", flush=True)
    interrupt.sleep(0.5)  # a record being finished
    print("recorded", flush=True)
    raise
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("whole_group", [True, False])
def test_signals_interrupt_main_once(number, whole_group):
    process = start(INTERRUPTIBLE, start_new_session=True)
    assert process.stdout.readline() == "before ready\n"
    send = os.killpg if whole_group else os.kill  # a terminal's Ctrl-C goes to the whole group
    send(process.pid, number)
    time.sleep(0.1)
    send(process.pid, number)  # an impatient second one
    out, err = process.communicate(timeout=20)
    assert (out, err, process.returncode) == ("caught\nrecorded\n", "", 128 + number)


def test_an_ignored_signal_stays_ignored():
    process = start("print('ready', flush=True)\ntime.sleep(0.5)\nreturn 0", prefix=["nohup"])
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_children_ignored_by_the_starter_do_not_hang_it():
    process = start("return 3", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    process.communicate(timeout=20)
    assert process.returncode == 3


@pytest.mark.parametrize("moment", [0.0, 0.004, 0.5])
def test_kill_9_leaves_nothing(moment):
    """At whatever moment: also while the namespaces are being made."""
    before = host()
    body = (
        "from testbed.world.netns import Namespace\n"
        "for i in range(20): Namespace.create(f'n{i}')\n"
        "subprocess.Popen(['sleep', '987'])\n"
        "subprocess.Popen(['setsid', '-f', 'sleep', '987'])\n"
        "time.sleep(987)"
    )
    process = start(body, start_new_session=True)
    assert until(lambda: len(family(process.pid)) > (6 if moment == 0.5 else 1), seconds=20)
    time.sleep(moment)
    started = family(process.pid)
    process.kill()
    process.communicate(timeout=20)  # also proves that no process holds the output open
    assert until(lambda: not any(map(alive, started)))
    assert host() == before
    if moment == 0.5:
        assert len(started) >= 6  # outer, gatekeeper, init, main and the two sleepers: it was all there


def alive(pid: int) -> bool:
    """Whether it runs; a dead one that the machine's own first process has yet to collect does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [each for child in task.read_text().split() for each in family(int(child))]
        except OSError:
            continue
    return found


def test_two_worlds_at_the_same_time():
    body = (
        "from testbed.world.netns import Namespace\n"
        "Namespace.create('mts')\n"
        "print(os.readlink('/proc/self/ns/net'), flush=True)\n"
        "sys.stdin.read()\n"
        "return 0"
    )
    both = [start(body, stdin=subprocess.PIPE) for _ in range(2)]
    seen = [process.stdout.readline() for process in both]
    assert seen[0] != seen[1]
    for process in both:
        process.communicate("", timeout=20)
        assert process.returncode == 0


def test_refused_namespaces_are_one_clear_message():
    """In a user namespace of its own, so that the limits of the host stay: no namespaces, no privileges."""
    inner = (
        "from testbed.world.enter import run_isolated\nfrom testbed.errors import UnsupportedError\n"
        "try: run_isolated(lambda: 0)\nexcept UnsupportedError as e: print(e)"
    )
    drop = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", sys.executable, "-c", inner]

    limit = (
        "import pathlib, subprocess\n"
        "pathlib.Path('/proc/sys/user/max_user_namespaces').write_text('0')\n"
        f"subprocess.run({drop!r})"
    )
    outside = ["unshare", "-Urmpf", "--mount-proc", sys.executable, "-c", limit]
    done = subprocess.run(outside, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.stderr.startswith("unshare:"):
        pytest.skip("may not make a user namespace to try it in")
    assert "sudo sysctl -w user.max_user_namespaces=10000" in done.stdout, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert "sudo" in done.stdout
    assert "Docker" in done.stdout


def test_it_works_for_an_ordinary_user():
    if os.geteuid() != 0:
        assert not linux.may_administer()  # the other tests have shown it
        return
    body = (
        "import json, pathlib, tempfile\nfrom tests.world.worlds import lab, small\n"
        "from testbed.model import LinkQuality\n"
        "with lab(small(1, access=LinkQuality(delay=0.01))) as built:\n"
        "    print(json.dumps([pathlib.Path('/proc/self/uid_map').read_text().split(),"
        " built.ping('-c1', '8.8.8.8'), built.ping('-c1', '2001:4860:4860::8888')]))\n"
        "return 0"
    )
    process = start(body, prefix=become())
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    mapped, *pings = json.loads(out.removeprefix("before "))
    assert mapped[::2] == ["0", "1"]
    assert mapped[1] != "0"
    assert all(" 0% packet loss" in ping for ping in pings)


def test_errors_with_their_status_survive_the_way():
    with pytest.raises(InputError, match="a: b"):
        isolated_call(lambda: (_ for _ in ()).throw(InputError.at("a", "b")))
    with pytest.raises(UnsupportedError, match="no x"):
        isolated_call(lambda: (_ for _ in ()).throw(UnsupportedError("no x")))


def test_run_has_the_machines_folders_and_nothing_in_them():
    def look():
        return {
            path.name: (path.stat().st_mode & 0o7777, list(path.iterdir()))
            for path in Path("/run").iterdir()
            if path.is_dir() and path.name not in {"netns", "testbed"}
        }

    machine = {
        path.name: (path.stat().st_mode & 0o7777, [])
        for path in Path("/run").iterdir()
        if path.is_dir() and not path.is_symlink() and path.name not in {"netns", "testbed"}
    }
    assert machine  # the twin: there is something to look for
    assert isolated_call(look) == machine


def test_a_world_may_have_more_descriptors_than_programs_usually_get():
    def look():
        linux.restore_descriptors()
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        inside = isolated_call(lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        assert (inside, isolated_call(look)) == (min(hard, 65_536), 256)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))
