"""One language of handover, two kernels: nft and the soft one do the same with random packets.

A comparison that could not fail would prove nothing: each obligation, broken on purpose, is found.
"""

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from testbed.censor.decision import PASS
from testbed.censor.handover import counter_name
from testbed.censor.softkernel import Outcome, SoftKernel, TokenBucket
from testbed.world.enter import isolated_call
from tests.middlebox.differential import RULES, SLOTS, Sent, decoded, live, simulated

pytestmark = pytest.mark.world

COUNTED = ("drop", "police", "flow_drop", "policed_drop")
QUIET = settings(
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),  # a world per example: the packets of a failing sequence are printed instead
)


def sequences(count: int) -> st.SearchStrategy[list[bytes]]:
    return st.lists(st.binary(min_size=SLOTS, max_size=SLOTS), min_size=count, max_size=count)


def compare(batch: list[list[Sent]]) -> tuple[int, list[str]]:
    """How many sequences were conclusive, and what differs in them."""
    real = isolated_call(lambda: live(batch))
    assert real.faults == 0
    conclusive, wrong, counted = 0, [], [dict.fromkeys(COUNTED, 0) for _ in RULES]
    for packets in batch:
        early, counts = simulated(packets, real.begun)
        if any(simulated(packets, times)[0] != early for times in possible(real.begun, real.done)):
            continue
        conclusive += 1
        for rule, sums in enumerate(counted):
            for what in COUNTED:
                sums[what] += counts[counter_name(what, rule)]
        wrong += differences(packets, early, real.verdicts)
    if conclusive == len(batch):
        found = [{what: counters[what] for what in COUNTED} for counters in real.counters]
        if found != counted:
            wrong.append(f"counters: nft {found}, the soft kernel {counted}")
    return conclusive, wrong


def possible(begun: list[float], done: list[float]) -> Iterator[list[float]]:
    """Times at which the packets of the slots may have passed, each time between any two of them too short
    or too long as far as it can be: a slow slot makes the way to the next one shorter."""
    for cut in range(SLOTS):
        yield begun[:cut] + done[cut:]
        yield done[: cut + 1] + begun[cut + 1 :]


def differences(packets, soft, real) -> list[str]:
    numbers = {sent.number for sent in packets}
    if soft.asked == real.asked & numbers and soft.arrived == real.arrived & numbers:
        return []
    lines = []
    for sent in packets:
        said = [
            ("asked" if sent.number in one.asked else "alone")
            + (", arrived" if sent.number in one.arrived else ", lost")
            for one in (real, soft)
        ]
        lines.append(f"{sent.words}: nft {said[0]}; soft {said[1]}{'' if said[0] == said[1] else '  <--'}")
    return ["\n".join(lines)]


def check(batches: list[list[bytes]]) -> None:
    total = conclusive = 0
    for batch in batches:
        fine, wrong = compare(decoded(batch))
        total, conclusive = total + len(batch), conclusive + fine
        assert not wrong, f"{len(wrong)} differ, the first:\n{wrong[0]}"
    note(f"{conclusive} of {total} sequences were conclusive")
    assert conclusive >= 0.5 * total, (
        f"only {conclusive} of {total} conclusive: the machine is too busy to tell"
    )


@given(sequences(150))
@settings(QUIET, max_examples=2)
def test_nft_and_the_soft_kernel_do_the_same(batch) -> None:
    check([batch])


@pytest.mark.slow
@pytest.mark.timeout(1200)
@given(sequences(200))
@settings(QUIET, max_examples=50)
def test_ten_thousand_sequences(batch) -> None:
    check([batch])


def _never_refreshes(self, entry, raw, direction, now):
    until = entry.until
    outcome = ALONE(self, entry, raw, direction, now)
    entry.until = until
    return outcome


ALONE, TAKE = SoftKernel._alone, TokenBucket.take
BREAKS = {
    "refresh is forgotten": (SoftKernel, "_alone", _never_refreshes),
    "handed-over flows pass": (SoftKernel, "_alone", lambda *_: Outcome(PASS, "pass")),
    "nothing is handed over": (SoftKernel, "_add", lambda *_: None),
    "buckets have no bottom": (TokenBucket, "take", lambda *_: True),
    "buckets never fill": (TokenBucket, "take", lambda self, octets, _now: TAKE(self, octets, self.seen)),
    "a SYN from inside passes": ("testbed.censor.softkernel", "_opens", lambda *_: False),
}


@pytest.mark.parametrize("how", BREAKS)
def test_each_obligation_that_is_broken_is_found(monkeypatch, how) -> None:
    """The same packets, once through nft; the soft kernel broken in one way."""
    where, name, broken = BREAKS[how]
    if isinstance(where, str):
        monkeypatch.setattr(f"{where}.{name}", broken)
    else:
        monkeypatch.setattr(where, name, broken)
    batch = decoded([random.Random(f"{how} {n}").randbytes(SLOTS) for n in range(120)])
    _, wrong = compare(batch)
    assert wrong
