"""What a machine lacks for a recipe."""

import os

import pytest

from testbed.model import Recipe
from testbed.run.toolneeds import missing


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe("a"), ""),
        (Recipe("a", programs=("sh",), devices=("/dev/null",)), ""),
        (Recipe("a", programs=("no-such-tool",)), "no-such-tool is not installed"),
        (Recipe("a", devices=("/dev/no-such",)), "/dev/no-such is not there, or not open to this user"),
        (
            Recipe("a", programs=("no-such-tool",), devices=("/dev/no-such",)),
            "no-such-tool is not installed; /dev/no-such is not there, or not open to this user",
        ),
    ],
)
def test_it_is_named(recipe, said):
    assert missing(recipe) == said


def test_with_the_package_that_has_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "defpath", str(tmp_path))
    monkeypatch.setattr("testbed.run.toolneeds.SBIN", ())
    assert missing(Recipe("a", programs=("obfs4proxy",))) == (
        "obfs4proxy is not installed (apt-get install obfs4proxy)"
    )
