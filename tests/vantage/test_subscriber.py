"""Real programs, unmodified and without options, as a subscriber."""

import os
import pty
import select
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from testbed.vantage.programs import ProgramError
from testbed.vantage.shell import shell_argv
from testbed.vantage.subscriber import run_as, spawn_as
from tests.internet.emulated import TWITTER

pytestmark = pytest.mark.world


def run(vantage, *argv, stdin=b"", own=None):
    """(exit status, stdout, stderr) of `argv` run as the subscriber."""
    files = [os.memfd_create(name) for name in ("in", "out", "err")]
    os.write(files[0], stdin)
    os.lseek(files[0], 0, os.SEEK_SET)
    os.dup2(files[2], 2)  # our own messages, too
    sys.stderr = os.fdopen(2, "w", closefd=False)
    streams = {"stdin": files[0], "stdout": files[1]}
    try:
        status = run_as(
            vantage.namespace, argv, vantage.environment, os.environ if own is None else own, **streams
        )
    except ProgramError as error:
        status = error.status
        print(error, file=sys.stderr)
    sys.stderr.flush()
    return status, *(Path(f"/proc/self/fd/{file}").read_text() for file in files[1:])


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (
            ["curl", "-sS", "-4", "https://twitter.com/bytes/4", "-w", "%{remote_ip}"],
            f"\0\1\2\3{TWITTER.ipv4}",
        ),
        (["curl", "-sS", "-6", "https://twitter.com/bytes/4"], "\0\1\2\3"),
        (["dig", "+short", "twitter.com"], f"{TWITTER.ipv4}\n"),
        (["getent", "ahostsv4", "localhost"], None),
        (["getent", "ahostsv4", "twitter.com"], None),
        (["openssl", "s_client", "-connect", "twitter.com:443", "-verify_return_error", "-brief"], ""),
        (
            [sys.executable, "-c", "import urllib.request as r; print(r.urlopen('https://vk.com/').status)"],
            "200\n",
        ),
        ([sys.executable, "-c", "import httpx; print(httpx.get('https://vk.com/').status_code)"], "200\n"),
    ],
    ids=lambda value: value[0].rpartition("/")[2] if isinstance(value, list) else "",
)
def test_clients_resolve_connect_and_verify(far_side, argv, expected):
    status, out, err = far_side.call(run, *argv)
    assert status == 0, err
    assert expected is None or out == expected


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_node(far_side):
    script = "require('https').get('https://vk.com/', r => console.log(r.resume().statusCode))"
    assert far_side.call(run, "node", "-e", script)[:2] == (0, "200\n")


OPENSSL_BY_DIRECTORY = [
    "openssl",
    "s_client",
    "-connect",
    "twitter.com:443",
    "-verify_return_error",
    "-brief",
]
OPENSSL_BY_DIRECTORY += ["-no-CAfile", "-CApath", "/etc/ssl/certs"]


def test_openssl_verifies_by_the_hashed_directory(far_side):
    status, _, said = far_side.call(run, *OPENSSL_BY_DIRECTORY)
    assert (status, "Verification: OK" in said) == (0, True), said


def test_go_and_others_find_the_root_in_the_bundle_without_variables(far_side):
    """SSL_CERT_FILE unset, as a program that cleans its environment would have it."""
    argv = [
        "env",
        "-u",
        "SSL_CERT_FILE",
        "-u",
        "CURL_CA_BUNDLE",
        "curl",
        "-sS",
        "https://twitter.com/bytes/1",
    ]
    assert far_side.call(run, *argv)[:2] == (0, "\0")


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
)
def test_the_status_is_the_programs_own(far_side, script, status):
    assert far_side.call(run, "sh", "-c", script)[0] == status


def test_streams_folder_home_and_arguments_are_the_users(far_side):
    script = 'cat; pwd; echo "$HOME" "$1"; echo err >&2'
    own = {**os.environ, "HOME": "/tmp/somebody"}
    status, out, err = far_side.call(run, "sh", "-c", script, "sh", "a b", stdin=b"typed\n", own=own)
    assert (status, out, err) == (0, f"typed\n{Path.cwd()}\n/tmp/somebody a b\n", "err\n")


def test_a_program_that_cannot_be_run_gets_one_message(far_side, tmp_path):
    said = "curll: no such program; did you mean 'curl'?\n"
    assert far_side.call(run, "curll") == (127, "", said)
    (tmp_path / "file").touch()
    status, _, said = far_side.call(run, str(tmp_path / "file"))
    assert status == 126
    assert said.endswith("is not executable; try chmod +x, or its interpreter before it\n")


def test_scripts_without_interpreter(far_side, tmp_path):
    plain, lost = tmp_path / "plain", tmp_path / "lost"
    plain.write_text("echo shell $1\n")
    lost.write_text("#!/no/such/thing\n")
    for script in (plain, lost):
        script.chmod(0o755)
    assert far_side.call(run, str(plain), "x")[:2] == (0, "shell x\n")
    status, _, said = far_side.call(run, str(lost))
    assert status == 126
    assert said.endswith("cannot be executed: its interpreter is missing\n")


def test_the_sbin_folders_are_in_the_path(far_side):
    assert far_side.call(run, "ip", "-br", "link", own={"PATH": "/bin"})[0] == 0


def without_our_files(vantage, *argv):
    """`run` without anything laid over, with the variables of the user alone."""
    bare = type(vantage.environment)(vantage.folder / "nothing", vantage.environment.scratch, {})
    bare.tree.mkdir()
    vantage.environment = bare
    try:
        return run(vantage, *argv)
    finally:
        bare.tree.rmdir()


def test_it_is_our_files_that_make_clients_trust(far_side):
    at = ["--connect-to", f"::{TWITTER.ipv4}:", "https://twitter.com/"]
    assert far_side.call(run, "curl", "-sS", *at)[0] == 0
    assert far_side.call(without_our_files, "curl", "-sS", *at)[0] == 60
    openssl = [f"{TWITTER.ipv4}:443" if word == "twitter.com:443" else word for word in OPENSSL_BY_DIRECTORY]
    assert far_side.call(run, *openssl)[0] == 0
    assert far_side.call(without_our_files, *openssl)[0] != 0


def files_before_and_in(vantage):
    return Path("/etc/resolv.conf").read_text(), run(vantage, "cat", "/etc/resolv.conf")[1]


def test_only_the_program_sees_the_vantages_files(far_side):
    before, inside = far_side.call(files_before_and_in)
    assert inside == "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"
    assert before != inside
    assert far_side.call(files_before_and_in)[0] == before


def spawned(vantage):
    sleeper = spawn_as(vantage.namespace, ["sleep", "60"], vantage.environment)
    alive = sleeper.poll() is None
    sleeper.terminate()
    return alive, sleeper.wait(timeout=5)


def test_spawn_does_not_wait(far_side):
    assert far_side.call(spawned) == (True, -signal.SIGTERM)


def interrupted(vantage):
    """Ctrl-C while a program runs that handles it: we must neither die nor stop waiting."""
    started = vantage.folder / "started"
    script = f"trap 'sleep 0.2; exit 5' INT; touch {started}; while :; do sleep 0.05; done"
    us = os.getpid()
    if os.fork() == 0:
        os.setpgid(0, 0)
        while not started.exists():
            time.sleep(0.01)
        os.killpg(us, signal.SIGINT)
        os._exit(0)
    os.setpgid(us, us)
    before = signal.getsignal(signal.SIGINT)
    status = run(vantage, "sh", "-c", script)[0]
    return status, signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_is_the_programs_business(far_side):
    assert far_side.call(interrupted) == (5, True)


def typed(vantage, shell, dialogue):
    """Type into an interactive shell in a terminal: (its status, all that was shown).

    `dialogue` is pairs of what must be shown first and what is typed then.
    """
    argv = shell_argv("free", "all", "mts", vantage.folder, shell)
    child, terminal = pty.fork()
    if child == 0:
        os._exit(run_as(vantage.namespace, argv, vantage.environment, {**os.environ, "HOME": "/nonexistent"}))
    shown, dialogue, deadline = "", list(dialogue), time.monotonic() + 20
    while time.monotonic() < deadline:
        if dialogue and dialogue[0][0] in shown:
            os.write(terminal, dialogue.pop(0)[1])
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                shown += os.read(terminal, 4096).decode()
            except OSError:  # EIO: the shell has gone
                break
    else:
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


def test_an_interactive_shell_has_its_prompt_and_job_control(far_side):
    dialogue = [
        ("[mts · free/all] ", b"sh -c 'echo run\"\"ning; exec sleep 60'\n"),
        ("running\r\n", b"\x1a"),
        ("Stopped", b"exit 3\n"),
        ("There are stopped jobs", b"exit 3\n"),
    ]
    status, shown = far_side.call(typed, "/bin/bash", dialogue)
    assert status == 3, shown
    assert "no job control" not in shown
    assert "cannot set terminal process group" not in shown
