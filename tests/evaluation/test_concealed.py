"""A detector that does not measure: it looks for the truth wherever a program can look."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.evaluation.concealed import concealed, secret_files
from testbed.evaluation.spec import EvaluationSpec
from testbed.scenario.loader import load
from tests.acceptance.conftest import TESTBED

MARK = "zebra-rule"
SCENARIO = f"""\
title: Small
period: any
sources: [our choice]
operators: [mts, beeline]
censors:
  box:
    profile: t22
    rules: [{{name: {MARK}, match: {{tls.sni: {{file: names.txt}}}}, action: rst-rewrite}}]
phases: {{free: {{}}, blocked: {{mts: box}}}}
default_phase: blocked
expect:
  - {{phase: blocked, vantage: mts, target: "https://twitter.com/", outcome: tls.sni.rst, by: {MARK}}}
  - {{phase: blocked, vantage: beeline, target: "https://twitter.com/", outcome: ok}}
"""
CHEAT = """\
import ctypes, glob, json, os, subprocess, sys
MARKS = [b"zebra" + b"-rule", b"tls.sni" + b".rst", b"a-list-of" + b"-ours"]
here = os.path.dirname(sys.argv[0])
libc = ctypes.CDLL(None, use_errno=True)
room, stores = os.getcwd(), os.path.dirname(os.environ["SSL_CERT_FILE"])
for number, place in enumerate([here, os.path.dirname(room), stores]):
    os.makedirs(f"below-{number}")  # a part of the tree, without what is mounted in it: MS_BIND
    libc.mount(place.encode(), f"below-{number}".encode(), None, 4096, None)
def look():
    places = [here, room, os.path.dirname(room), stores + "/../..", "/run", "/dev/shm"]
    process = "/proc/[0-9]*"
    places += glob.glob(f"{process}/root{here}") + glob.glob(f"{process}/cwd/..") + glob.glob(f"{process}/fd")
    files = [one for name in ("environ", "cmdline", "mountinfo") for one in glob.glob(f"{process}/{name}")]
    for place in places:
        files += [os.path.join(at, name) for at, _, names in os.walk(place) for name in names]
    return files, [file for file in files if tells(file)]
def tells(file):
    if os.path.basename(file) == "cheat.py" or not os.path.isfile(file): return False
    try:
        with open(file, "rb") as opened: return any(mark in opened.read(1 << 22) for mark in MARKS)
    except (OSError, ValueError): return False
files, found = look()
for line in reversed(open("/proc/self/mountinfo").read().splitlines()):  # take off what can be taken off
    if line.split()[4] not in ("/proc", "/dev"): libc.umount2(line.split()[4].encode(), 2)
more, below = look()
seen = {"found": found + below, "beside": sorted(os.listdir(here)), "looked": [len(files), len(more)]}
print(json.dumps(seen), file=sys.stderr)
subprocess.run(["curl", "-s", "-o", "/dev/null", "-m", "4", sys.argv[1]])
print(json.dumps({"target": sys.argv[1], "verdict": "blocked" if found or below else "free"}))
"""


@pytest.mark.world("curl", "iptables-nft")
def test_a_detector_that_looks_for_the_truth_finds_none(tmp_path: Path) -> None:
    for name in ("cache", "runtime", "earlier", "runs/one"):
        (tmp_path / name).mkdir(parents=True, mode=0o700)
    (tmp_path / "small.yaml").write_text(SCENARIO)
    (tmp_path / "names.txt").write_text("twitter.com\na-list-of-ours.example\n")
    (tmp_path / "cheat.py").write_text(CHEAT)
    (tmp_path / "helper.py").write_text("a detector's own module\n")
    (tmp_path / "earlier/plan.json").write_text("{}")
    for record in ("earlier/trials.jsonl", "runs/one/truth.json"):
        (tmp_path / record).write_text(f'{{"by": "{MARK}"}}\n')
    detector = f"{sys.executable} {tmp_path}/cheat.py {{target}}"
    own = {"XDG_CACHE_HOME": f"{tmp_path}/cache", "XDG_RUNTIME_DIR": f"{tmp_path}/runtime"}
    done = subprocess.run(
        [
            TESTBED, "evaluate", "--detector", detector, "--adapter", "plain", "--limit", "30",
            "--scenarios", f"{tmp_path}/small.yaml", "--out", f"{tmp_path}/out", "--json",
        ],
        env={**os.environ, **own}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    trials = [json.loads(line) for line in (tmp_path / "out/trials.jsonl").read_text().splitlines()]
    assert [one["lab_error"] for one in trials] == ["", ""]
    for one in trials:
        said = json.loads((tmp_path / "out" / one["raw"]).with_suffix(".err").read_text().splitlines()[-1])
        assert said["found"] == []
        assert said["beside"] == ["cache", "cheat.py", "helper.py", "runs", "runtime"]
        assert min(said["looked"]) > 10
    assert (tmp_path / "names.txt").read_text().startswith("twitter.com"), "nothing happened to the files"


def test_a_detector_in_a_folder_of_scenarios_stays_and_they_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "small.yaml").write_text(SCENARIO)
    (tmp_path / "other.yaml").write_text(SCENARIO)
    (tmp_path / "names.txt").write_text("twitter.com\n")
    monkeypatch.setenv("TESTBED_SCENARIOS", str(tmp_path))
    command = ("/usr/bin/python3", f"{tmp_path}/mine.py", "{target}")
    spec = EvaluationSpec(detector="mine", adapter="plain", command=command, scenarios=("small",))
    secret = secret_files(spec, load("small").path, tmp_path / "out")
    found = concealed(command, secret, tmp_path / "scratch")
    assert str(tmp_path) not in found.emptied
    hidden = {f"{tmp_path}/{name}" for name in ("small.yaml", "other.yaml", "names.txt", "out")}
    assert hidden <= set(found.removed)
