"""`testbed evaluate` as a user has it: one small world, detectors of every kind, an interruption."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from testbed import __version__
from testbed.evaluation.conduct import Evaluation
from testbed.evaluation.spec import EvaluationSpec, detector_of
from tests.acceptance.conftest import TESTBED

SECRET = "a-telling-name"
SCENARIO = """\
title: Small
period: any
sources: [our choice]
operators: [mts]
censors:
  box:
    profile: t22
    rules: [{name: reset, match: {tls.sni: [twitter.com]}, action: rst-rewrite}]
phases: {free: {}, blocked: {mts: box}}
default_phase: blocked
expect:
  - {phase: blocked, vantage: mts, target: "https://twitter.com/", outcome: tls.sni.rst, by: reset}
  - phase: blocked
    vantage: mts
    target: ["https://ok.ru/", "https://www.wikipedia.org/", "https://yandex.ru/", "https://meduza.io/", "https://www.dw.com/"]
    outcome: ok
controls: ["https://vk.com/"]
"""
# What it does depends on the target. It tells all that it can see of its surroundings.
DETECTOR = """\
import json, os, signal, subprocess, sys, time
PROJECT = os.path.dirname(sys.argv[0])
def writable(place):
    try:
        with open(os.path.join(place, "mine"), "w"): return True
    except OSError: return False
def walked(place): return [(at, name) for at, _, names in os.walk(place) for name in names]
target = sys.argv[1]
seen = {"argv": sys.argv, "env": dict(os.environ), "cwd": os.getcwd(), "files": os.listdir()}
folder = os.path.dirname(os.environ["SSL_CERT_FILE"])
seen["beside"] = [os.path.join(*one) for one in walked(folder + "/../..")]
places = (PROJECT, PROJECT + "/out", "/tmp", "/var/tmp", os.getcwd())
seen["writable"] = [one for one in places if writable(one)]
seen["others"] = [open(f"/proc/{one}/cmdline").read() for one in os.listdir("/proc") if one.isdecimal()]
surroundings = ("mountinfo", "mounts", "cgroup", "status", "limits", "net/unix", "net/route")
seen["files of the system"] = [open(f"/proc/self/{one}").read() for one in surroundings]
seen["files of the system"] += [open(one).read() for one in ("/etc/resolv.conf", "/etc/hosts")]
seen["files of the system"] += [os.uname().nodename, *map(str, walked("/run"))]
print(json.dumps(seen), file=sys.stderr, flush=True)
if "yandex" in target: os.kill(os.getpid(), signal.SIGSEGV)
if "wikipedia" in target: time.sleep(600)
if "ok.ru" in target:
    subprocess.run(["iptables", "-A", "OUTPUT", "-p", "tcp", "--dport", "9", "-j", "DROP"], check=True)
    subprocess.run(["ip", "route", "del", "default"], check=True)
    print(json.dumps({"target": target, "verdict": "free"})[:-9])
    sys.exit()
if "meduza" in target:
    while True: print("x" * 1_000_000)
if "dw.com" in target:
    try:
        with open("much", "wb") as file:
            while True: file.write(bytes(1 << 20))
    except OSError as error: print(error, file=sys.stderr)
    room = [os.statvfs(one) for one in (".", "/dev/shm", "/run")]
    print(*(one.f_blocks * one.f_frsize >> 20 for one in room), file=sys.stderr)
    lost = subprocess.run(["mount", "-o", "remount,bind,rw", "/"], capture_output=True)
    print("locked" if lost.returncode else "open", file=sys.stderr)
if "vk.com" in target: subprocess.Popen(["sleep", "600"], start_new_session=True)
quiet = subprocess.run(["curl", "-4", "-sS", "-m", "30", "-o", "/dev/null", target], stderr=subprocess.PIPE)
print(json.dumps({"target": target, "verdict": bool(quiet.returncode), "mechanism": "tls.sni.rst"}))
"""

pytestmark = pytest.mark.world("curl", "iptables-nft")


def line(folder: Path, *more: str) -> list[str]:
    detector = f"{sys.executable} {folder}/detector.py {{target}}"
    words = [
        "evaluate",
        "--detector",
        detector,
        "--adapter",
        "plain",
        "--scenarios",
        f"{folder}/{SECRET}.yaml",
    ]
    return [TESTBED, *words, "--limit", "5", "--jobs", "1", "--out", str(folder / "out"), *more]


def lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines() if file.exists() else []


def test_an_evaluation_that_is_interrupted_goes_on_and_counts_every_fault_apart(tmp_path: Path) -> None:
    (tmp_path / f"{SECRET}.yaml").write_text(SCENARIO)
    (tmp_path / "detector.py").write_text(DETECTOR)
    trials, runtime = tmp_path / "out/trials.jsonl", tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(runtime)}
    first = subprocess.Popen(
        line(tmp_path), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not lines(trials) and first.poll() is None:
        time.sleep(0.05)
    first.send_signal(signal.SIGINT)
    _, err = first.communicate()
    assert (first.returncode, "interrupted: " in err, "goes on" in err) == (130, True, True), err
    before = lines(trials)
    assert 0 < len(before) < 8
    with trials.open("a") as file:
        file.write(before[0][:50])  # as a kill would leave it
        file.write("\n")

    done = subprocess.run(
        line(tmp_path, "--json"), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    assert lines(trials)[: len(before)] == before
    made = [json.loads(one) for one in lines(trials) if one != before[0][:50]]
    places = [(one["phase"], one["target"], one["repeat"]) for one in made]
    assert len(places) == len(set(places)) == 8, "no trial is lost, none is made twice"
    score = json.loads(done.stdout)
    assert (score["counts"], score["recall"]["hits"]) == (
        {"hit": 1, "right": 3, "no verdict": 1, "crashed": 1, "hung": 1, "flooded": 1}, 1,
    )  # fmt: skip
    blocked = {one["target"]: one for one in made if one["phase"] == "blocked"}
    assert blocked["https://twitter.com/"]["acted"] == ["mts/box/reset"]
    assert (blocked["https://vk.com/"]["left"], blocked["https://vk.com/"]["note"]) == (
        1,
        "processes left: 1",
    )
    assert [one["kind"] for one in blocked["https://ok.ru/"]["complaints"]] == ["truncated line"]
    assert "mts has firewall rules of its own" in blocked["https://ok.ru/"]["note"]
    assert "mts has other addresses or routes" in blocked["https://ok.ru/"]["note"]
    assert blocked["https://www.dw.com/"]["note"] == "its folder or /dev/shm is full"
    said = (tmp_path / "out" / blocked["https://www.dw.com/"]["raw"]).with_suffix(".err").read_text()
    assert said.splitlines()[-3:] == ["[Errno 28] No space left on device", "512 512 256", "locked"]
    # The detector sees nothing that names the scenario, the phase or the truth, and changes nothing.
    for one in made:
        seen = (tmp_path / "out" / one["raw"]).with_suffix(".err").read_text().partition("\n")[0]
        around = json.loads(seen)
        told = json.dumps([around["argv"][1:], around["env"], around["cwd"]])
        assert [
            word for word in (SECRET, "blocked", "tls.sni.rst", "evaluat", "testbed") if word in told
        ] == []
        assert around["files"] == []
        system = "\n".join(around["files of the system"])
        assert re.findall(r"\bmts\b|\btspu\b|hop\d|blocked|" + SECRET, system) == []
        assert str(tmp_path / "out") not in system, "no mount names the evaluation's folder"
        assert around["writable"] == [around["cwd"]]
        beside = {Path(file).name for file in around["beside"]}
        assert beside == {"bundle.pem", "root.pem", "trust.p12"}, "trust, and nothing that is recorded"
        assert [line for line in around["others"] if SECRET in line or "keep" in line] == []


def test_the_same_evaluation_twice_gives_the_same_verdicts(tmp_path: Path) -> None:
    """Each answer, and each rule that acted; nothing but times may differ."""
    few = SCENARIO.replace('"https://ok.ru/", "https://www.wikipedia.org/", "https://yandex.ru/", ', "")
    (tmp_path / f"{SECRET}.yaml").write_text(few)
    words = [TESTBED, "evaluate", "--detector", "curl", "--scenarios", f"{tmp_path}/{SECRET}.yaml", "--json"]
    found = []
    for out in ("first", "second"):
        options = ["--jobs", "1", "--out", str(tmp_path / out)]
        done = subprocess.run([*words, *options], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        made = [json.loads(one) for one in lines(tmp_path / out / "trials.jsonl")]
        score = json.loads(done.stdout)
        trials = sorted(
            (one["phase"], one["target"], one["verdict"]["said"], one["verdict"]["mechanisms"], one["acted"])
            for one in made
        )
        found.append((trials, score["counts"], score["recall"], score["mechanisms"]))
    assert found[0] == found[1]
    assert (len(found[0][0]), found[0][1]) == (5, {"hit": 1, "right": 4})


def begun(folder: Path) -> dict[str, Any]:
    """The plan of the evaluation that `line` begins."""
    (folder / f"{SECRET}.yaml").write_text(SCENARIO)
    text = line(folder)[3]
    words, reader = detector_of(text, "plain")
    known = {"detector": text, "adapter": reader.name, "command": words, "client": reader.client}
    spec = EvaluationSpec(**known, scenarios=(f"{folder}/{SECRET}.yaml",), limit=5.0)
    plan = json.loads((Evaluation.open(spec, folder / "out").folder / "plan.json").read_text("utf-8"))
    assert plan["version"] == __version__
    return plan


def refused(folder: Path, plan: dict[str, Any]) -> str:
    """What is said to who goes on in the folder, where that is the plan."""
    (folder / "out/plan.json").write_text(json.dumps(plan), "utf-8")
    done = subprocess.run(line(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    return done.stderr.replace(str(folder), "HERE")


def test_an_evaluation_with_other_options_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    plan = begun(tmp_path) | {"detector": "mine {target}", "repeats": 3}
    given = json.dumps(begun(tmp_path)["detector"]).replace(str(tmp_path), "HERE")
    assert refused(tmp_path, plan) == (
        f'testbed: HERE/out/plan.json: begun with --detector "mine {{target}}", not {given}, '
        "with --repeats 3, not 1; give what it was begun with, or a new folder to --out\n"
    )


@pytest.mark.parametrize(
    ("otherwise", "why"),
    [
        ({"version": "0.0.1"}, f"made by testbed 0.0.1, and this is {__version__}"),
        ({"digests": ["0123456789abcdef"]}, "begun with other scenarios: a file was changed"),
    ],
)
def test_an_evaluation_of_another_version_or_of_other_files_is_refused(
    tmp_path: Path, otherwise: dict[str, Any], why: str
) -> None:
    assert f"HERE/out/plan.json: {why}; " in refused(tmp_path, begun(tmp_path) | otherwise)


def test_nothing_that_could_be_given_to_it(tmp_path: Path) -> None:
    text = dedent(SCENARIO).replace("https://", "h3://")
    (tmp_path / f"{SECRET}.yaml").write_text(
        text.replace("rst-rewrite", "drop").replace("tls.sni.rst", "quic.drop").replace("tls.sni", "quic.sni")
    )
    words = [TESTBED, "evaluate", "--detector", "curl", "--scenarios", f"{tmp_path}/{SECRET}.yaml"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, "no target of them can be given to this detector" in done.stderr) == (2, True), (
        done.stderr
    )
