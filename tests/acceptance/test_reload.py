"""A list that changes while a program runs as a subscriber: from then on the other name is blocked."""

import signal
from pathlib import Path

import pytest

from tests.meddling import meddling, send

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
ASK = """\
for name in twitter.com www.wikipedia.org; do
    curl -s -m 1 -o /dev/null -w '%{http_code} ' https://$name/
done
"""


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
    first = f"{ASK}echo '{text}' > names.txt"
    with meddling(tmp_path, send(signal.SIGHUP, "mts.tspu"), first) as command:
        command[-1] += f"; sleep 1; {ASK}true"
        done = testbed("./x.yaml", "--vantage", "mts", "--", *command)
    assert done.out.split() == seen.split()
    assert done.status == 0, done.err
    (reload,) = [event["detail"] for event in done.events if event["kind"] == "reload"]
    for key, value in reloaded.items():
        assert str(reload[key]).startswith(str(value))
