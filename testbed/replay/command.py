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
from testbed.replay import output
from testbed.replay.play import Observer, Replay
from testbed.replay.rewriter import Rewriter
from testbed.replay.sides import Sides


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What to replay, and what to print."""

    capture: str  # a file, or "-"
    policy: Policy
    seed: int = 1
    sides: Sides | None = None  # None: inferred
    limit: int | None = None  # packets
    out: Path | None = None
    every: bool = False  # a line for each packet, not only for affected ones
    flows: bool = False  # a line for each flow instead of each packet
    as_json: bool = False


def replay(options: ReplayOptions, write: output.Print) -> Replay:
    """Replay a capture and print the result with `write`.

    Errors: InputError if it is not a capture or has no packets, and, after printing everything, if it ends in
    the middle of a packet.
    """
    with ExitStack() as stack:
        capture = stack.enter_context(open_capture(options.capture))
        run = Replay(options.policy, options.seed, options.sides)
        printer: Observer = output.JsonOutput(write) if options.as_json else output.TableOutput(write)
        busy: list[Observer] = [] if options.flows or options.every else [printer]
        every: list[Observer] = [printer] if options.every else []
        rewriter = None
        if options.out is not None:
            _not_itself(options)
            file = stack.enter_context(_create(options.out))
            rewriter = Rewriter(
                file, run.totals, f"testbed replay {options.policy.name}, seed {options.seed}"
            )
            every.append(rewriter)
        run.run(_limited(capture, options.limit), busy, every)
        if rewriter is not None:
            rewriter.close()
    _finish(options, capture, run, write)
    return run


def _finish(options: ReplayOptions, capture: CaptureFile, run: Replay, write: output.Print) -> None:
    evictions, sides = run.evictions, run.sides
    assert sides is not None
    if not run.totals.packets:
        raise capture.fault or InputError.at(capture.name, "contains no packets", "name another capture")
    fault = str(capture.fault or "")
    if options.as_json:
        write(output.as_json(run.totals, options.policy, sides, evictions, fault, flows=options.flows))
    else:
        for line in output.summary(run.totals, options.policy, evictions, flows=options.flows):
            write(line)
        write(f"\ninside: {sides}")
    if capture.fault:
        raise capture.fault


def _limited(capture: CaptureFile, limit: int | None) -> Iterator[Record]:
    return islice(capture, limit)


def _not_itself(options: ReplayOptions) -> None:
    """Refuse to overwrite the capture that is being read."""
    assert options.out is not None
    if options.capture != STDIN and options.out.exists() and options.out.samefile(options.capture):
        raise InputError.at("--out", f"{options.out} is the capture itself", "name another file")


def _create(path: Path) -> IO[bytes]:
    """Create the output file, or overwrite it."""
    try:
        return path.open("wb", buffering=1 << 20)
    except OSError as error:
        raise InputError.at("--out", f"cannot write {path}: {error.strerror}", "name another file") from error
