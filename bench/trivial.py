"""The least that a censor in Python can be: a loop that passes each packet unread.

It gets what a censor gets whom no packet may pass by: each connection's packets up to the first with data,
after which the kernel passes the connection.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from netfilterqueue import NetfilterQueue, Packet

from bench.rig import FREE, GRACE, HOP, Rig
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.decision import Decision
from testbed.censor.handover import PASS_ON
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from testbed.middlebox import kernel
from testbed.middlebox.marks import Marks
from testbed.middlebox.ruleset import ALONE
from testbed.world import linux
from testbed.world.children import run_program
from testbed.world.netns import inside

PLACE = f"{FREE}.hop{HOP}"  # of the path that has no censor
_QUEUE = 1
_WITH_DATA = 100  # bytes, our choice: packets that are larger carry some
_BY_HEADER = Match(ports=(1,))  # which nobody uses; so that every packet comes


@contextmanager
def trivial_loop(rig: Rig) -> Iterator[None]:
    """It runs at `PLACE`, which has no rules afterwards, as before."""
    rig.changed.add(PLACE)
    reading, writing = os.pipe()
    loop = rig.start(PLACE, lambda: _pass_all(writing))
    os.close(writing)
    began = os.read(reading, 1)
    os.close(reading)
    if not began:
        loop.result(GRACE)  # raises what went wrong
    try:
        yield
    finally:
        loop.kill()
        with inside(rig.laboratory.world.namespaces[PLACE]):
            run_program([linux.program("nft", "nftables"), "flush", "ruleset"], "the trivial loop's rules")


def _pass_all(ready: int) -> NoReturn:
    policy = Policy("trivial", PROFILES["t22"], (Rule("none", _BY_HEADER, SilentDrop(scope="packet")),))
    handed_over = Marks(policy, ALONE).verdict(Decision(handover=PASS_ON))

    def on_packet(packet: Packet) -> None:
        if packet.get_payload_len() < _WITH_DATA:
            packet.accept()
        else:
            packet.set_mark(handed_over)
            packet.repeat()

    queue = NetfilterQueue()
    queue.bind(_QUEUE, on_packet)
    kernel.install(policy, 1.0, _QUEUE)
    os.write(ready, b".")
    queue.run()
    raise AssertionError("it runs until it is killed")
