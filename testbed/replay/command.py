"""A whole replay: capture in, lines and perhaps a new capture out."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Final

from testbed.capture.file import STDIN, CaptureFile, open_capture
from testbed.capture.source import Record
from testbed.censor.policy import Policy
from testbed.errors import InputError, NothingJudgedError, nearest
from testbed.replay import output
from testbed.replay.play import Observer, Replay
from testbed.replay.rewriter import Rewriter
from testbed.replay.sides import Sides
from testbed.replay.superpackets import LARGEST_WIRE

_PLACES: Final = ("client.", "pre-censor.", "post-censor.", "resolver.", "server.")  # of `testbed.run.taps`


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What to replay, and what to print."""

    capture: str  # a file, or "-"
    policy: Policy
    interface: str = ""  # of pcapng: its packets alone
    seed: int = 1
    sides: Sides | None = None  # None: inferred
    limit: int | None = None  # packets
    largest: int = LARGEST_WIRE  # bytes of an IP packet on the wire; what is larger is cut
    out: Path | None = None
    every: bool = False  # a line for each packet, not only for affected ones
    flows: bool = False  # a line for each flow instead of each packet
    as_json: bool = False


def replay(options: ReplayOptions, write: output.Print) -> Replay:
    """Replay a capture and print the result with `write`.

    Errors: InputError if it is not a capture or has no packets, and, after printing everything, if it ends in
    the middle of a packet; NothingJudgedError, after printing, if no packet could be judged.
    """
    with ExitStack() as stack:
        capture = stack.enter_context(open_capture(options.capture, options.interface))
        run = Replay(options.policy, options.seed, options.sides, options.largest)
        printer: Observer = output.JsonOutput(write) if options.as_json else output.TableOutput(write)
        busy: list[Observer] = [] if options.flows or options.every else [printer]
        every: list[Observer] = [printer] if options.every else []
        rewriter = None
        if options.out is not None:
            _not_itself(options)
            file = stack.enter_context(_created(options.out))
            rewriter = Rewriter(
                file, run.totals, f"testbed replay {options.policy.name}, seed {options.seed}"
            )
            every.append(rewriter)
        run.run(islice(_at_one_place(capture, options.interface), options.limit), busy, every)
        if options.interface and options.interface not in capture.interfaces:
            there = nearest(options.interface, capture.interfaces)
            raise InputError.at("--interface", f"{capture.name} has no {options.interface!r}", there)
        if not run.totals.packets:
            raise capture.fault or InputError.at(capture.name, "contains no packets", "name another capture")
        if rewriter is not None:
            rewriter.close()
    _finish(options, capture, run, write)
    return run


def _finish(options: ReplayOptions, capture: CaptureFile, run: Replay, write: output.Print) -> None:
    evictions, sides = run.evictions, run.sides
    assert sides is not None
    fault = str(capture.fault or "")
    if options.as_json:
        write(output.as_json(run.totals, options.policy, sides, evictions, fault, flows=options.flows))
    else:
        for line in output.summary(run.totals, options.policy, evictions, flows=options.flows):
            write(line)
        write(f"\ninside: {sides}")
        if sides.guessed:
            write("note: the sides are a guess; name the subscribers' side with --inside PREFIX")
    if capture.fault:
        raise capture.fault
    if reason := output.nothing_judged(run.totals, sides):
        raise NothingJudgedError(f"nothing was judged: {reason}")


def _at_one_place(capture: CaptureFile, chosen: str) -> Iterator[Record]:
    """The packets. InputError for a run's own record, which has each packet once for each place it passed."""
    known = 0
    for record in capture:
        if not chosen and len(capture.interfaces) > known:
            known = len(capture.interfaces)
            _require_one_place(capture)
        yield record


def _require_one_place(capture: CaptureFile) -> None:
    places = [one for one in capture.interfaces if one.startswith(_PLACES)]
    if len(places) > 1:
        message = f"{capture.name} was recorded at {len(places)} places, and has each packet once for each"
        remedy = f"choose one, as --interface {places[0]}; there are: {', '.join(places)}"
        raise InputError.at("CAPTURE", message, remedy)


def _not_itself(options: ReplayOptions) -> None:
    """Refuse to overwrite the capture that is being read."""
    assert options.out is not None
    if options.capture != STDIN and options.out.exists() and options.out.samefile(options.capture):
        raise InputError.at("--out", f"{options.out} is the capture itself", "name another file")


@contextmanager
def _created(path: Path) -> Iterator[IO[bytes]]:
    """A new file that gets its name when it is complete; a device or a pipe is written to directly.

    Errors: InputError if it cannot be created.
    """
    direct = path.exists() and not path.is_file()
    partial = path if direct else path.with_name(f".{path.name}.partial")
    try:
        file = partial.open("wb", buffering=1 << 20)
    except OSError as error:
        raise InputError.at("--out", f"cannot write {path}: {error.strerror}", "name another file") from error
    try:
        with file:
            yield file
        if not direct:
            partial.replace(path)
    finally:
        if not direct:
            partial.unlink(missing_ok=True)
