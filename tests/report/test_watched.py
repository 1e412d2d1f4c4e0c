"""What `run --watch` shows: the picture on a terminal, and the lines elsewhere."""

from io import StringIO

from rich.console import Console, RenderableType

from testbed.live.state import LiveState
from testbed.report.watched import _Lines, bits, picture, spark

HOSTILE = "\x1b]0;owned\x07[bold]evil[/bold]"


def state(name: str = "abs.twimg.com") -> LiveState:
    made = LiveState.at(["mts", "outside"])
    detail = {"action": "police", "name": name, "handover": {"police": {"rate": 140000.0}}}
    made.note_rates({"t": 1.0, "seconds": 0.25, "bytes": {"mts": {"eth0": [5000, 100]}}})
    made.note_event({"t": 1.2, "censor": "mts/tspu", "kind": "match", "rule": "slow",
                     "flow": "tcp 91.76.0.100:1 > 1.2.3.4:443", "detail": detail})  # fmt: skip
    return made


def drawn(shown: RenderableType) -> str:
    file = StringIO()
    Console(file=file, width=120, force_terminal=False).print(shown)
    return file.getvalue()


def test_the_picture_has_vantages_rules_and_rates() -> None:
    text = drawn(picture(state(), "twitter/substring", 1.3, skipped=7))
    mts = next(line for line in text.splitlines() if line.startswith("mts"))
    assert mts.split()[:6] == ["mts", "1", "1", "0", "0", "160"]
    assert "● mts/tspu/slow" in text
    assert "police 140 kbit/s" in text
    assert "abs.twimg.com, at 1.20 s" in text
    assert "! 7 lines came too fast to be shown; events.jsonl has them" in text


def test_names_with_markup_and_control_characters_are_only_text() -> None:
    text = drawn(picture(state(HOSTILE), "x", 1.0, skipped=0))
    assert "\x1b" not in text
    assert r"\x1b]0;owned\x07[bold]evil[/bold]" in text


def test_lines_say_what_is_new_and_nothing_twice() -> None:
    lines, seen = _Lines(), state()
    assert [*lines.new(seen, 0)] == [
        "1.20 s: mts/tspu/slow fired: abs.twimg.com",
        "1.2 s: mts 1 flows, 1 fired, 160 kbit/s down; outside 0 flows, 0 fired, 0 down",
    ]
    assert [*lines.new(seen, 0)] == []
    assert [*lines.new(seen, 3)] == ["3 lines came too fast to be shown; events.jsonl has them"]


def test_rates_in_words_and_bars() -> None:
    assert [bits(0), bits(900), bits(17896), bits(2.5e9)] == ["0", "900 bit/s", "17.9 kbit/s", "2.5 Gbit/s"]
    assert (spark([0, 1, 4, 8]), spark([0, 0]), spark([])) == (" ▁▄█", "", "")
