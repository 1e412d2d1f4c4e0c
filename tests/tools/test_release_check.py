"""What a release must hold, and that each lack is named. The whole of it is `make release-check`."""

import sys
import zipfile
from pathlib import Path

import pytest

from tools.release_check import ROOT, build, missing, versions


def test_every_place_has_the_same_version() -> None:
    found = versions(ROOT)
    assert set(found) == {"pyproject.toml", "testbed.__version__", "CITATION.cff"}
    assert len(set(found.values())) == 1, found


def test_the_citation_has_what_its_format_asks_for() -> None:
    import yaml

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["license"] == "GPL-2.0-or-later"


def test_a_wheel_from_the_sdist_is_whole_and_each_lack_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(build(tmp_path)) as archive:
        names = set(archive.namelist())
    assert missing(names, ROOT) == []

    scenario = "testbed/_scenarios/free-network.yaml"
    module = "testbed/censor/__init__.py"
    manual = next(name for name in names if name.endswith("testbed.1"))
    solution = "testbed/_labs/01-where/solution/solve.py"
    assert missing((names - {scenario, module, manual}) | {solution}, ROOT) == [
        "no file ….data/data/share/man/man1/testbed.1",
        f"{solution} has no place in it",
        f"{scenario} is not in it",
        f"{module} is not in it",
    ]


def test_a_step_that_fails_ends_it_with_what_was_printed() -> None:
    from tools.release_check import _run

    with pytest.raises(SystemExit) as ending:
        _run(sys.executable, "-c", "print('about to fail'); raise SystemExit(7)", cwd=ROOT)
    assert str(ending.value).startswith("about to fail\nrelease-check: exit status 7 of ")
