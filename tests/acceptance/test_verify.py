"""`testbed verify`: policy, file and wire agree, live; and where they do not, each is named."""

import json
import os
from pathlib import Path

import pytest

from testbed.truth.record import TruthFile, truth_of
from tests.dryrun.conftest import text
from tests.warm import ROOT, WarmDone, run_warm

pytestmark = pytest.mark.world

HALF = (  # of the library: DNS, addresses, names, pages, crawling, freezes, faults and outages, no filter
    "cloudflare-ech-2024",
    "dns-hijack-2026",
    "eu-rt-sputnik-2022",
    "false-friends",
    "free-network",
    "freeze-16kb-2025",
    "kharkiv-outages-2022",
    "kremlin-site-down-2022",
    "linkedin-ban-2016",
    "twitter-facebook-2022-02",
)


def verify(*args: str, cwd: Path | None = None) -> WarmDone:
    environment = {**os.environ, "NO_COLOR": "1"}
    return run_warm("verify", *args, cwd=cwd or ROOT, env=environment, timeout=900)


@pytest.mark.timeout(960)
def test_a_half_of_the_library_agrees() -> None:
    done = verify(*HALF, "--jobs", "4")
    assert "policy, file and wire agree" in done.out, done.out + done.err
    assert done.status == 0


def test_an_expectation_that_does_not_follow_differs_from_policy_and_wire(tmp_path: Path) -> None:
    wrong = '{phase: on, vantage: mts, target: "https://twitter.com/", outcome: tls.sni.drop, by: rule}'
    (tmp_path / "one.yaml").write_text(text("{tls.sni: twitter.com}", "rst-rewrite", expect=wrong))
    done = verify("one.yaml", cwd=tmp_path)
    assert done.status in (1, 3), done.out + done.err  # 3: what differs may be a busy machine's doing
    said = "policy says tls.sni.rst by mts/box/rule; file expects tls.sni.drop by rule; wire saw tls.sni.rst"
    assert f"https://twitter.com/ from mts in phase on: {said}" in done.out
    assert done.out.splitlines()[1].startswith("  one.yaml:17 expect[0]: ")


def test_its_twin_agrees_and_the_wires_records_are_data(tmp_path: Path) -> None:
    right = '{phase: on, vantage: mts, target: "https://twitter.com/", outcome: tls.sni.rst, by: rule}'
    (tmp_path / "one.yaml").write_text(text("{tls.sni: twitter.com}", "rst-rewrite", expect=right))
    done = verify("one.yaml", "--json", cwd=tmp_path)
    assert done.status == 0, done.out + done.err
    (found,) = json.loads(done.out)
    assert found["differences"] == []
    records = truth_of(TruthFile().to_json() | {"records": found["records"]}).records
    blocked = [one for one in records if one.blocked]
    assert [(one.level, one.phase, one.vantage, one.rule, one.hop) for one in blocked] == [
        ("wire", "on", "mts", "mts/box/rule", 2)
    ]
