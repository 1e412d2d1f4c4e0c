"""Small scenarios in a folder of their own: one rule at MTS, none at Beeline."""

from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.dryrun.ask import Asker
from testbed.measurement.kinds import parse
from testbed.scenario.loader import load
from testbed.truth.record import TruthRecord

TEMPLATE = """title: One rule
period: any
sources: [our choice]
operators: [mts, beeline]
censors:
  box:
    profile: {profile}
{more}    rules:
      - name: rule
        match: {match}
        action: {action}
phases:
  off: {{}}
  on: {{mts: box}}
default_phase: on
expect:
{expect}
controls: ["https://vk.com/"]
"""

Asks = Callable[..., TruthRecord]


def text(match: str, action: str, *, profile: str = "t22", more: str = "", expect: str = "[]") -> str:
    """A scenario with this rule; `more` are further lines of its box."""
    lines = "".join(f"    {line}\n" for line in more.splitlines())
    shown = "  []" if expect == "[]" else "".join(f"  - {line}\n" for line in expect.splitlines())
    return TEMPLATE.format(profile=profile, match=match, action=action, more=lines, expect=shown)


@pytest.fixture
def ask(tmp_path: Path) -> Asks:
    """Asks one rule what it does to a client."""

    def asked(
        match: str,
        action: str,
        url: str,
        *,
        phase: str = "on",
        vantage: str = "mts",
        client: str = "probe",
        ipv: int = 4,
        profile: str = "t22",
        more: str = "",
    ) -> TruthRecord:
        file = tmp_path / "one.yaml"
        file.write_text(text(match, action, profile=profile, more=more))
        return Asker(load(str(file))).record(phase, vantage, parse(url), client=client, ipv=ipv)

    return asked
