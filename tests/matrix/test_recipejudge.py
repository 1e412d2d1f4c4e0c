"""What a recipe came to, as a try of the matrix."""

from dataclasses import replace

import pytest

from testbed.matrix.cell import Ending
from testbed.matrix.recipejudge import recipe_try
from testbed.truth.toolrun import ToolRun
from testbed.truth.wayjudge import WayRow

BLOCKED = WayRow(
    *("tool", "tool", "mts", "https://x.example/"), "", "tls.sni.rst", "tls.sni.rst", "ok", "differs",
    ("mts/box/name",), packet="517 bytes at 0",
)  # fmt: skip
THROUGH = replace(BLOCKED, observed="ok", verdict="ok", acted=(), packet="")
CASES = {
    "blocked": BLOCKED,
    "degraded": replace(BLOCKED, observed="throttle"),
    "through": replace(THROUGH, passed="its ClientHello came in 2 segments"),
    "unseen": THROUGH,
    "unexplained": replace(THROUGH, observed="timeout", verdict="differs"),
    "invalid": replace(THROUGH, direct="ok", verdict="not needed"),
    "broken": replace(THROUGH, free="timeout", verdict="broken by itself"),
    "skipped": replace(THROUGH, verdict="skipped", why="mytool is not installed"),
    "crash": replace(THROUGH, verdict="broken by itself", tool=ToolRun("crash", "status 7"), why="status 7"),
    "hang": replace(THROUGH, verdict="broken by itself", tool=ToolRun("hang"), why="not ready after 2 s"),
    "other port": replace(THROUGH, verdict="broken by itself", tool=ToolRun("other port"), why="it listens"),
    "flood": replace(THROUGH, tool=ToolRun(packets=60_000)),
    "left-overs": replace(THROUGH, tool=ToolRun(processes=("daemon",))),
    "resolv.conf": replace(THROUGH, tool=ToolRun(resolvers="nameserver 127.0.0.1")),
}


@pytest.mark.parametrize("ending", CASES)
def test_each_outcome_with_its_reason(ending):
    made = recipe_try(CASES[ending])
    assert made.ending.value == ending
    assert made.reason or made.rule


def test_through_unnoticed_and_a_tunnel():
    """What reached the server itself had the name, in whatever form; what went elsewhere did not show it."""
    assert recipe_try(replace(THROUGH, answered=1)).ending is Ending.THROUGH
    assert recipe_try(replace(THROUGH, answered=0)).ending is Ending.UNSEEN


def test_the_packet_and_the_rule():
    made = recipe_try(BLOCKED)
    assert (made.rule, made.packet, made.reason) == ("name", "517 bytes at 0", "tls.sni.rst")


def test_the_words_of_a_client_of_its_own():
    """A box's failure in them; a client that never ended, with nothing in its way, hangs."""
    failed = recipe_try(replace(BLOCKED, observed="failed", why="chromium: ERR_CONNECTION_RESET"))
    stuck = replace(THROUGH, free="no end", verdict="broken by itself", why="had not ended after 10 s")
    assert (failed.ending, failed.reason) == (Ending.BLOCKED, "chromium: ERR_CONNECTION_RESET")
    assert (recipe_try(stuck).ending, recipe_try(stuck).reason) == (Ending.HANG, "had not ended after 10 s")


def test_every_ending_of_a_recipe_is_a_case():
    assert {*CASES} == {one.value for one in Ending}
