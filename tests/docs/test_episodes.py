"""The pages of the episodes: one for each scenario, in step with it; its references and commands hold."""

import re
import shlex
from pathlib import Path

import pytest

from testbed.ladder.recorder import RunOptions, targets_of
from testbed.model import Scenario
from testbed.scenario import library
from testbed.scenario.loader import load
from testbed.scenario.story import story
from tests.docs.pages import ROOT
from tools.episode_page import FOLDER, MEASURED, PICTURES, drawn_flow, index, page, run_block, runs_of
from tools.episodes import INDEX
from tools.history import ON_PAGES
from tools.references import entries, reference

NAMES = library.names()
REMEDY = "run: python tools/episodes.py --text, or make episodes if a phase or an expectation is another"


def text(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text("utf-8")


def settled(block: str) -> str:
    """A run's block without what differs from run to run."""
    lines = [line for line in block.splitlines() if not line.startswith(MEASURED)]
    counted = re.sub(r"(?m) \d+ \|$", " # |", "\n".join(lines))
    return re.sub(r"\n{2,}", "\n", counted)


def out_of_step(scenario: Scenario, written: str) -> list[str]:
    """The parts of a page that are not as the scenario has them."""
    runs = runs_of(written)
    wrong = [] if page(scenario, runs) == written else ["text"]
    return wrong + [
        phase
        for phase in scenario.phases
        if settled(runs.get(phase, "")) != settled(run_block(scenario, phase))
    ]


def test_every_scenario_has_its_page_and_no_other() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == {*NAMES, INDEX.stem}


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_in_step_with_its_scenario(name: str) -> None:
    assert out_of_step(load(name), text(name)) == [], REMEDY


def test_a_page_would_be_seen_out_of_step() -> None:
    scenario = load("linkedin-ban-2016")
    written = text("linkedin-ban-2016")
    without = re.sub(r"<!-- run: before -->.*?<!-- end -->\n\n", "", written, flags=re.DOTALL)
    assert out_of_step(scenario, written.replace("17 November", "18 November", 1)) == ["text"]
    assert out_of_step(scenario, written.replace("**http.page**", "ok", 1)) == ["first-day"]
    assert out_of_step(scenario, without) == ["text", "before"]


def test_the_index_is_in_step() -> None:
    assert INDEX.read_text("utf-8") == index(load(name) for name in NAMES), REMEDY


@pytest.mark.parametrize("name", NAMES)
def test_a_flow_is_drawn_where_a_rule_does_something(name: str) -> None:
    shown = f"(pictures/{name}.svg)" in text(name)
    assert shown == (drawn_flow(load(name)) is not None)
    assert shown == (PICTURES / f"{name}.svg").exists()


def cited(name: str) -> list[str]:
    scenario = load(name)
    return [*scenario.sources, *(key for phase in scenario.phases.values() for key in phase.sources)]


@pytest.mark.parametrize("name", NAMES)
def test_every_source_has_its_reference(name: str) -> None:
    known = entries()
    for source in cited(name):
        found = reference(source, known)
        assert found is None or found.title, f"{source} is not in docs/bibliography.yaml"


def test_a_source_without_a_reference_is_noticed() -> None:
    with pytest.raises(KeyError):
        reference("XYZ99 p.3", entries())


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("N4P#81", "net4people: [bbs, thread 81](https://github.com/net4people/bbs/issues/81)"),
        ("IMC21 §6.3", "[Throttling Twitter: An Emerging Censorship Technique in Russia]"),
        ("gh:npm/www#414", "[npm/www, issue 414](https://github.com/npm/www/issues/414)"),
        ("seed 004", "Report of 16 March 2021"),
    ],
)
def test_a_key_stands_for_a_reference(source: str, shown: str) -> None:
    found = reference(source, entries())
    assert found is not None
    assert shown in found.markdown()


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_are_valid(name: str) -> None:
    scenario = load(name)
    block = re.search(r"```sh\n(.*?)```", text(name), re.DOTALL)
    assert block
    run = set()
    for line in block[1].splitlines():
        program, action, who, *rest = shlex.split(line)
        if rest == ["--circumvention"]:
            assert any(way.phase == scenario.default_phase for way in scenario.circumvention)
            continue
        if rest == ["--timeline"]:
            assert len(story([scenario]).spans) > 1
            continue
        if action == "monitor":
            assert line == ON_PAGES[name].command(name)
            continue
        options = dict(zip(rest[::2], rest[1::2], strict=False))
        assert (program, who) == ("testbed", name)
        if action == "run":
            run.add(options.get("--phase", scenario.default_phase))
            continue
        assert action == "ladder"
        places = scenario.phases[scenario.default_phase].placements
        assert (options["--vantage"], options["--censor"]) in {
            (one.operator, one.policy.name) for one in places
        }
        run_options = RunOptions(scenario, targets=(rest[-1],))
        assert [one.url for one in targets_of(run_options)] == [rest[-1]]
    assert run == set(scenario.phases)


def test_the_pages_are_linked() -> None:
    for source in (Path("README.md"), Path("docs/scenarios.md")):
        assert "episodes/README.md" in (ROOT / source).read_text("utf-8")
