"""A list that changes while a program runs as a subscriber: from then on the other name is blocked."""

import os
import signal
import time
from pathlib import Path
from threading import Thread

import pytest

from tests.acceptance.test_leaves_nothing import descendants

pytestmark = pytest.mark.world("curl")

SCENARIO = """\
title: Lists
period: 2022
sources: [our choice]
censors:
  tspu: {profile: t22, rules: [{name: listed, match: {tls.sni: {file: names.txt}}, action: drop}]}
phases: {block: {mts: tspu}}
default_phase: block
"""
PROGRAM = """\
ask() { curl -s -m 1 -o /dev/null -w '%{http_code} ' https://$1/ || true; }
ask twitter.com; ask www.wikipedia.org
echo "$1" > names.txt
: > written
while [ ! -e signalled ]; do sleep 0.02; done
sleep 1
ask twitter.com; ask www.wikipedia.org
"""


def signal_when_written(folder: Path, below: int) -> None:
    """From outside, as a user does in another terminal: the program inside does not see the censor."""
    while not (folder / "written").exists():
        time.sleep(0.02)
    [censor] = [
        pid for pid in descendants(below) if Path(f"/proc/{pid}/comm").read_text().strip() == "mts/tspu"
    ]
    os.kill(censor, signal.SIGHUP)
    (folder / "signalled").touch()


@pytest.mark.parametrize(
    ("text", "seen", "reloaded"),
    [
        ("www.wikipedia.org", "000 200 200 000", {"rules": 1}),
        ("no name at all", "000 200 000 200", {"refused": "names.txt:1"}),
    ],
)
def test_a_list_is_read_again(testbed, tmp_path: Path, text: str, seen: str, reloaded: dict) -> None:
    (tmp_path / "x.yaml").write_text(SCENARIO)
    (tmp_path / "names.txt").write_text("twitter.com\n")
    signaller = Thread(target=signal_when_written, args=(tmp_path, os.getpid()), daemon=True)
    signaller.start()
    done = testbed("./x.yaml", "--vantage", "mts", "--", "sh", "-c", PROGRAM, "sh", text)
    assert done.out.split() == seen.split()
    assert done.status == 0, done.err
    (reload,) = [event["detail"] for event in done.events if event["kind"] == "reload"]
    for key, value in reloaded.items():
        assert str(reload[key]).startswith(str(value))
