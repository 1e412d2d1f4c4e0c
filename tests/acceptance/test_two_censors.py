"""An operator's own filter and a TSPU at one hop: each is judged, proven and counted by itself."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import Done

pytestmark = pytest.mark.world
Run = Callable[..., Done]

SCENARIO = """
title: Two boxes at one hop
period: any
sources: [our choice]
operators: [mts]
censors:
  filter:
    profile: leg-passive
    hop: 2
    rules: [{{name: by-host, match: {{http.host: twitter.com}}, action: rst}}]
  tspu:
    profile: t22
    rules: [{{name: by-sni, match: {{tls.sni: twitter.com}}, action: drop}}]
phases: {{p: {{mts: {placed}}}}}
default_phase: p
expect:
{expect}
controls: ["https://vk.com/"]
"""
BOTH = """\
  - {target: "http://twitter.com/", outcome: http.rst, by: filter/by-host}
  - {target: "https://twitter.com/", outcome: tls.sni.drop, by: tspu/by-sni}
"""
ONE = """\
  - {target: "http://twitter.com/", outcome: ok}
  - {target: "https://twitter.com/", outcome: tls.sni.drop, by: tspu/by-sni}
"""


@pytest.mark.parametrize("placed", ["[filter, tspu]", "[tspu, filter]"])
@pytest.mark.parametrize("version", [(), ("-6",)], ids=["4", "6"])
def test_both_are_at_work(testbed: Run, tmp_path: Path, placed: str, version: tuple[str, ...]) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(SCENARIO.format(placed=placed, expect=BOTH))
    done = testbed(str(path), *version)
    assert done.status == 0, done
    receipts = {
        one.name: json.loads(one.read_text()) for one in (done.folder / "receipts").glob("mts.*.json")
    }
    assert set(receipts) == {"mts.filter.json", "mts.tspu.json"}
    assert receipts["mts.filter.json"]["rules"]["by-host"]["kernel"]["inject"] >= 1
    assert receipts["mts.tspu.json"]["rules"]["by-sni"]["kernel"]["drop"] >= 1


def test_without_the_filter_only_the_other_acts(testbed: Run, tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    text = SCENARIO.format(placed="tspu", expect=ONE)
    before, _, after = text.partition("  filter:")
    path.write_text(before + "  tspu:" + after.partition("  tspu:")[2])
    assert testbed(str(path)).status == 0
