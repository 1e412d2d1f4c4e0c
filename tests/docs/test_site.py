"""The site: every page is reached, every link leads somewhere; the manual page is of these commands."""

from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="the extra `site` is not installed")

from tools.site import MANUAL, build_manual, build_site, sphinx, stage

INDEX = "# Site\n\n## Further reading\n\n| Program | [Limits](docs/limits.md) |\n"
OUTSIDE = ('src="http', 'rel="stylesheet" href="http', "@import")


def test_the_manual_page_is_of_these_commands(tmp_path: Path) -> None:
    made = tmp_path / "testbed.1"
    assert build_manual(made) == 0
    assert MANUAL.read_text("utf-8") == made.read_text("utf-8"), "make it again: make manual"


def test_the_pages_are_a_site_without_a_warning(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    stage(tmp_path / "source")
    status = sphinx("dummy", tmp_path / "source", tmp_path / "out", "-t", "pages")
    assert (capfd.readouterr().err, status) == ("", 0)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            "See [the moon](moon.md).",
            "docs/limits.md:3: WARNING: 'myst' cross-reference target not found: 'moon.md'",
        ),
        ("See [it](capture.md#not-there).", "docs/limits.md:3: WARNING: local id not found"),
    ],
)
def test_a_link_that_leads_nowhere_is_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], line: str, complaint: str
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "index.md").write_text(INDEX)
    (tmp_path / "docs/limits.md").write_text(f"# Limits\n\n{line}\n")
    (tmp_path / "docs/capture.md").write_text("---\norphan: true\n---\n# Capture\n")
    (tmp_path / "commands.rst").write_text("Commands\n========\n")
    status = sphinx("dummy", tmp_path, tmp_path / "out", "-t", "pages")
    assert complaint in capfd.readouterr().err
    assert status == 1


@pytest.mark.slow
def test_the_whole_site_reads_nothing_from_outside(tmp_path: Path) -> None:
    assert build_site(tmp_path) == 0
    for page in tmp_path.rglob("*.html"):
        text = page.read_text("utf-8")
        assert not [tag for tag in OUTSIDE if tag in text], page
    assert "packet in, decision out" in (tmp_path / "api/testbed.censor.html").read_text("utf-8")
