"""The kernel's side of a censor: putting the rules in, reading what they counted."""

import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.censor.handover import COUNTED, counter_name
from testbed.censor.policy import Policy
from testbed.errors import InvalidRunError, UnsupportedError
from testbed.middlebox import netfilter, ruleset
from testbed.middlebox.marks import Position
from testbed.world import linux
from testbed.world.queuerule import queue_in

_QUEUES = Path("/proc/self/net/netfilter/nfnetlink_queue")
FULL = {
    "held_full": "a rule's set of flows",
    "kept_full": "the set of flows that the core has taken",
    "waiting_full": "the set of flows of which a packet waits",
}
"""Counters of packets that met a full set, and whose flow may then be judged wrongly."""

_MOST_AT_ONCE = 40_000  # characters of rules; twice as many overflow an ordinary user's netlink socket


@dataclass(frozen=True, slots=True)
class QueueLosses:
    """Packets the kernel could not ask about."""

    queue_dropped: int  # more waited for a verdict than the queue may hold
    user_dropped: int  # the socket's buffer was full
    undecided: int  # waited for a verdict when the censor stopped


def install(policy: Policy, time_scale: float, queue: int, position: Position = ruleset.ALONE) -> None:
    """Put a censor's rules into the current network namespace, those of a hop's several ones in any order.

    Errors: UnsupportedError if a program is missing or the kernel refuses.
    """
    nft = [linux.program("nft", "nftables"), "-f", "-"]
    script = ruleset.BASE + (ruleset.segments(position.present) if position.count > 1 else "")
    for piece in ruleset.pieces(policy, time_scale, position):
        if len(script) + len(piece) > _MOST_AT_ONCE:
            _feed(nft, script)
            script = ""
        script += piece
    _feed(nft, script)
    queue_in(ruleset.queueing(queue, position))


def remove(
    leaving: Sequence[tuple[Policy, Position]], staying: Sequence[int] = (), time_scale: float = 1.0
) -> None:
    """Take the rules of some censors of a hop out of the current network namespace.

    `staying`: the places of the others, from the subscriber outwards. Where there are none, packets then pass
    as by a plain router.

    Errors: InvalidRunError if the kernel refuses.
    """
    _change(ruleset.removal(leaving, staying, time_scale), "removing the rules of a censor")


def forget(policy: Policy, seconds: float, time_scale: float, position: Position = ruleset.ALONE) -> None:
    """Empty a censor's sets of flows whose time is over once `seconds` of its clock have gone by.

    Errors: InvalidRunError if the kernel refuses.
    """
    _change(ruleset.forgetting(policy, seconds, time_scale, position), "flows that time has run out for")


def _change(script: str, what: str) -> None:
    command = [linux.program("nft", "nftables"), "-f", "-"]
    done = subprocess.run(command, input=script, capture_output=True, check=False, text=True)
    if done.returncode:
        raise InvalidRunError(f"{what}: nft: {done.stderr.strip()}")


def counters(policy: Policy, position: Position = ruleset.ALONE) -> Counter[str]:
    """Packets seen by every counter of a censor, by name without its prefix, both IP versions together.

    Errors: InvalidRunError if one is missing: somebody has changed the rule set, and 0 would be a guess.
    """
    mine = ruleset.prefix(position)
    names = ["pass_full", "held_full"]
    if policy.triggered_by_data:
        names += ["kept_full", "waiting_full"]
    names += [counter_name(what, rule) for rule in range(len(policy.rules)) for what in COUNTED]
    total: Counter[str] = Counter()
    for family in ruleset.FAMILIES:
        found = netfilter.counters(*family.names)
        for name in names:
            if mine + name not in found:
                raise InvalidRunError(
                    f"the counter {mine}{name} of table {family.table} is gone: the rules of the censor "
                    "were removed during the run"
                )
            total[name] += found[mine + name]
    return total


def acted(rules: int, position: Position = ruleset.ALONE) -> list[dict[bytes, int]]:
    """For each rule, packets that left changed or forged, or did not leave, by `acts.wire_key`."""
    mine = ruleset.prefix(position)
    found: list[dict[bytes, int]] = [{} for _ in range(rules)]
    for family in ruleset.FAMILIES:
        for rule in range(rules):
            name = mine + ruleset.acted_name(rule)
            found[rule] |= netfilter.counted_elements(*family.names, name)
    return found


def queue_losses(queue: int) -> QueueLosses:
    """What queue number `queue` of this namespace lost; it must still be bound.

    The columns are those of the kernel's net/netfilter/nfnetlink_queue.c, seq_show.
    """
    for line in _QUEUES.read_text(encoding="ascii").splitlines():
        columns = line.split()
        if int(columns[0]) == queue:
            return QueueLosses(
                queue_dropped=int(columns[5]), user_dropped=int(columns[6]), undecided=int(columns[2])
            )
    raise InvalidRunError(f"{_QUEUES}: queue {queue} is not bound; packets may have been lost unseen")


def _feed(command: list[str], script: str) -> None:
    done = subprocess.run(command, input=script, capture_output=True, check=False, text=True)
    if done.returncode:
        raise UnsupportedError(
            f"{' '.join(command)}: the censor's rules were refused: {done.stderr.strip()}; "
            "they need nf_tables sets, limits and counters (see testbed doctor)"
        )
