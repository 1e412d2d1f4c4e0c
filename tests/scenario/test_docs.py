"""The examples of docs/scenarios.md are real files that load."""

import re
from dataclasses import fields
from pathlib import Path

from testbed.censor.actions import ACTIONS
from testbed.scenario.loader import load

PAGE = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text()
BLOCKS = re.findall(r"```[a-z]*\n(.*?)```", PAGE, re.DOTALL)


def test_examples_load(tmp_path: Path) -> None:
    names, mine = BLOCKS[0], next(block for block in BLOCKS if block.startswith("# mine.yaml"))
    technique = next(block for block in BLOCKS if block.startswith("# lose.py"))
    action = next(block for block in BLOCKS if "lose.py:LoseFirst" in block).strip()
    (tmp_path / "names.txt").write_text(names)
    (tmp_path / "lose.py").write_text(technique)
    (tmp_path / "mine.yaml").write_text(mine)
    assert [each.outcome for each in load(tmp_path / "mine.yaml").expect] == ["tls.sni.rst", "ok"]
    text = mine.replace("action: rst-rewrite", action).replace(
        "outcome: tls.sni.rst, by: listed", "outcome: ok"
    )
    (tmp_path / "technique.yaml").write_text(text)
    rule = load(tmp_path / "technique.yaml").phases["blocked"].placements[0].policy.rules[0]
    assert (rule.action.key, rule.action.packets, rule.action.residual) == ("lose-first", 2, 10.0)


def test_every_action_and_parameter_is_named() -> None:
    for key, action in ACTIONS.items():
        (row,) = [line for line in PAGE.split("\n") if line.startswith(f"| `{key}` |")]
        missing = [each.name for each in fields(action) if f"`{each.name}" not in row]
        assert not missing, f"{key}: {missing}"
