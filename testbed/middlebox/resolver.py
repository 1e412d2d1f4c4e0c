"""An operator's resolver with rules (NDSS20, OONI22: one constant answer per operator)."""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from testbed.censor.decision import Event
from testbed.censor.inspect import Content, Kind
from testbed.censor.match import CompiledRule
from testbed.censor.parsers.dns import Question, question
from testbed.censor.policy import Policy, Rule
from testbed.errors import InputError
from testbed.internet.transports import Reply
from testbed.middlebox.actlog import FILE as ACTS
from testbed.middlebox.actlog import ActLog
from testbed.middlebox.eventstream import EventStream
from testbed.middlebox.receipts import Receipts
from testbed.middlebox.seen import SeenReplies
from testbed.model import Placement
from testbed.world import netns
from testbed.world.scenarioclock import ScenarioClock

Answer = Callable[[bytes], Reply]


class LyingAnswer:
    """Answers queries for the names of a policy by its rules, all others truthfully. First match wins.

    Only a query's name and type count, for a resolver sees nothing else. What it answers is the action's
    `resolver_reply`. Each forged answer and each drop is claimed in `receipts`; `seen` looks on the wire.
    """

    def __init__(
        self,
        policy: Policy,
        truthful: Answer,
        record: Callable[[Event], None],
        name: str = "",
        log: Callable[[str, str, bytes, bytes], None] | None = None,
    ) -> None:
        self.receipts = Receipts(name or policy.name, policy)
        self.seen = SeenReplies()
        self._truthful = truthful
        self._record, self._log = record, log
        self._rules = []
        for index, rule in enumerate(policy.rules):
            action = rule.action
            if not action.resolves:
                problem = f"action '{action.key}' cannot be carried out by a resolver"
                remedy = "use one that has a resolver_reply, or put the censor at a hop"
                raise InputError.at(f"censor {policy.name}, rule {rule.name}", problem, remedy)
            self._rules.append((CompiledRule(rule.match), index, rule))

    def __call__(self, query: bytes) -> Reply:
        """The reply to a query in wire format; None for silence."""
        self.receipts.packets += 1
        asked = question(query)
        if isinstance(asked, Question):
            shown = Content(Kind.DNS, asked.name, qtype=asked.kind)
            for ready, index, rule in self._rules:
                if ready.content_fits(shown):
                    detail = {"action": rule.action.key, "name": asked.name}
                    self._record(Event("match", rule.name, "", detail))
                    reply = self._carry_out(query, index, rule)
                    if self._log is not None:
                        self._log(rule.name, asked.name, query, reply if isinstance(reply, bytes) else b"")
                    return reply
        return self._truthful(query)

    def _carry_out(self, query: bytes, index: int, rule: Rule) -> Reply:
        reply = rule.action.resolver_reply(query)
        if reply.true:
            return self._truthful(query)
        claims = self.receipts.claims[index]
        if not reply.message:
            claims.drop += 1
            self.seen.expect_silence(query, index)
            return None
        claims.inject += 1
        self.seen.expect(reply.message, index)
        return reply.message


def serve_lying_resolver(
    placement: Placement,
    addresses: Sequence[str],
    truthful: Answer,
    run_dir: Path,
    started_at: float,
    ready: Callable[[], None],
    date: ScenarioClock | None = None,
    *,
    captured: bool = False,
) -> None:
    """Run the resolver of `placement` on port 53 of `addresses` until SIGTERM, then write the receipt.

    Runs in a child process inside the resolver's namespace. On SIGUSR1 a receipt is written, too, and the
    next one has what follows. The receipt's second place is a packet socket there: a forged answer is
    confirmed when it is seen leaving, a drop when none is.
    """
    netns.assert_ours()
    stream = EventStream(run_dir / "events.jsonl", placement.name, date)
    log = ActLog(run_dir / ACTS, placement.name, placement.policy) if captured else None

    def noted(rule: str, name: str, query: bytes, message: bytes) -> None:
        assert log is not None
        log.answer(rule, name, query, message, time.monotonic() - started_at)

    answer = LyingAnswer(
        placement.policy,
        truthful,
        lambda event: stream.write(event, time.monotonic() - started_at),
        placement.name,
        noted if captured else None,
    )

    def settle() -> None:
        answer.receipts.faults = stream.faults
        answer.receipts.faults_in_words = stream.faults_in_words
        flows = answer.seen.by_flow(len(placement.policy.rules))
        answer.receipts.write(run_dir, answer.seen.counted(), flows)

    asyncio.run(_serve(answer, addresses, ready, settle))
    settle()
    stream.close()


async def _serve(
    answer: LyingAnswer, addresses: Sequence[str], ready: Callable[[], None], settle: Callable[[], None]
) -> None:
    from testbed.internet.dns import serve_dns  # heavy, and only this process needs it

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with answer.seen.listening() as wire:
        loop.add_reader(wire, answer.seen.read, wire)

        def receipt_now() -> None:
            answer.seen.read(wire)
            settle()

        loop.add_signal_handler(signal.SIGUSR1, receipt_now)
        serving = asyncio.ensure_future(serve_dns(addresses, answer, ready))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        loop.remove_reader(wire)
        answer.seen.read(wire)
    if serving.done():
        serving.result()  # raises what ended the server
    serving.cancel()
