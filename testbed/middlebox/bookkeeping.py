"""What a censor did, reconciled with the kernel's counters: a receipt at its end, or when it is asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from testbed.censor.decision import Event
from testbed.censor.policy import Policy
from testbed.middlebox import kernel
from testbed.middlebox.box import Clock, Core, Middlebox
from testbed.middlebox.eventstream import EventStream
from testbed.middlebox.marks import Position
from testbed.world.scenarioclock import ScenarioClock

FIRST_QUEUE = 1  # the first censor's; queues are numbered per network namespace


@dataclass(slots=True)
class Bookkeeping:
    """Writes the receipts of one censor; all but `ask` happens in the thread that judges packets."""

    box: Middlebox
    stream: EventStream
    core: Core
    policy: Policy
    clock: Clock
    run_dir: Path
    position: Position
    date: ScenarioClock | None = None
    wake: Callable[[], object] = field(default=lambda: None)  # interrupts the loop: there is something to do
    _asked: bool = False
    _full: int = 0  # flows that the kernel had no room for, up to the last receipt

    def ask(self) -> None:
        """A receipt, soon; called by a signal handler."""
        self._asked = True
        self.wake()

    def step(self) -> None:
        """Between two packets: write the receipt that was asked for, and grow as old as the scenario says."""
        if self._asked:
            self._asked = False
            if self.date is not None and (new := self.clock.skip_to(self.date.skipped)):
                kernel.forget(self.policy, new, self.clock.scale, self.position)
            self.settle()

    def settle(self, *, last: bool = False) -> None:
        """Reconcile with the kernel's counters, write the receipt. `last`: no verdict follows."""
        policy, position, receipts = self.policy, self.position, self.box.receipts
        self.box.overhear()
        lost = kernel.queue_losses(FIRST_QUEUE + position.index)
        counted = kernel.counters(policy, position)
        flows = receipts.acts.joined(kernel.acted(len(policy.rules), position))
        now = self.clock.elapsed()
        if last and (lost.queue_dropped or lost.user_dropped):
            detail = {"queue_dropped": lost.queue_dropped, "user_dropped": lost.user_dropped}
            self.stream.write(Event("overflow", "", "", detail), now)
        if full := counted["pass_full"] - self._full:  # harmless: these flows went on through the core
            self._full += full
            self.stream.write(Event("evict", "", "", {"passed flows the kernel had no room for": full}), now)
        for name, what in kernel.FULL.items():
            if last and counted[name]:
                self.stream.fault(f"{what} was full in the kernel", now, flows=counted[name])
        receipts.queue_dropped, receipts.user_dropped = lost.queue_dropped, lost.user_dropped
        receipts.undecided = lost.undecided if last else 0
        receipts.evictions = self.core.evictions
        receipts.fragments_discarded = getattr(self.core, "fragments_discarded", 0)
        receipts.faults, receipts.faults_in_words = self.stream.faults, self.stream.faults_in_words
        receipts.write(self.run_dir, counted, flows)
