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
from tests.clients import engines

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
