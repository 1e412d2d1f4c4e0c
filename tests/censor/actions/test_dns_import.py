"""What forging answers costs at the start: only who forges imports dnspython, and in time."""

import subprocess
import sys


def test_dnspython_is_loaded_before_the_first_packet_and_by_liars_alone() -> None:
    """A lie that waits for an import comes after the truth."""
    code = """
import sys
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.actions.dns import DnsLie
from testbed.censor.core import Censor
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
for action in (SilentDrop(), DnsLie()):
    Censor(Policy("p", PROFILES["t22"], (Rule("r", Match(), action),)), 1)
    print("dns.message" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
