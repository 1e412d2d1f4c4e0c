"""Flame graphs: of folded stacks, and of a command with the processes that it forks."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tools.flamegraph import WIDTH, draw, tree

ROOT = Path(__file__).resolve().parents[2]
FOLDED = "a;b;c 3\na;b;d 1\na;e 4\nf 2\n"


def widths(svg: str) -> dict[str, float]:
    """Frame -> how wide it is drawn."""
    groups = re.findall(r"<title>([^:]*): [\d.]+%</title><rect [^>]*width=\"([\d.]+)\"", svg)
    return {name: float(width) for name, width in groups}


def test_a_frame_is_as_wide_as_it_was_seen() -> None:
    shown = widths(draw(tree(FOLDED), "a & b"))
    assert shown == {
        name: round(seen * WIDTH / 10, 1)
        for name, seen in {"all": 10, "a": 8, "b": 4, "c": 3, "d": 1, "e": 4, "f": 2}.items()
    }


def test_from_a_frame_on() -> None:
    assert widths(draw(tree(FOLDED, "b"), "")) == {
        "all": WIDTH,
        "b": WIDTH,
        "c": WIDTH * 0.75,
        "d": WIDTH / 4,
    }


def test_the_picture_is_xml_and_loads_nothing() -> None:
    svg = draw(tree("<module>;a&b 1\n"), "a & b")
    assert "a & b" in "".join(ElementTree.fromstring(svg).itertext())
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")


def test_the_documentation_shows_those_that_there_are() -> None:
    page = (ROOT / "docs/benchmarks.md").read_text("utf-8")
    there = sorted((ROOT / "docs/flames").glob("*.svg"))
    assert there
    for file in there:
        assert f"(flames/{file.name})" in page
        svg = file.read_text("utf-8")
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert not re.search(r"href|url\(|<script|<image|@import|font-face", svg)


def test_no_stack_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    argv = [sys.executable, "tools/flamegraph.py", tmp_path / "empty", tmp_path / "out.svg"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "no stack" in done.stderr) == (1, True)
    assert not (tmp_path / "out.svg").exists()


@pytest.mark.world
def test_a_command_is_sampled_with_what_it_forks(tmp_path: Path) -> None:
    folded = tmp_path / "folded"
    words = [
        "--",
        "run",
        "free-network",
        "--vantage",
        "mts",
        "--quiet",
        "--out",
        tmp_path / "run",
        "--",
        "true",
    ]
    subprocess.run([sys.executable, "tools/samples.py", folded, *words], cwd=ROOT, check=True)
    firsts = {line.partition(";")[0] for line in folded.read_text().splitlines()}
    assert {"testbed.world.enter:_main", "__main__ (import)"} <= firsts, firsts
    assert all(re.fullmatch(r".+ [1-9]\d*", line) for line in folded.read_text().splitlines())
