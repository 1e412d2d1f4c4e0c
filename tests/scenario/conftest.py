"""A small world and a good scenario beside it, which each test breaks in one way."""

from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.errors import InputError, Problem
from testbed.model import Scenario
from testbed.scenario.loader import load

WORLD = """\
operators:
  mts: {name: MTS, asn: 8359, kind: mobile, prefix4: 91.76.0.0/16, prefix6: "2a02:28::/32",
        block_page: "http://page.ru/", sinkhole4: 5.3.3.17}
  obit: {name: OBIT, asn: 8492, kind: fixed, prefix4: 95.161.144.0/20, prefix6: "2a03:8c00::/32"}
sites:
  - {names: [twitter.com, t.co], ipv4: 104.244.42.1, ipv6: "2a04:9d40:f000::1", asn: 13414}
  - {names: [vk.com], ipv4: 87.240.132.78, ipv6: "2a00:bdc0::1", asn: 47541, country: RU}
  - {names: [page.ru], ipv4: 5.3.3.17, ipv6: "2a02:2699::17", asn: 8359, country: RU}
resolvers:
  dns.google: {ipv4: [8.8.8.8], ipv6: ["2001:4860:4860::8888"], asn: 15169}
"""

SCENARIO = """\
title: A test
period: 2022
sources: [our choice]
world: small.yaml
censors:
  tspu:
    profile: t22
    rules:
      - name: reset
        match: {tls.sni: [twitter.com]}
        action: rst-rewrite
phases:
  free: {}
  block: {mts: tspu}
default_phase: block
expect:
  - {phase: block, vantage: mts, target: "https://twitter.com/", outcome: tls.sni.rst, by: reset}
controls: ["https://vk.com/"]
"""


class Desk:
    """A folder with the two files, to change and load."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "x.yaml"
        self.path.write_text(SCENARIO)
        (folder / "small.yaml").write_text(WORLD)

    def load(self, old: str = "", new: str = "") -> Scenario:
        """Load after replacing a part of the scenario, which must be there."""
        if old:
            assert old in SCENARIO, old
            self.path.write_text(SCENARIO.replace(old, new))
        return load(self.path)

    def problems(self, old: str = "", new: str = "") -> tuple[Problem, ...]:
        with pytest.raises(InputError) as caught:
            self.load(old, new)
        return caught.value.problems

    def problem(self, old: str = "", new: str = "") -> Problem:
        """The only problem; its place without the folder."""
        (found,) = self.problems(old, new)
        return found

    def world(self, old: str, new: str) -> None:
        assert old in WORLD, old
        (self.folder / "small.yaml").write_text(WORLD.replace(old, new))

    def rule(
        self, match: str, action: str = "drop", *, profile: str = "t22", more: str = ""
    ) -> Callable[[], Scenario]:
        """The scenario with one rule instead of its own, nothing expected of it."""
        text = SCENARIO[: SCENARIO.index("      - name: reset")].replace("t22", profile)
        text += f"      - name: one\n        match: {match}\n        action: {action}\n{more}"
        text += "phases: {block: {mts: tspu}}\ndefault_phase: block\n"
        self.path.write_text(text)
        return lambda: load(self.path)

    def rule_problem(
        self, match: str, action: str = "drop", *, profile: str = "t22", more: str = ""
    ) -> Problem:
        with pytest.raises(InputError) as caught:
            self.rule(match, action, profile=profile, more=more)()
        (found,) = caught.value.problems
        return found


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path)
