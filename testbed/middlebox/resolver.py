"""An operator's resolver that lies (NDSS20, OONI22: one constant answer per operator)."""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.dns import DnsLie
from testbed.censor.actions.drop import Drop
from testbed.censor.decision import Event
from testbed.censor.names import NameMatcher
from testbed.censor.parsers.dns import Question, question
from testbed.censor.policy import Policy
from testbed.errors import InputError
from testbed.middlebox.receipts import Receipts
from testbed.middlebox.seen import SeenReplies
from testbed.middlebox.stream import EventStream
from testbed.scenario.model import Placement
from testbed.world import netns

Answer = Callable[[bytes], bytes | None]


class LyingAnswer:
    """Answers queries for the names of a policy by its rules, all others truthfully. First match wins.

    Only a rule's `dns.qname` counts, for a resolver sees nothing else. `dns` gives the forged answer, `drop`
    none, `allow` the true one. Each lie is claimed in `receipts`; `seen` looks for it on the wire.
    """

    def __init__(
        self, policy: Policy, truthful: Answer, record: Callable[[Event], None], name: str = ""
    ) -> None:
        self.receipts = Receipts(name or policy.name, policy)
        self.seen = SeenReplies()
        self._truthful = truthful
        self._record = record
        self._rules = []
        for index, rule in enumerate(policy.rules):
            action = rule.action
            if not isinstance(action, DnsLie | Drop | Allow):
                problem = f"action '{action.key}' cannot be carried out by a resolver"
                raise InputError.at(
                    f"censor {policy.name}, rule {rule.name}", problem, "use dns, drop or allow"
                )
            if "dns.qname" in rule.match:
                names = NameMatcher(rule.match["dns.qname"].patterns)
                self._rules.append((names, index, rule.name, action))

    def __call__(self, query: bytes) -> bytes | None:
        """The reply to a query in wire format; None for silence."""
        self.receipts.packets += 1
        asked = question(query)
        if isinstance(asked, Question):
            for names, index, rule, action in self._rules:
                if asked.name in names:
                    detail = {"action": action.key, "name": asked.name}
                    self._record(Event("match", rule, "", detail))
                    return self._lie(query, index, action)
        return self._truthful(query)

    def _lie(self, query: bytes, index: int, action: DnsLie | Drop | Allow) -> bytes | None:
        if isinstance(action, Allow):
            return self._truthful(query)
        claims = self.receipts.claims[index]
        reply = action.forge(query) if isinstance(action, DnsLie) else b""
        if not reply:
            claims.drop += 1
            self.seen.expect_silence(query, index)
            return None
        claims.inject += 1
        self.seen.expect(reply, index)
        return reply


def lying_answer(policy: Policy, truthful: Answer, record: Callable[[Event], None]) -> LyingAnswer:
    """What a resolver with this policy answers; see `LyingAnswer`.

    Errors: InputError if a rule's action is none that a resolver can carry out.
    """
    return LyingAnswer(policy, truthful, record)


def serve_lying_resolver(
    placement: Placement,
    addresses: Sequence[str],
    truthful: Answer,
    run_dir: Path,
    started_at: float,
    ready: Callable[[], None],
) -> None:
    """Be the lying resolver of `placement` on port 53 of `addresses` until SIGTERM, then leave the receipt.

    Runs in a child process inside the resolver's namespace. The receipt's second place is a packet socket
    there: a lie counts as told when its reply is seen leaving, a silence as kept unless a reply is.
    """
    netns.assert_ours()
    stream = EventStream(run_dir / "events.jsonl", placement.name)
    answer = LyingAnswer(
        placement.policy,
        truthful,
        lambda event: stream.write(event, time.monotonic() - started_at),
        placement.name,
    )
    asyncio.run(_serve(answer, addresses, ready))
    answer.receipts.faults = stream.faults
    answer.receipts.write(run_dir, answer.seen.counted())
    stream.close()


async def _serve(answer: LyingAnswer, addresses: Sequence[str], ready: Callable[[], None]) -> None:
    from testbed.internet.dns import serve_dns  # heavy, and only this process needs it

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with answer.seen.listening() as wire:
        loop.add_reader(wire, answer.seen.read, wire)
        serving = asyncio.ensure_future(serve_dns(addresses, answer, ready))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        loop.remove_reader(wire)
        answer.seen.read(wire)
    if serving.done():
        serving.result()  # raises what ended the server
    serving.cancel()
