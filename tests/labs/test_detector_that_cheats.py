"""A student's program that looks for the hidden world's truth instead of measuring."""

import pytest

from testbed.labs.detecting import tried
from testbed.labs.labfile import assign, load_lab

CHEAT = """\
import glob, json, os, subprocess, sys
here = os.path.dirname(os.path.abspath(sys.argv[0]))
files = glob.glob(here + "/../**", recursive=True)
files += glob.glob(os.environ["TMPDIR"] + "/../**", recursive=True)
known = False
for file in filter(os.path.isfile, files):
    try:
        text = open(file, "rb").read()
    except OSError:
        continue
    known = known or (b"outcome:" in text or b'"outcome"' in text) and sys.argv[1].encode() in text
subprocess.run(["curl", "-s", "-o", "/dev/null", "-m", "2", sys.argv[1]])
print(json.dumps({"target": sys.argv[1], "verdict": "blocked" if known else "free"}))
"""


@pytest.mark.world("curl", "iptables-nft")
def test_it_finds_nothing() -> None:
    found = tried(assign(load_lab("6"), "anna", "c"), "cheat.py", CHEAT, "seed", lambda _done, _total: None)
    assert found.failed == ""
    assert (found.hits, found.alarms) == (0, 0)
    assert found.blocked > 3
