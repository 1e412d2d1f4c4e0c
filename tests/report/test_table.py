"""The table as plain text, character for character; and its parts."""

import io

import pytest

from testbed.report.table import bitrate, expected, observed, rate_range, show, text
from testbed.truth.judge import Row, judge
from tests.truth.conftest import BLOCKED, counts
from tests.truth.timelines import fine

EXPECTED = """\
A small scenario (small), phase on

MTS (mts), AS101, mobile
   target                             observed                                  should be                 by rule       kernel saw
✓  https://blocked.example/           tls.sni.rst                               tls.sni.rst               sni           3 packets
✓  https://slow.example/bytes/400000  throttle: 138 kbit/s, outside 212 Mbit/s  throttle: 130-150 kbit/s  tspu/policer  17 packets
✓  https://vk.example/                ok                                        ok (control)

Tele2 (tele2), AS102, mobile
   target                             observed                                  should be                 by rule       kernel saw
✓  https://blocked.example/           ok                                        ok
✓  https://vk.example/                ok                                        ok (control)

outside, the vantage without a filter
   target                             observed                                  should be                 by rule       kernel saw
✓  https://vk.example/                ok                                        ok (control)
✓  https://blocked.example/           ok                                        ok
✓  https://slow.example/bytes/400000  ok, 212 Mbit/s                            ok

tls.sni.rst  reset after the ClientHello
throttle     works, or begins to, at a small part of the speed seen outside
kernel saw: packets of this target's flows that it dropped, rewrote, sent or held for the rule
note: did nothing, and no expectation names them: mts/tspu/grace
as expected: 8 of 8   FOLDER
"""  # noqa: E501


def lines(judgement, scenario, folder):
    found = text(judgement, scenario, folder).replace(str(folder), "FOLDER")
    return [line.rstrip() for line in found.splitlines()]


def test_a_run_as_expected(scenario, measurements, receipts, tmp_path):
    found = lines(judge(scenario, "on", measurements, receipts), scenario, tmp_path)
    assert found == EXPECTED.splitlines()


def test_a_run_that_is_not_as_expected(scenario, measurements, receipts, tmp_path):
    measurements[0] = fine(BLOCKED, "mts")
    found = lines(judge(scenario, "on", measurements, receipts), scenario, tmp_path)
    assert found[4].split() == ["✗", BLOCKED, "ok", "tls.sni.rst", "sni", "3", "packets"]
    assert found[-1] == "NOT as expected; agreeing: 7 of 8   FOLDER"


def test_an_invalid_run_names_its_causes(scenario, measurements, receipts, tmp_path):
    receipts["mts/tspu"]["rules"]["sni"] = counts()()
    receipts["mts/tspu"]["faults"] = 2
    found = lines(judge(scenario, "on", measurements, receipts), scenario, tmp_path)
    assert "0 packets; the censor claims 0" in found[4]
    none = "the censor claims 0, the kernel saw 0"
    assert f"✗ rule sni must fire at mts and has no receipt for {BLOCKED}: {none}" in found
    cause = "mts/tspu: faults = 2: an exception in the packet path"
    assert found[-1] == f"INVALID RUN: {cause} (and 1 more, above)   FOLDER"


def test_plain_text_has_no_colour_and_a_terminal_has(scenario, measurements, receipts, tmp_path):
    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self):
            return True

    judgement, screen = judge(scenario, "on", measurements, receipts), Terminal()
    show(judgement, scenario, tmp_path, file=screen)
    assert "\x1b" not in text(judgement, scenario, tmp_path)
    assert "\x1b[" in screen.getvalue()


def test_an_output_that_cannot_say_a_tick_gets_a_plus(scenario, measurements, receipts, tmp_path):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    show(judge(scenario, "on", measurements, receipts), scenario, tmp_path, file=out)
    out.flush()
    assert b"\n+  https://blocked.example/" in raw.getvalue()


@pytest.mark.parametrize(
    ("rate", "said"),
    [(0, "0 bit/s"), (640, "640 bit/s"), (1500, "1.5 kbit/s"), (138_000, "138 kbit/s"), (2e6, "2 Mbit/s"),
     (212.4e6, "212 Mbit/s"), (9.4e9, "9.4 Gbit/s")],
)  # fmt: skip
def test_bitrates(rate, said):
    assert bitrate(rate) == said


def test_ranges_of_rates():
    assert rate_range(130e3, 150e3) == "130-150 kbit/s"
    assert rate_range(500e3, 1.5e6) == "0.5-1.5 Mbit/s"


@pytest.mark.parametrize(
    ("row", "seen", "should_be"),
    [
        (Row("mts", "u", "expectation", "freeze", "freeze", "ok", received=15_360,
             expected_received=(12_288, 20_480)), "freeze after 15 kB", "freeze after 12 kB to 20 kB"),
        (Row("mts", "u", "expectation", "http.rst", "http.rst", "ok", tries=20, hits=11,
             expected_share=(0.3, 0.7)), "http.rst in 11 of 20", "http.rst in 30-70 %"),
        (Row("mts", "u", "expectation", "http.rst", "ok", "differs", tries=20, hits=0,
             expected_share=(0.3, 0.7)), "http.rst in 0 of 20", "http.rst in 30-70 %"),
        (Row("mts", "u", "expectation", "conncount", "tls.sni.drop", "ok", tries=6, hits=4,
             expected_share=(0.5, 0.9)), "tls.sni.drop in 4 of 6", "conncount in 50-90 %"),
        (Row("mts", "u", "expectation", "http.rst", "http.drop", "differs", tries=6, hits=4,
             stray="http.drop", expected_share=(0.5, 0.9)),
         "http.rst in 4 of 6, also http.drop", "http.rst in 50-90 %"),
    ],
)  # fmt: skip
def test_what_came_before_a_freeze_and_shares_of_tries(row, seen, should_be):
    assert (observed(row), expected(row)) == (seen, should_be)
