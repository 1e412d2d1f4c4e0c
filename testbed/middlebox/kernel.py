"""The kernel's side of a censor: putting the rules in, reading what they counted."""

import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from testbed.censor.policy import Policy
from testbed.errors import InvalidRunError, UnsupportedError
from testbed.middlebox import ruleset
from testbed.world import linux

_QUEUES = Path("/proc/self/net/netfilter/nfnetlink_queue")
_MOST_AT_ONCE = 40_000  # characters of rules; twice as many overflow an ordinary user's netlink socket


@dataclass(frozen=True, slots=True)
class QueueLosses:
    """Packets the kernel could not ask about."""

    queue_dropped: int  # more waited for a verdict than the queue may hold
    user_dropped: int  # the socket's buffer was full


def install(policy: Policy, time_scale: float, queue: int) -> None:
    """Put the policy's table and the queue rules into the current network namespace.

    Errors: UnsupportedError if a program is missing or the kernel refuses.
    """
    for digit in ("", "6"):
        _feed([*_xtables(digit), "--noflush"], ruleset.queueing(queue))
    nft = [linux.program("nft", "nftables"), "-f", "-"]
    script = ""
    for piece in ruleset.pieces(policy, time_scale):
        if len(script) + len(piece) > _MOST_AT_ONCE:
            _feed(nft, script)
            script = ""
        script += piece
    _feed(nft, script)


def remove(policy: Policy, time_scale: float) -> None:
    """Take out of the current network namespace what `install` put in: packets pass as by a plain router.

    Errors: InvalidRunError if the kernel refuses.
    """
    command = [linux.program("nft", "nftables"), "-f", "-"]
    script = ruleset.removal(policy, time_scale)
    done = subprocess.run(command, input=script, capture_output=True, check=False, text=True)
    if done.returncode:
        raise InvalidRunError(f"removing the rules of a censor: nft: {done.stderr.strip()}")


def counters() -> Counter[str]:
    """Packets seen by every counter of the censor, by name, both IP versions together."""
    command = [linux.program("nft", "nftables"), "-j", "list", "counters"]
    listed = subprocess.run(command, capture_output=True, check=False, text=True)
    if listed.returncode:
        raise InvalidRunError(f"{' '.join(command)}: {listed.stderr.strip()}; what was done cannot be proven")
    total: Counter[str] = Counter()
    for entry in json.loads(listed.stdout)["nftables"]:
        if "counter" in entry:
            total[entry["counter"]["name"]] += entry["counter"]["packets"]
    return total


def queue_losses(queue: int) -> QueueLosses:
    """What queue number `queue` of this namespace lost; it must still be bound.

    The columns are those of the kernel's net/netfilter/nfnetlink_queue.c, seq_show.
    """
    for line in _QUEUES.read_text(encoding="ascii").splitlines():
        columns = line.split()
        if int(columns[0]) == queue:
            return QueueLosses(queue_dropped=int(columns[5]), user_dropped=int(columns[6]))
    raise InvalidRunError(f"{_QUEUES}: queue {queue} is not bound; packets may have been lost unseen")


def _xtables(digit: str) -> list[str]:
    """The restore program that speaks nf_tables: `-nft` by name, or the plain one where it is the same."""
    try:
        return [linux.program(f"ip{digit}tables-nft-restore", "iptables")]
    except UnsupportedError:
        plain = linux.program(f"ip{digit}tables-restore", "iptables")
    version = subprocess.run([plain, "--version"], capture_output=True, check=False, text=True).stdout
    if "nf_tables" not in version:
        raise UnsupportedError(
            f"{plain} is of the legacy kind ({version.strip() or 'no version'}) and cannot "
            f"queue packets beside nftables; install ip{digit}tables-nft: apt-get install iptables"
        )
    return [plain]


def _feed(command: list[str], script: str) -> None:
    done = subprocess.run(command, input=script, capture_output=True, check=False, text=True)
    if done.returncode:
        raise UnsupportedError(
            f"{' '.join(command)}: the censor's rules were refused: {done.stderr.strip()}; "
            "they need nf_tables sets, limits and counters, xtables' NFQUEUE and mark (see testbed doctor)"
        )
