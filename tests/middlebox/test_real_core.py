"""The real core behind the real kernel: `serve_censor` as a run calls it."""

import json
import socket
import time
from functools import partial

import pytest

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.grace_drop import GraceDrop
from testbed.censor.actions.policer import Policer
from testbed.censor.actions.rst import InjectRst
from testbed.censor.actions.rst_rewrite import RewriteRst
from testbed.censor.actions.shape import Shape
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.names import NameList
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from testbed.middlebox.loop import serve_censor
from testbed.model import Placement
from testbed.world.children import Children
from testbed.world.enter import isolated_call
from tests.censor.line import hello
from tests.middlebox.lab import CLIENT, FAMILY, PORT, SERVER, Lab, echo

pytestmark = pytest.mark.world

RATE = 40_000.0  # bit/s: the volume takes three seconds
VOLUME = 20_000  # bytes, echoed: both directions


def talk(family, name):
    """Say hello for a name to the echo server, then `VOLUME` bytes; what the client sees, and seconds."""
    start = time.monotonic()
    with socket.socket(FAMILY[family], socket.SOCK_STREAM) as sock:
        sock.bind((CLIENT[family], 0))
        sock.settimeout(0.7)
        sock.connect((SERVER[family], PORT))
        greeting = hello(name)
        try:
            sock.sendall(greeting)
            left = len(greeting)
            while left:
                left -= len(sock.recv(left)) or left
            sock.settimeout(6)
            for piece in range(0, VOLUME, 1000):
                sock.sendall(bytes(1000))
                left = 1000
                while left:
                    left -= len(sock.recv(left))
                if time.monotonic() - start > 1.5:
                    return f"slow after {piece}", time.monotonic() - start
        except ConnectionResetError:
            return "reset", time.monotonic() - start
        except TimeoutError:
            return "silence", time.monotonic() - start
        return "ok", time.monotonic() - start


def run(action, family, names):
    """A new world with one rule for *x.com; what happened to each name, in order, and the receipt."""
    rule = Rule("rule", Match(tls_sni=NameList(("x.com",))), action)
    placement = Placement("lab", Policy("tspu", PROFILES["t22"], (rule,)))

    def body():
        lab = Lab()
        echo(lab)
        serve = partial(serve_censor, placement, 1, lab.run_dir, time.monotonic(), 1.0)
        with Children(lab.run_dir / "logs") as children:
            children.spawn("censor", serve, lab.ns["hop"])
            children.wait_ready(30)
            seen = [lab.fork("client", lambda name=name: talk(family, name)).result() for name in names]
        events = [json.loads(line) for line in (lab.run_dir / "events.jsonl").read_text().splitlines()]
        return seen, json.loads((lab.run_dir / "receipts" / "lab.tspu.json").read_text()), events

    return isolated_call(body)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(
    ("action", "outcome", "receipt"),
    [
        (SilentDrop(), "silence", "drop"),
        (RewriteRst(), "reset", "replace"),
        (InjectRst(to="both"), "reset", "inject"),
        (Policer(rate=RATE, burst=4000), "slow", "policed_drop"),
        (Shape(rate=RATE), "slow", "delay"),
        (GraceDrop(packets=(5, 8)), "silence", "drop"),
        (Allow(), "ok", None),
    ],
    ids=lambda value: getattr(value, "key", None),
)
def test_a_listed_name_is_interfered_with_and_another_is_not(family, action, outcome, receipt):
    ((listed, took), (other, quick)), written, events = run(action, family, ["x.com", "y.com"])
    assert listed.split()[0] == outcome or (outcome == "slow" and took > 1.0 > quick), (listed, took)
    assert (other, quick < 1) == ("ok", True)
    assert written["faults"] == written["queue_dropped"] == written["user_dropped"] == 0
    counts = written["rules"]["rule"]
    assert counts["claimed"].items() <= counts["kernel"].items()
    assert [event["rule"] for event in events if event["kind"] == "match"] == ["rule"]
    if receipt:
        assert counts["kernel"][receipt] > 0
    else:
        assert not any(counts["kernel"].values())
