"""The picture on the page about monitoring is of the command that the page names, and loads nothing."""

from xml.etree import ElementTree

from tools.history import COMMAND, PICTURE, ROOT, TARGETS


def test_the_page_shows_the_picture_and_names_its_command() -> None:
    page = (ROOT / "docs/monitor.md").read_text("utf-8")
    assert f"({PICTURE.relative_to(ROOT / 'docs')})" in page
    assert COMMAND.partition(" --target")[0] in page


def test_it_has_every_target_that_ever_failed_and_loads_nothing() -> None:
    text = PICTURE.read_text("utf-8")
    ElementTree.fromstring(text)
    assert all(f">{target}<" in text for target in TARGETS[:-2])
    assert not any(f">{target}<" in text for target in TARGETS[-2:])  # those that worked everywhere
    assert "url(http" not in text
