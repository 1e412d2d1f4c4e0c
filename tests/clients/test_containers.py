"""Containers as subscribers, with a real engine: their only network is the vantage."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.errors import Exit
from tests.clients import boxes, engines

docker = pytest.importorskip("docker")
TESTBED = str(Path(sys.executable).parent / "testbed")
BLOCK = "twitter-facebook-block-2022-03"

pytestmark = [
    pytest.mark.world,
    pytest.mark.skipif(bool(engines.lacking()), reason=engines.lacking()),
]


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    with engines.started() as place:
        yield place


def line(*words, scenario=BLOCK, image=engines.IMAGE, options=()):
    command = ["--", *words] if words else []
    return [
        TESTBED,
        "run",
        scenario,
        "--vantage",
        "mts",
        "--out",
        "run",
        "--image",
        image,
        *options,
        *command,
    ]


def run(engine, folder, *words, stdin="", **named):
    """(exit status, stdout, stderr, summary) of a run with a container."""
    done = subprocess.run(
        line(*words, **named),
        cwd=folder,
        env={**os.environ, "DOCKER_HOST": engine},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
    )
    summary = folder / "run" / "summary.json"
    return (
        done.returncode,
        done.stdout,
        done.stderr,
        json.loads(summary.read_text()) if summary.exists() else {},
    )


def left(engine):
    client = docker.DockerClient(base_url=engine)
    try:
        return [one.status for one in client.containers.list(all=True)]
    finally:
        client.close()


LOOK = r"""
code() { curl -s -o /dev/null -w "$1 %{http_code} %{exitcode}\n" "https://$1/"; }
code vk.com; code twitter.com
ip -br link | while read -r name rest; do echo "$name"; done
while read -r one; do echo "$one"; done </etc/resolv.conf
traceroute -n -q 1 -m 1 8.8.8.8 | while read -r number address rest
do [ "$number" = 1 ] && echo "hop $address"; done
exit 7
"""


def test_a_container_is_the_subscriber(engine, tmp_path):
    status, out, _, summary = run(engine, tmp_path, "sh", "-c", LOOK)
    links = [text.partition("@")[0] for text in out.splitlines()]
    assert links == [
        "vk.com 200 0",
        "twitter.com 000 35",  # reset
        "lo",
        "eth0",
        "nameserver 91.76.0.53",
        "nameserver 2a02:28::53",
        "hop 91.76.0.1",
    ]
    assert (status, summary["exit_status"], summary["problems"]) == (7, 7, [])
    assert list(summary["rules_fired"]) == ["mts/tspu-mts/social-reset"]
    assert left(engine) == []


def test_where_nothing_filters_it_reaches_both(engine, tmp_path):
    status, out, _, summary = run(engine, tmp_path, "sh", "-c", LOOK, scenario="free-network")
    assert (status, out.splitlines()[:2]) == (7, ["vk.com 200 0", "twitter.com 200 0"])
    assert summary["rules_fired"] == {}


def test_streams_volumes_and_variables(engine, tmp_path):
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "file").write_text("of ours\n")
    options = ("--env", "COLOUR=green", "--env", "TAKEN", "--volume", f"{tmp_path}/given:/given:ro")
    words = ("sh", "-c", 'cat; echo "$COLOUR $TAKEN"; cat /given/file; echo bad >&2; : >/given/new')
    os.environ["TAKEN"] = "from here"
    try:
        status, out, err, _ = run(engine, tmp_path, *words, stdin="read\n", options=options)
    finally:
        del os.environ["TAKEN"]
    assert out == "read\ngreen from here\nof ours\n"
    assert status == 1
    assert err.startswith("bad\n")
    assert "Read-only file system" in err


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"image": "nobody/has-it"}, "no image 'nobody/has-it' on this machine; load it first"),
        ({}, f"{engines.IMAGE} has no command of its own; give one after --"),
        ({"options": ("--volume", "nowhere")}, f"{engines.IMAGE}: "),
    ],
)
def test_what_is_wrong_with_a_container(engine, tmp_path, named, message):
    words = ("id",) if "options" in named else ()
    status, out, err, _ = run(engine, tmp_path, *words, **named)
    assert (status, out) == (Exit.INPUT, "")
    assert message in err
    assert left(engine) == []


def test_a_program_that_the_image_lacks(engine, tmp_path):
    status, _, err, summary = run(engine, tmp_path, "nosuch")
    assert (status, summary["problems"]) == (127, [])
    assert "nosuch: not found" in err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 128 + 15), (signal.SIGKILL, -9)])
def test_a_run_that_is_ended_leaves_no_container(engine, tmp_path, number, status):
    words = line("sh", "-c", "echo here; exec sleep 100")
    environment = {**os.environ, "DOCKER_HOST": engine}
    with subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "here\n"
        running.send_signal(number)
        assert running.wait(60) == status
    end = time.monotonic() + 30
    while left(engine) and time.monotonic() < end:
        time.sleep(0.1)
    assert left(engine) == []


def call(engine, folder, *words, **more):
    environment = {**os.environ, "DOCKER_HOST": engine, "XDG_RUNTIME_DIR": str(folder)}
    settings = {"cwd": folder, "env": environment, "capture_output": True, "text": True, "timeout": 180}
    return subprocess.run([TESTBED, *words], check=False, **{**settings, **more})


def test_containers_and_commands_of_a_vantage_find_each_other(engine, tmp_path):
    words = ("--vantage", "mts", "--image", engines.IMAGE, "--out", "run")
    ask = 'curl -s -o /dev/null -x socks5h://proxy:1080 -w "%{http_code}\n" https://vk.com/; exit 6'
    done = call(engine, tmp_path, "run", str(boxes.pod(tmp_path)), *words, "--", "sh", "-c", ask)
    logs = {path.name: path.read_text() for path in (tmp_path / "run/logs").glob("host.*")}
    assert (done.returncode, done.stdout) == (6, "200\n"), done.stderr
    assert logs == {
        "host.beside-mts.container.log": "listening on 127.0.0.1:1080\n",
        "host.beside-mts.command.log": "command 200\n",
        "host.beside-mts.container-2.log": "container 200\n",
    }
    assert left(engine) == []


@pytest.mark.slow
def test_a_container_that_ends_makes_the_run_invalid(engine, tmp_path):
    scenario = boxes.pod(tmp_path)
    scenario.write_text(scenario.read_text().replace("exec sleep 900", "exit 5"))
    done = call(engine, tmp_path, "run", str(scenario), "--vantage", "mts", "--", "true")
    assert done.returncode == Exit.INVALID
    assert "service host.beside-mts.command ended with exit status 1" in done.stderr
    assert left(engine) == []


def test_a_tool_chain_in_containers_against_boxes_of_2026(engine, tmp_path):
    """The recipe's tool cuts TLS records. Twin: direct, which the matrix measures and must be blocked."""
    boxes.recipe(tmp_path)
    boxes.recipe(tmp_path, "elsewhere", image="nobody/has-it")
    words = ("./boxed.yaml", "./elsewhere.yaml", "--against", "t26", "--json")
    done = call(engine, tmp_path, "matrix", *words)
    assert done.returncode == 0, done.stderr
    cells = {(one["tool"], one["box"]): one["ending"] for one in json.loads(done.stdout)["cells"]}
    assert cells == {
        ("boxed", "t26-T"): "through",
        ("boxed", "t26-R"): "through",
        ("elsewhere", "t26-T"): "skipped",
        ("elsewhere", "t26-R"): "skipped",
    }
    assert left(engine) == []


def test_a_standing_world_takes_containers(engine, tmp_path):
    opened = call(engine, tmp_path, "up", BLOCK, "--vantage", "mts", "--image", engines.IMAGE, "--detach")
    assert opened.returncode == 0, opened.stderr
    try:
        ask = 'read -r name; curl -s -o /dev/null "https://$name/"; echo $?; exit 9'
        inside = ("exec", "--vantage", "mts", "--image", engines.IMAGE)
        blocked = call(engine, tmp_path, *inside, "--", "sh", "-c", ask, input="twitter.com\n")
        free = call(engine, tmp_path, *inside, "--", "sh", "-c", ask, input="vk.com\n")
        unknown = call(engine, tmp_path, *inside[:-1], "nobody/has-it", "--", "true")
        environment = {**os.environ, "DOCKER_HOST": engine, "XDG_RUNTIME_DIR": str(tmp_path)}
        with subprocess.Popen(
            [TESTBED, *inside, "--", "sh", "-c", "echo here; exec sleep 900"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "here\n"
            call(engine, tmp_path, "down")
            assert running.wait(60) == Exit.INVALID
    finally:
        call(engine, tmp_path, "down")
    assert (blocked.returncode, blocked.stdout) == (9, "35\n"), blocked.stderr
    assert "mts/tspu-mts/social-reset matched once" in blocked.stderr
    assert (free.returncode, free.stdout) == (9, "0\n"), free.stderr
    assert unknown.returncode == Exit.INPUT
    assert "no image 'nobody/has-it' on this machine" in unknown.stderr
    assert left(engine) == []


@pytest.mark.slow
def test_what_killed_processes_leave_the_next_run_removes(engine, tmp_path):
    words = ("run", str(boxes.pod(tmp_path)), "--vantage", "mts", "--out", "run", "--")
    environment = {**os.environ, "DOCKER_HOST": engine}
    with subprocess.Popen(
        [TESTBED, *words, "sh", "-c", "echo here; exec sleep 900"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "here\n"
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        keepers = [one for one in children if b"podkeeper" in Path(f"/proc/{one}/cmdline").read_bytes()]
        for keeper in keepers:
            os.kill(int(keeper), signal.SIGKILL)
        running.kill()
    assert (len(keepers), len(left(engine))) == (1, 3), "the network's owner, and two of the scenario"
    (tmp_path / "next").mkdir()
    status, _, _, _ = run(engine, tmp_path / "next", "sh", "-c", ":")
    assert (status, left(engine)) == (0, [])


@pytest.mark.slow
def test_a_shell_in_a_container(engine, tmp_path):
    words = ("shell", BLOCK, "--vantage", "mts", "--image", engines.IMAGE)
    done = call(engine, tmp_path, *words, input='echo "$BASH" "$HOSTNAME"; exit 3\n')
    assert (done.returncode, done.stdout) == (3, "/usr/bin/bash mts\n"), done.stderr
