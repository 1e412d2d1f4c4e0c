"""What a tool leaves on the subscriber's machine: found by comparison, and removed.

Rules of the firewall, routes, devices and processes of one network namespace, before and after.
"""

import os
import signal
import subprocess
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Final

from testbed.errors import InvalidRunError
from testbed.truth.toolrun import ToolRun
from testbed.world.children import call, run_program
from testbed.world.netns import Namespace

_LISTS: Final = tuple((f"-{ipv}", what) for ipv in (4, 6) for what in ("rule", "route show table all"))
_IPSET: Final = "ipset"
_LEGACY: Final = "tables-legacy"
_OWN_LINES: Final = ("table local", "multicast", "fe80::/64", "proto kernel")  # come and go with devices


class StillThereError(InvalidRunError):
    """Something that a tool left at a machine of the world cannot be removed: the world is invalid."""


@dataclass(frozen=True, slots=True)
class MachineState:
    """What a tool may change, and what it sends."""

    chains: frozenset[str]  # "ip nat OUTPUT (1 rule)", and "ipset NAME"
    routing: frozenset[tuple[str, str, str]]  # "-4", "rule", a line of ip(8)
    devices: frozenset[str]
    processes: frozenset[int]
    sent: int  # packets

    def same_as(self, other: "MachineState") -> bool:
        """Whether nothing is left of what happened in between."""
        return self._lasting() == other._lasting()

    def _lasting(self) -> tuple[frozenset[object], ...]:
        chains = frozenset(one for one in self.chains if _LEGACY not in one)  # a table that is emptied stays
        return chains, self.routing, self.devices, self.processes


def machine_state(namespace: Namespace) -> MachineState:
    """It, as it is now."""
    chains, routing, devices, sent = call(_seen, namespace=namespace, name="looking at a subscriber")
    return MachineState(chains, routing, devices, frozenset(_processes(namespace)), sent)


def cleaned(namespace: Namespace, before: MachineState, tool: str) -> ToolRun:
    """What `tool` has left since `before`; it is removed. StillThereError if something cannot be."""
    after = machine_state(namespace)
    left = after.processes - before.processes
    names = tuple(sorted({_name(pid) for pid in left}))
    if not after.same_as(before):
        _end(left)
        call(lambda: _restore(before, after), namespace=namespace, name=f"cleaning up after {tool}")
        if not (now := machine_state(namespace)).same_as(before):
            raise StillThereError(
                f"what {tool} left at {namespace.name} cannot be removed: {_what(before, now)}"
            )
    return ToolRun(
        packets=after.sent - before.sent,
        rules=tuple(sorted(after.chains - before.chains)),
        processes=names,
        routes=_routes(before, after),
    )


def _what(before: MachineState, now: MachineState) -> str:
    found = [*(now.chains ^ before.chains), *_routes(before, now)]
    return ", ".join([*found, *(_name(pid) for pid in now.processes - before.processes)])


def _routes(before: MachineState, after: MachineState) -> tuple[str, ...]:
    more = [line for _, _, line in after.routing - before.routing]
    gone = [f"without {line}" for _, _, line in before.routing - after.routing]
    devices = [f"device {name}" for name in after.devices - before.devices]
    return tuple(sorted([*more, *gone, *devices]))


def _seen() -> tuple[frozenset[str], frozenset[tuple[str, str, str]], frozenset[str], int]:
    from testbed.middlebox import netfilter

    routing = {(ipv, what, line) for ipv, what in _LISTS for line in _lines(ipv, what)}
    counted = [line.split() for line in Path("/proc/thread-self/net/dev").read_text("ascii").splitlines()[2:]]
    sent = sum(int(columns[10]) for columns in counted if columns[0] != "lo:")
    devices = frozenset(columns[0].rstrip(":") for columns in counted)
    return frozenset((*netfilter.described(), *_address_sets())), frozenset(routing), devices, sent


def _address_sets() -> list[str]:
    """The ipsets, where there is a program that can have made some."""
    if not which(_IPSET):
        return []
    names = subprocess.run([_IPSET, "-n", "list"], capture_output=True, text=True, check=False).stdout
    return [f"{_IPSET} {name}" for name in names.splitlines()]


def _lines(ipv: str, what: str) -> Iterator[str]:
    kind, *further = what.split()
    for line in run_program(["ip", ipv, kind, *further], "routes").splitlines():
        text = " ".join(line.split())
        if text and not any(own in text for own in _OWN_LINES):
            yield text


def _processes(namespace: Namespace) -> Iterator[int]:
    here = os.fstat(namespace.fd).st_ino
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if (process / "ns/net").stat().st_ino == here:
                yield int(process.name)


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()
    return "a process that has ended"


def _end(processes: Collection[int]) -> None:
    ends = []
    for pid in processes:
        with suppress(ProcessLookupError):
            ends.append(os.pidfd_open(pid))
    for end in ends:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(end, signal.SIGKILL)
    _await(ends)


def _await(ends: Sequence[int]) -> None:
    from testbed.world import interrupt

    waiting = list(ends)
    while waiting:
        ended = interrupt.wait(waiting, 5.0, interruptible=False)
        for end in ended or waiting:
            os.close(end)
        waiting = [end for end in waiting if end not in ended] if ended else []


def _restore(before: MachineState, after: MachineState) -> None:
    """Undo what can be. What fails shows in the comparison afterwards."""
    if after.chains != before.chains:
        _try(["nft", "flush", "ruleset"])
        for chain in after.chains - before.chains:
            if chain.startswith(_IPSET):
                _try([_IPSET, "destroy", chain.split()[1]])
            if _LEGACY in chain:
                program, _, table = chain.partition(", table ")
                _try([program, "-t", table, "-F"])
    for ipv, what, line in after.routing - before.routing:
        if what == "rule":
            _try(["ip", ipv, "rule", "del", "pref", line.partition(":")[0]])
        else:
            _try(["ip", ipv, "route", "del", *line.split()])
    for device in after.devices - before.devices:
        _try(["ip", "link", "del", device])
    for ipv, what, line in before.routing - after.routing:
        place, _, rule = line.partition(":")
        words = ["pref", place, *rule.split()] if what == "rule" else line.split()
        _try(["ip", ipv, what.split()[0], "add", *words])


def _try(argv: Sequence[str]) -> None:
    with suppress(InvalidRunError, OSError):
        run_program(argv, "cleaning up")
