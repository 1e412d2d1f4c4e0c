"""Scenarios as boxes: one for each phase that blocks a name over TLS, with that name."""

import pytest

from testbed.errors import InputError
from testbed.matrix.cell import Ending
from testbed.matrix.kepttries import kept_tries
from testbed.matrix.livecells import live_cells, live_row
from testbed.matrix.purecells import pure_cell
from testbed.matrix.reference import row
from testbed.matrix.scenarioboxes import boxes_named

TWO = ("twitter-throttling-2021", "twitter-facebook-block-2022-03")


def test_a_box_for_each_phase():
    boxes = boxes_named([*TWO, "R"])
    assert [(box.key, box.name) for box in boxes if box.key != "R"] == [
        ("twitter-throttling-2021:exact", "abs.twimg.com"),
        ("twitter-throttling-2021:substring", "abs.twimg.com"),
        ("twitter-throttling-2021:suffix", "abs.twimg.com"),
        ("twitter-throttling-2021:mobile-only", "abs.twimg.com"),
        ("twitter-facebook-block-2022-03:block", "twitter.com"),
        ("twitter-facebook-block-2022-03:instagram", "twitter.com"),
        ("twitter-facebook-block-2022-03:quic-drafts", "twitter.com"),
        ("twitter-facebook-block-2022-03:quic-by-name", "twitter.com"),
    ]
    assert boxes[-1].key == "R"


def test_a_policer_and_a_reset_of_scenarios():
    slow, reset = (boxes_named([name])[0] for name in TWO)
    assert (pure_cell(row(""), slow).ending, pure_cell(row(""), reset).ending) == (
        Ending.DEGRADED,
        Ending.BLOCKED,
    )
    assert {pure_cell(row("segments:name"), box).ending for box in (slow, reset)} == {Ending.THROUGH}


def test_a_freeze_by_address():
    """The box looks at the server's address: no form of the hello helps against it."""
    (box, _) = boxes_named(["freeze-16kb-2025"])
    cells = [pure_cell(row(text), box) for text in ("", "segments:name", "records:name", "padded")]
    assert {(cell.ending, cell.decided.rule) for cell in cells} == {(Ending.BLOCKED, "frozen-16k")}


def test_a_scenario_without_such_a_box():
    with pytest.raises(InputError, match="no phase of free-network blocks a name over TLS"):
        boxes_named(["free-network"])


@pytest.mark.world
def test_live():
    boxes = [boxes_named([name])[0] for name in TWO]
    rows = [made for text in ("", "segments:name") if not isinstance(made := live_row(text), str)]
    with kept_tries(None) as kept:
        found = {(cell.tool, cell.box): cell.ending for cell in live_cells(rows, boxes, 1, kept)}
    assert found == {
        ("plain", "twitter-throttling-2021:exact"): Ending.DEGRADED,
        ("segments:name", "twitter-throttling-2021:exact"): Ending.THROUGH,
        ("plain", "twitter-facebook-block-2022-03:block"): Ending.BLOCKED,
        ("segments:name", "twitter-facebook-block-2022-03:block"): Ending.THROUGH,
    }
