"""Expectations about several tries, and about how much comes before a freeze."""

from dataclasses import replace

import pytest

from testbed.errors import Exit
from testbed.truth.judge import judge

from .conftest import BLOCKED, SLOW
from .timelines import fine, measured


def hit():
    return measured(BLOCKED, "mts", dns=None, tcp=None, tls="connection_reset")


def expecting(scenario, url, **changes):
    """The scenario with a changed expectation for `url` from mts."""
    expect = tuple(
        replace(e, **changes) if (e.vantage, e.target.url) == ("mts", url) else e for e in scenario.expect
    )
    return replace(scenario, expect=expect)


def tried(measurements, *new):
    return [one for one in measurements if (one.vantage, one.target) != ("mts", BLOCKED)] + list(new)


@pytest.mark.parametrize(
    ("hits", "free", "share", "verdict"),
    [
        (5, 5, (0.3, 0.7), "ok"),
        (3, 7, (0.3, 0.7), "ok"),
        (7, 3, (0.3, 0.7), "ok"),
        (2, 8, (0.3, 0.7), "differs"),
        (8, 2, (0.3, 0.7), "differs"),
        (10, 0, (1.0, 1.0), "ok"),
        (9, 1, (1.0, 1.0), "differs"),
    ],
)
def test_a_share_of_the_tries(scenario, measurements, receipts, hits, free, share, verdict):
    changed = expecting(scenario, BLOCKED, tries=10, share=share)
    made = tried(measurements, *[hit()] * hits, *[fine(BLOCKED, "mts")] * free)
    found = judge(changed, "on", made, receipts)
    (row,) = [row for row in found.rows if (row.vantage, row.target) == ("mts", BLOCKED)]
    assert (row.hits, row.tries, row.trial, row.verdict) == (hits, 10, None, verdict)
    assert found.problems == ()
    assert found.exit_status is (Exit.OK if verdict == "ok" else Exit.UNEXPECTED)


def test_a_try_with_a_third_outcome_differs(scenario, measurements, receipts):
    changed = expecting(scenario, BLOCKED, tries=10, share=(0.1, 1.0))
    silent = measured(BLOCKED, "mts", dns=None, tcp=None, tls="generic_timeout_error")
    found = judge(changed, "on", tried(measurements, *[hit()] * 9, silent), receipts)
    (row,) = [row for row in found.rows if (row.vantage, row.target) == ("mts", BLOCKED)]
    assert (row.hits, row.stray, row.verdict) == (9, "tls.sni.drop", "differs")


def test_without_a_share_every_try_counts(scenario, measurements, receipts):
    changed = expecting(scenario, BLOCKED, tries=2)
    found = judge(changed, "on", tried(measurements, hit(), fine(BLOCKED, "mts")), receipts)
    rows = [row for row in found.rows if (row.vantage, row.target) == ("mts", BLOCKED)]
    assert [(row.trial, row.verdict) for row in rows] == [(1, "ok"), (2, "differs")]


FROZEN = {"dns": None, "tcp": None, "tls": None, "http": "generic_timeout_error", "end": 4.3}
BEGUN = {"body": "<title>Site</title>"}


@pytest.mark.parametrize(
    ("seen", "limits", "verdict"),
    [
        (measured(SLOW, "mts", **FROZEN, page=BEGUN, reads=[0.1, 0.2, 0.3]), (1000, 2000), "ok"),
        (measured(SLOW, "mts", **FROZEN, page=BEGUN, reads=[0.1, 0.2, 0.3]), None, "ok"),
        (measured(SLOW, "mts", **FROZEN, page=BEGUN, reads=[0.1, 0.2, 0.3]), (2000, 3000), "differs"),
        (measured(SLOW, "mts", **FROZEN), (1000, 2000), "differs"),  # nothing came at all
        (fine(SLOW, "mts"), (1000, 2000), "differs"),
    ],
)
def test_a_freeze_after_so_many_bytes(scenario, measurements, receipts, seen, limits, verdict):
    changed = expecting(scenario, SLOW, outcome="freeze", rate=None, received=limits)
    made = [one for one in measurements if (one.vantage, one.target) != ("mts", SLOW)]
    (row,) = [
        row for row in judge(changed, "on", [*made, seen], receipts).rows
        if (row.vantage, row.target) == ("mts", SLOW)
    ]  # fmt: skip
    assert (row.received, row.verdict) == (500 * len(seen.test_keys.network_events), verdict)


@pytest.mark.parametrize("cause", ["quic.sni.drop", "vpn.drop", "conncount"])
def test_a_cause_is_seen_as_what_a_measurement_shows(scenario, measurements, receipts, cause):
    """The rule must have acted all the same."""
    silent = {
        "quic.sni.drop": measured(BLOCKED, "mts", dns=None, quic="generic_timeout_error"),
        "vpn.drop": measured(BLOCKED, "mts", dns=None, tcp="generic_timeout_error"),
        "conncount": measured(BLOCKED, "mts", dns=None, tcp=None, tls="generic_timeout_error"),
    }[cause]
    changed = expecting(scenario, BLOCKED, outcome=cause)
    found = judge(changed, "on", tried(measurements, silent), receipts)
    assert [row.verdict for row in found.rows if (row.vantage, row.target) == ("mts", BLOCKED)] == ["ok"]
    alone = judge(changed, "on", tried(measurements, silent), {})
    assert alone.exit_status is Exit.INVALID
    working = judge(changed, "on", tried(measurements, fine(BLOCKED, "mts")), receipts)
    assert working.exit_status is Exit.UNEXPECTED
