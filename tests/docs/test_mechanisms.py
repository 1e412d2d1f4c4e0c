"""The pages of mechanisms: in step with the code, their rules valid, their pictures made from runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.censor.actions import ACTIONS
from testbed.censor.models import MODELS
from testbed.conformance import cases
from testbed.conformance.case import CASES
from testbed.scenario.loader import load
from testbed.world.settings import HOST
from tests.censor import test_models
from tests.docs.pages import ROOT
from tests.docs.test_sources import keys, unknown
from tools.catalogue import PICTURES
from tools.diagram import FOLDER, sheet
from tools.mechanisms import pages, renewed, table, tables
from tools.rates import PICTURE as PLOTTED

INDEX = FOLDER.parent / "README.md"
PAGES = [pytest.param(page, id=page.stem) for page in pages() if page != INDEX]
EXAMPLES = sorted((ROOT / "examples/mechanisms").glob("*.yaml"))
CITED = re.compile(
    r"\b(?:IMC\d+q?|CP\d+|OONI(?:\d+|-FP)|NTC\d+|NDSS\d+|FOCI\w+|CF\d+|DPICH|DPID|NEVOD|ASBI|GDPI|ZAP|BC"
    r"|(?:N4P|mtg|hxehex)#\d+)\b"
)


def section(page: Path, heading: str) -> str:
    return page.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("page", PAGES)
def test_tables_are_in_step_with_the_techniques(page: Path) -> None:
    assert renewed(page.read_text("utf-8")) == page.read_text("utf-8"), "run: python tools/mechanisms.py"


def test_a_table_would_be_seen_out_of_step() -> None:
    page = (FOLDER.parent / "delayed-drop.md").read_text("utf-8").replace("`[5, 8]`", "`[5, 9]`", 1)
    assert renewed(page) != page


def test_every_technique_has_a_page() -> None:
    found = {action for page in pages() for action in tables(page.read_text("utf-8"))}
    assert found == set(ACTIONS)


@pytest.mark.parametrize("key", ACTIONS)
def test_every_parameter_says_what_it_is(key: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", table(ACTIONS[key]), re.MULTILINE)
    assert all(default and meaning for _, default, meaning in rows)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_its_parts(page: Path) -> None:
    text = page.read_text("utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == ["Parameters", "Rule", "Circumvention at the time", "Limits"]
    assert "**Seen" in text
    assert "**The subscriber" in text
    assert "](pictures/" in text


def test_the_index_names_every_page_once() -> None:
    linked = re.findall(r"^\| \[[^\]]*\]\(([\w-]+\.md)\)", INDEX.read_text("utf-8"), re.MULTILINE)
    assert sorted(linked) == sorted(page.name for page in pages() if page != INDEX)


def test_every_picture_is_made_kept_and_shown_once() -> None:
    shown = [
        name
        for page in pages()
        for name in re.findall(r"\(pictures/([\w-]+)\.svg\)", page.read_text("utf-8"))
    ]
    made = sorted([*PICTURES, PLOTTED.stem])
    assert sorted(shown) == made
    assert sorted(path.stem for path in FOLDER.glob("*")) == made


@pytest.mark.parametrize("page", PAGES)
def test_what_is_cited_is_explained(page: Path) -> None:
    text = page.read_text("utf-8")
    assert [key for key in CITED.findall(text) if key.split("#")[0] not in keys()] == []
    assert cases.SUBJECTS
    assert [case for case in re.findall(r"\bC\d{2,3}\b", text) if case not in CASES] == []


@pytest.mark.parametrize("page", PAGES)
def test_rules_are_valid(page: Path, tmp_path: Path) -> None:
    found = re.findall(r"```yaml\n(.*?)```", section(page, "Rule"), re.DOTALL)
    assert found
    for number, censors in enumerate(found):
        name = re.search(r"^  ([\w-]+):$", censors, re.MULTILINE)[1]
        file = tmp_path / f"rule{number}.yaml"
        world = ROOT / "examples/mechanisms/worlds/line.yaml"
        (tmp_path / "worlds").mkdir(exist_ok=True)
        (tmp_path / "worlds/line.yaml").write_text(world.read_text("utf-8"), "utf-8")
        head = "title: A rule\nperiod: any\nsources: [our choice]\nworld: line\n"
        file.write_text(f"{head}{censors}phases:\n  one: {{mts: {name}}}\ndefault_phase: one\n", "utf-8")
        assert load(str(file)).phases["one"].placements


def test_the_inspectors_table_is_what_the_models_see() -> None:
    lines = re.findall(r"^\| (.+?) \|$", section(FOLDER.parent / "inspectors.md", "Parameters"), re.MULTILINE)
    head, *body = [line.split(" | ") for line in lines]
    sent = [
        test_models.plain,
        test_models.split,
        test_models.record_split,
        test_models.low_ttl,
        test_models.urgent_byte,
        test_models.data_in_the_syn,
    ]
    assert head[1:] == list(MODELS)
    for (_, *cells), send in zip(body, sent, strict=True):
        seen = ["seen" if any(send(test_models.line(model))) else "-" for model in MODELS]
        assert cells == seen, send.__name__


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_valid_and_their_sources_explained(path: Path) -> None:
    assert [key for source in load(str(path)).sources for key in unknown(source)] == []


def kept(name: str) -> list[str]:
    """The rows of a picture as it is in the repository."""
    return re.findall(r'data-row="([^"]*)"', (FOLDER / f"{name}.svg").read_text("utf-8"))


@pytest.mark.world
@pytest.mark.parametrize("name", ["sni-rewrite", "dns-injected", "refusal-icmp"])
def test_a_picture_made_again_shows_the_same(name: str) -> None:
    from html import escape

    made = [escape(row.signature) for row in sheet(PICTURES[name]).rows]
    assert made == kept(name)


@pytest.mark.world
def test_a_picture_without_the_rule_shows_other_things(tmp_path: Path) -> None:
    """The twin: the same run where the rule looks for another name."""
    from dataclasses import replace

    scenario = (ROOT / "examples/mechanisms/refusal.yaml").read_text("utf-8")
    scenario = scenario.replace("site:www.facebook.com", "site:api.twitter.com").partition("expect:")[0]
    (tmp_path / "worlds").mkdir()
    world = ROOT / "examples/mechanisms/worlds/line.yaml"
    (tmp_path / "worlds/line.yaml").write_text(world.read_text("utf-8"), "utf-8")
    (tmp_path / "free.yaml").write_text(scenario, "utf-8")
    free = replace(PICTURES["refusal-icmp"], scenario=str(tmp_path / "free.yaml"), idle=True)
    fates = {row.fate for row in sheet(free).rows}
    assert fates == {"passed"}


def ways(signatures: list[str]) -> set[str]:
    """Directions and fates, as "down rewritten whole"."""
    return {signature.partition(":")[0] for signature in signatures}


@pytest.mark.slow
@pytest.mark.world
@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_can_be_made_again(name: str) -> None:
    """Its rules act, and in the same ways: how often depends on timing."""
    made = ways([row.signature for row in sheet(PICTURES[name]).rows])
    assert made == ways(kept(name))


def phases() -> list[object]:
    return [
        pytest.param(path, phase, id=f"{path.stem}-{phase}")
        for path in EXAMPLES
        for phase in load(str(path)).phases
    ]


@pytest.mark.slow
@pytest.mark.world
@pytest.mark.parametrize(("path", "phase"), phases())
def test_the_examples_do_what_they_say(path: Path, phase: str, tmp_path: Path) -> None:
    if path.stem == "loss" and "ipv4/tcp_congestion_control" not in HOST:
        inherited = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
        if inherited not in ("reno", "cubic"):
            pytest.skip(f"the servers' TCP is this machine's, {inherited}, which hardly minds losses")
    program = Path(sys.executable).parent / "testbed"
    run = [program, "run", path, "--phase", phase, "--out", tmp_path / "run"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
