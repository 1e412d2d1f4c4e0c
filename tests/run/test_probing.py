"""What a busy machine makes of a run of the built-in probe."""

from dataclasses import replace

import pytest

from testbed.errors import Exit
from testbed.run.probing import under
from testbed.truth.judge import Judgement, Row
from testbed.world.pressure import Pressure

BUSY = Pressure(seconds=17.0, latest=0.37, late=0.6, waiting=1.0, runnable=24.7)
ROW = Row("mts", "https://x/", "expectation", "ok", "ok", "ok")
FINE = Judgement("s", "p", (ROW,))
DIFFERS = Judgement("s", "p", (replace(ROW, observed="tls.sni.rst", verdict="differs"),))


def test_a_busy_machine_makes_what_differs_invalid():
    found = under(BUSY, DIFFERS)
    assert found.problems == (f"{BUSY}; repeat it alone",)
    assert not found.valid


@pytest.mark.parametrize("pressure", [replace(BUSY, latest=0.03, late=0.08), None])
def test_on_another_machine_it_differs(pressure):
    assert under(pressure, DIFFERS) == DIFFERS


def test_what_is_as_expected_all_the_same_is_valid():
    found = under(BUSY, FINE)
    assert (found.valid, found.notes) == (True, (f"{BUSY}; the verdict holds all the same",))


def test_another_rule_than_expected_is_not_the_machines_doing():
    wrong = Judgement("s", "p", (replace(ROW, verdict="differs", by="one", others=("mts/box/other",)),))
    found = under(BUSY, wrong)
    assert (found.valid, found.exit_status) == (True, Exit.UNEXPECTED)
