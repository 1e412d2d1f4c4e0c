"""Techniques whose decisions cannot be carried out are refused by `check`, by name, before any run."""

import pytest

from testbed.censor.actions import ACTIONS
from testbed.censor.profiles import PROFILES
from testbed.censor.rehearsal import rehearse
from tests.fuzz.box import action
from tests.scenario.conftest import Desk

HEAD = """\
from dataclasses import dataclass
from typing import ClassVar

from testbed.censor.actions.base import Action
from testbed.censor.decision import PASS, Decision, Verdict
from testbed.censor.handover import PASS_ON, Drop, Police


@dataclass(frozen=True, slots=True)
class Mine(Action[None]):
    key: ClassVar[str] = "mine"

    def holds_for(self, profile):
        return 10.0
"""

REFUSED = {  # the rest of the class -> what check says
    "hands over what it does not declare": (
        "    def on_match(self, ctx):\n        return Decision(Verdict.DROP, handover=Drop(10.0))\n",
        "the action Mine of rule 'rehearsal' hands over Drop(timeout=10.0, refresh=False), which its",
    ),
    "declares one time and hands over another": (
        """\
    def handovers(self, profile):
        return (Drop(10.0),)
    def on_match(self, ctx):
        return Decision(Verdict.DROP, handover=Drop(20.0))
""",
        "hands over Drop(timeout=20.0, refresh=False), which its handovers() does not declare",
    ),
    "polices without saying so": (
        "    def on_packet(self, ctx):\n        return Decision(handover=Police(8000, 1000, 10.0))\n",
        "hands over Police(rate=8000, burst=1000, idle=10.0, per='flow', direction='both')",
    ),
    "declares no values": (
        "    def handovers(self, profile):\n        return ('drop',)\n",
        "declares the handovers ('drop',), not a tuple of Drop and Police",
    ),
    "declares too much": (
        "    def handovers(self, profile):\n        return tuple(Drop(n) for n in range(1, 8))\n",
        "declares 7 handovers; there is room for 6",
    ),
    "a time that means nothing": (
        "    def handovers(self, profile):\n        return (Drop(0.0),)\n",
        "Drop: a timeout of 0.0 s; give more than 0",
    ),
    "replaces by nothing": (
        "    def on_packet(self, ctx):\n        return Decision(Verdict.REPLACE, b'')\n",
        "replaces a packet by 0 bytes",
    ),
    "replaces by too much": (
        "    def on_packet(self, ctx):\n        return Decision(Verdict.REPLACE, bytes(70_000))\n",
        "replaces a packet by 70000 bytes",
    ),
    "answers nothing": (
        "    def on_packet(self, ctx):\n        ctx.packet.payload\n",
        "answers None, not a Decision",
    ),
    "raises on a later packet": (
        "    def on_packet(self, ctx):\n        return {}['later']\n",
        "mine.py:16 fails: KeyError: 'later'",
    ),
    "raises on what comes from outside": (
        "    def on_packet(self, ctx):\n        assert ctx.direction == 0\n        return PASS\n",
        "mine.py:16 fails: AssertionError: ",
    ),
}


@pytest.mark.parametrize("how", REFUSED)
def test_is_refused_by_name(desk: Desk, how: str) -> None:
    rest, said = REFUSED[how]
    (desk.folder / "mine.py").write_text(HEAD + rest)
    desk.rule("{tls.sni: a.com}", "{mine.py:Mine: {}}")
    problem = desk.problem()
    assert said in f"{problem.message}; {problem.remedy}"


ACCEPTED = {
    "nothing at all": "",
    "what it declares": (
        "    def handovers(self, profile):\n        return (Drop(10.0), Police(8000, 1000, 10.0))\n"
        "    def on_match(self, ctx):\n        return Decision(handover=self.handovers(ctx.profile)[1])\n"
    ),
    "Pass need not be declared": "    def on_match(self, ctx):\n        return Decision(handover=PASS_ON)\n",
    "a replacement equal to its packet": (
        "    def on_packet(self, ctx):\n        return Decision(Verdict.REPLACE, ctx.packet.raw)\n"
    ),
    "no rule named": "    def on_packet(self, ctx):\n        return Decision(Verdict.DROP)\n",
}


@pytest.mark.parametrize("how", ACCEPTED)
def test_is_accepted(desk: Desk, how: str) -> None:
    (desk.folder / "mine.py").write_text(HEAD + ACCEPTED[how])
    desk.rule("{tls.sni: a.com}", "{mine.py:Mine: {}}")
    desk.load()


@pytest.mark.parametrize("profile", ["t22", "leg-passive", "outage"])
@pytest.mark.parametrize("key", ACTIONS)
def test_our_own_pass_it(key: str, profile: str) -> None:
    rehearse(action(key), PROFILES[profile])
