"""The pictures are there, load nothing, and are made of what a terminal really shows."""

import re
from pathlib import Path

import pytest
from matplotlib import rc_context

from tools import topology
from tools.picture import ALL, BLANK, PICTURES, in_terminal, placed


def test_there_is_a_file_for_each_picture_and_no_other() -> None:
    assert {path.stem for path in PICTURES.glob("*.svg")} == {picture.name for picture in ALL}


@pytest.mark.parametrize("picture", ALL, ids=lambda picture: picture.name)
def test_shows_its_commands_and_loads_nothing(picture) -> None:
    svg = (PICTURES / f"{picture.name}.svg").read_text("utf-8")
    shown = re.sub(r"<[^>]*>", "", svg).replace("&#160;", " ")
    assert all(command.split(" -- ")[0].replace("'", "&#x27;") in shown for command in picture.commands)
    assert "font-face" not in svg
    assert "url(http" not in svg


def test_a_terminal_has_its_width_and_its_exit_status(tmp_path: Path) -> None:
    status, printed = in_terminal("stty size <&1; test -t 1 && exit 7", 77, str(tmp_path))
    assert (status, printed) == (7, "50 77\n")


def test_words_stand_at_their_places() -> None:
    words = f"{BLANK * 2}ab{BLANK * 3}c{BLANK}d"
    line = f'<text class="a" x="10" y="2" textLength="100" clip-path="c">{words}</text>'
    assert re.findall(r'x="(\d+)".*?textLength="(\d+)".*?>([^<]*)<', placed(line)) == [
        ("30", "20", "ab"),
        ("80", "30", "c&#160;d"),
    ]


def test_the_drawn_network_is_the_plans() -> None:
    with rc_context({"svg.fonttype": "none"}):  # as another picture may have left it
        made = topology.picture()
    assert made == topology.PICTURE.read_text("utf-8"), "out of date; run: python tools/topology.py"
    shown = re.findall(r"<!-- (.*?) -->", made)  # each text that matplotlib draws as paths
    assert {"mts", "tspu-mts", "isp-dns: lies", "7 routers"} <= set(shown)
