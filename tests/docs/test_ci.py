"""What the page about CI shows can be read, and its commands are commands of today."""

import re
import shlex
from typing import Any

import click
import pytest
import yaml

from testbed.cli import main
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/ci.md").read_text("utf-8")
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
GITHUB, GITLAB = BLOCKS


def lines() -> list[str]:
    steps: list[dict[str, Any]] = GITHUB["jobs"]["testbed"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step] + GITLAB["censorship"]["script"]
    return [line.replace("/testbed/.venv/bin/", "") for line in scripts]


@pytest.mark.parametrize("line", lines())
def test_commands_are_parsed_as_they_are_written(line: str) -> None:
    program, name, *words = shlex.split(line)
    assert program == "testbed"
    with click.Context(main.testbed, info_name="testbed") as parent:
        command = main.testbed.get_command(parent, name)
        assert command is not None, name
        command.make_context(name, words, parent=parent)


def test_an_option_that_is_gone_would_be_found() -> None:
    with click.Context(main.testbed, info_name="testbed") as parent:
        command = main.testbed.get_command(parent, "run")
        assert command is not None
        with pytest.raises(click.UsageError, match="--junitt"):
            command.make_context("run", ["x", "--junitt", "y"], parent=parent)


def test_the_action_is_a_composite_whose_steps_have_a_shell() -> None:
    assert ACTION["runs"]["using"] == "composite"
    steps = ACTION["runs"]["steps"]
    assert [step.get("shell") for step in steps if "run" in step] == ["bash"] * 3
    used = set(re.findall(r"inputs\.([a-z-]+)", str(steps)))
    assert used == set(ACTION["inputs"])


def test_names_of_artifacts_are_files_that_the_commands_write() -> None:
    written = {word for line in lines() for word in shlex.split(line) if word.endswith((".xml", ".json"))}
    job = GITLAB["censorship"]["artifacts"]
    assert {job["reports"]["junit"], *job["paths"]} - {"runs"} <= written
