"""A whole replay: capture in, lines and perhaps a new capture out."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from testbed.capture.file import STDIN, CaptureFile, open_capture
from testbed.capture.source import Record
from testbed.censor.policy import Policy
from testbed.errors import InputError
from testbed.replay import tell
from testbed.replay.play import Replay, Watcher
from testbed.replay.rewrite import Rewriter
from testbed.replay.sides import Sides


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for."""

    capture: str  # a file, or "-"
    policy: Policy
    seed: int = 1
    sides: Sides | None = None  # None: found out
    limit: int | None = None  # packets
    out: Path | None = None
    every: bool = False  # a line for each packet, not only for those that met something
    flows: bool = False  # a line for each flow instead of each packet
    as_json: bool = False


def replay(order: Order, say: tell.Say) -> Replay:
    """Replay, and print with `say`.

    InputError for what is not a capture, for one without packets, and, after all has been said, for one that
    ends in the middle of a packet.
    """
    with ExitStack() as stack:
        capture = stack.enter_context(open_capture(order.capture))
        run = Replay(order.policy, order.seed, order.sides)
        teller: Watcher = tell.JsonLines(say) if order.as_json else tell.Rows(say)
        busy: list[Watcher] = [] if order.flows or order.every else [teller]
        every: list[Watcher] = [teller] if order.every else []
        rewriter = None
        if order.out is not None:
            _not_itself(order)
            file = stack.enter_context(_create(order.out))
            rewriter = Rewriter(file, run.tally, f"testbed replay {order.policy.name}, seed {order.seed}")
            every.append(rewriter)
        run.run(_limited(capture, order.limit), busy, every)
        if rewriter is not None:
            rewriter.close()
    _finish(order, capture, run, say)
    return run


def _finish(order: Order, capture: CaptureFile, run: Replay, say: tell.Say) -> None:
    evictions, sides = run.censor.evictions, run.sides
    assert sides is not None
    if not run.tally.packets:
        raise capture.fault or InputError.at(capture.name, "holds no packets", "name another capture")
    fault = str(capture.fault or "")
    if order.as_json:
        say(tell.as_json(run.tally, order.policy, sides, evictions, fault, flows=order.flows))
    else:
        for line in tell.summary(run.tally, order.policy, evictions, flows=order.flows):
            say(line)
        say(f"\ninside: {sides}")
    if capture.fault:
        raise capture.fault


def _limited(capture: CaptureFile, limit: int | None) -> Iterator[Record]:
    return islice(capture, limit)


def _not_itself(order: Order) -> None:
    """Writing over the capture that is being read would destroy it."""
    assert order.out is not None
    if order.capture != STDIN and order.out.exists() and order.out.samefile(order.capture):
        raise InputError.at("--out", f"{order.out} is the capture itself", "name another file")


def _create(path: Path) -> IO[bytes]:
    """Create the output file, or overwrite it."""
    try:
        return path.open("wb", buffering=1 << 20)
    except OSError as error:
        raise InputError.at("--out", f"cannot write {path}: {error.strerror}", "name another file") from error
