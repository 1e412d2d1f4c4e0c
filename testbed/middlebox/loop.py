"""One censor at work in its hop's namespace, from the first rule to the receipt."""

import gc
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from netfilterqueue import NetfilterQueue

from testbed.censor.core import Censor
from testbed.censor.match import CompiledRule
from testbed.censor.policy import Policy
from testbed.errors import InvalidRunError
from testbed.middlebox import kernel
from testbed.middlebox.actlog import FILE as ACTS
from testbed.middlebox.actlog import ActLog
from testbed.middlebox.bookkeeping import FIRST_QUEUE, Bookkeeping
from testbed.middlebox.box import Clock, Core, Interrupted, Middlebox
from testbed.middlebox.copies import Copies, enlarge
from testbed.middlebox.eventstream import EventStream
from testbed.middlebox.marks import Position
from testbed.middlebox.reload import Reloader
from testbed.middlebox.ruleset import ALONE, copies_group
from testbed.model import Placement
from testbed.world import linux, netns
from testbed.world.scenarioclock import ScenarioClock

QUEUE_LENGTH = 32_768  # packets waiting for a verdict, the held ones included; our choice
SOCKET_BUFFER = 32 << 20  # bytes wanted; an ordinary user gets net.core.rmem_max
_SAFE_BUFFER = 64 << 10  # bytes; the binding warns when it cannot have what it asks for
_REST = 20  # ms between two looks at copies that nothing waits for; our choice


def serve_censor(
    placement: Placement,
    seed: int,
    run_dir: Path,
    started_at: float,
    time_scale: float,
    ready: Callable[[], None],
    reread: Callable[[], Policy] | None = None,
    position: Position = ALONE,
    date: ScenarioClock | None = None,
    *,
    captured: bool = False,
    rules: list[CompiledRule] | None = None,
) -> None:
    """Run the censor at `placement` until SIGTERM. Call it in a child process inside the hop's namespace.

    `started_at` is the run's start (monotonic seconds); `ready` is called when packets are judged. Events go
    to `run_dir`/events.jsonl; on SIGTERM the receipt is written and the function returns. SIGINT is ignored:
    Ctrl-C reaches the whole process group, and the supervisor stops us in its order. On SIGHUP the policy is
    read again by `reread`, if there is one: new lists hold from one packet to the next, and none is lost. On
    SIGUSR1 a receipt is written, and the next one has what follows; flows and timers stay, but for what has
    become too old where `date` has leapt. `captured`: what is done to each packet is noted in acts.jsonl.
    `rules`: `compiled` of the placement's policy, if it has been made.

    Errors: InvalidRunError outside a world of ours, UnsupportedError if the kernel lacks a feature.
    """
    # So that `pkill -HUP -x mts/tspu` finds it; the kernel keeps 15 characters.
    Path("/proc/self/comm").write_text(placement.name, encoding="utf-8")
    core = Censor(placement.policy, seed, time_scale=time_scale, rules=rules)
    clock = Clock(started_at, time_scale)
    serve(
        core,
        placement.policy,
        placement.name,
        run_dir,
        clock,
        ready,
        reread=reread,
        position=position,
        date=date,
        captured=captured,
    )


def serve(
    core: Core,
    policy: Policy,
    name: str,
    run_dir: Path,
    clock: Clock,
    ready: Callable[[], None],
    queue_length: int = QUEUE_LENGTH,
    reread: Callable[[], Policy] | None = None,
    position: Position = ALONE,
    date: ScenarioClock | None = None,
    *,
    captured: bool = False,
) -> None:
    """As `serve_censor`, for any core; only a `Censor` can be given a policy anew."""
    netns.assert_ours()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stream = EventStream(run_dir / "events.jsonl", name, date)
    log = ActLog(run_dir / ACTS, name, policy) if captured else None
    number = FIRST_QUEUE + position.index
    with _copies(policy, position) as copies:
        box = Middlebox(core, policy, stream, clock, name, position, log, copies)
        reloader = Reloader(core, reread, stream) if reread and isinstance(core, Censor) else None
        books = Bookkeeping(box, stream, core, policy, clock, run_dir, position, date)
        with _bound(box, number, queue_length) as queue, _woken_by_signals(box, reloader, books) as wake:
            kernel.install(policy, clock.scale, number, position)
            gc.freeze()  # lists of a million names need not be walked again and again
            ready()
            _work(box, queue, wake, copies, reloader, clock, books)
            box.release_all()
            books.settle(last=True)
    stream.close()
    if log is not None:
        log.close()


@contextmanager
def _bound(box: Middlebox, number: int, queue_length: int) -> Iterator[NetfilterQueue]:
    queue = NetfilterQueue()
    try:
        queue.bind(number, box.on_packet, max_len=queue_length, sock_len=_SAFE_BUFFER)
    except OSError as error:
        raise InvalidRunError(
            f"queue {number}: {error}; does another censor have this position at the hop?"
        ) from error
    _enlarge(queue.get_fd())
    try:
        yield queue
    finally:
        queue.unbind()
        box.close()


def _enlarge(fd: int) -> None:
    with socket.socket(fileno=fd) as borrowed:
        enlarge(borrowed, SOCKET_BUFFER)
        borrowed.detach()


@contextmanager
def _copies(policy: Policy, position: Position) -> Iterator[Copies | None]:
    """Of what passes beside the queue; None if nothing does."""
    if not policy.triggered_by_data:
        yield None
        return
    copies = Copies(copies_group(position), SOCKET_BUFFER)
    try:
        yield copies
    finally:
        copies.close()


@contextmanager
def _woken_by_signals(
    box: Middlebox, reloader: Reloader | None, books: Bookkeeping
) -> Iterator[socket.socket]:
    """A socket that becomes readable on a signal, so that none slips in before the wait."""

    def stop(_number: int, _frame: object) -> None:
        box.stopping = box.interrupted = True

    reader, writer = socket.socketpair()
    with reader, writer:
        reader.settimeout(0)
        writer.settimeout(0)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, stop)
        books.wake = partial(_interrupt, box, writer)
        signal.signal(signal.SIGUSR1, lambda _number, _frame: books.ask())
        if reloader is not None:
            reloader.wake = partial(_interrupt, box, writer)
            signal.signal(signal.SIGHUP, lambda _number, _frame: reloader.ask())
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(-1)


def _interrupt(box: Middlebox, writer: socket.socket) -> None:
    box.interrupted = True
    with suppress(OSError):  # full: it is waking up already; closed: nothing waits any more
        writer.send(b"!")


def _work(
    box: Middlebox,
    queue: NetfilterQueue,
    wake: socket.socket,
    copies: Copies | None,
    reloader: Reloader | None,
    clock: Clock,
    books: Bookkeeping,
) -> None:
    fd, woken = queue.get_fd(), wake.fileno()
    copied = -1 if copies is None else copies.fileno()
    urgent = linux.Poller([fd, woken])
    everything = urgent if copies is None else linux.Poller([fd, woken, copied])
    listens = True  # to copies; after a look at them the next one waits, or comes with the next packet
    while not box.stopping:
        due = box.hold.next_due()
        wait = None if due is None else max(0.0, due - time.monotonic())
        readable = everything.wait(wait) if listens or wait is not None else urgent.pause(_REST)
        listens = copies is None or not readable
        if due is not None:
            box.release_due()
        if copied in readable:
            box.overhear()
        if woken in readable or box.interrupted:
            with suppress(BlockingIOError):
                wake.recv(4096)
            box.interrupted = False
            if reloader is not None:
                reloader.step(clock.elapsed())
            books.step()
        if fd in readable and not box.stopping:
            try:  # noqa: SIM105 (for each packet; `suppress` takes two microseconds)
                queue.run(block=False)
            except Interrupted:
                pass
