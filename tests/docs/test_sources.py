"""docs/sources.md tells every constant of the profiles as the code has it, and every key that is cited."""

import re
from pathlib import Path

import pytest

from testbed.censor.profiles import PROFILES
from testbed.scenario.loader import load
from tests.docs.pages import ROOT
from tools.sources import PAGE, constants, renewed, table

OUR_CHOICE = "our choice"


def keys() -> set[str]:
    section = PAGE.read_text("utf-8").partition("## Keys")[2].partition("\n## ")[0]
    return {key.split("#")[0].split()[0] for key in re.findall(r"^\| ([^|]+?) \|", section, re.MULTILINE)} - {
        "Key"
    }


def unknown(source: str) -> list[str]:
    """The keys in a source's text ("GDPI; gist 2016") that the page does not explain."""
    if source == OUR_CHOICE:
        return []
    first, *more = [part.split()[0].split("#")[0].split(":")[0].rstrip(",") for part in source.split(";")]
    parts = [first, *(word for word in more if word[0].isupper())]  # else it is a remark
    return [key for key in parts if key not in keys()]


def test_the_table_is_in_step_with_the_profiles() -> None:
    page = PAGE.read_text("utf-8")
    assert renewed(page) == page, "run: python tools/sources.py"


def test_the_table_would_be_seen_out_of_step() -> None:
    page = PAGE.read_text("utf-8").replace("IMC21 §6.6 |", "IMC21 §6.7 |", 1)
    assert renewed(page) != page


def test_every_profile_is_in_the_table() -> None:
    assert all(f"`{name}`" in table() for name in PROFILES)


@pytest.mark.parametrize("name", PROFILES)
def test_the_keys_of_profiles_are_explained(name: str) -> None:
    assert [key for _, constant in constants(PROFILES[name]) for key in unknown(constant.source)] == []


SCENARIOS = [pytest.param(path, id=path.stem) for path in sorted((ROOT / "scenarios").glob("*.yaml"))]


@pytest.mark.parametrize("path", SCENARIOS)
def test_the_keys_of_scenarios_are_explained(path: Path) -> None:
    scenario = load(path)
    cited = [*scenario.sources, *(key for phase in scenario.phases.values() for key in phase.sources)]
    assert [key for source in cited for key in unknown(source)] == []


def test_an_unexplained_key_is_noticed() -> None:
    assert unknown("IMC21 §5; XYZ99 p.3") == ["XYZ99"]
