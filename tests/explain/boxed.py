"""A line with a censor on it that leaves a run folder: events, acts, receipts, a capture."""

import json
from collections import Counter
from pathlib import Path

from testbed.censor.decision import PASS, Decision, Direction, Verdict
from testbed.middlebox.actlog import FILE, ActLog
from testbed.middlebox.eventstream import EventStream
from testbed.run.annotated import write_capture
from testbed.run.folder import RunFolder
from testbed.scenario.loader import load
from tests.censor.line import Line, Result
from tests.run.recordings import Sight, write_recording

CENSOR, PRE, POST = "beeline/box", "pre-censor.beeline.hop2", "post-censor.beeline.hop2"
BEGIN = 1_646_395_200_000_000_000
_HOP = 100_000  # ns from one point to the next
_POINTS = [
    {"name": name, "description": "", "censors": [CENSOR] if "-censor." in name else []}
    for name in ("client.beeline", PRE, POST, "server.far")
]


class BoxedLine(Line):
    """Writes down what a run would. Packets take a tenth of a millisecond from one point to the next."""

    def begin(self, folder: Path) -> "BoxedLine":
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.sights: list[Sight] = []
        self.counts: dict[str, Counter[str]] = {"claimed": Counter(), "kernel": Counter(), "ways": Counter()}
        self.stream = EventStream(folder / "events.jsonl", CENSOR)
        self.log = ActLog(folder / FILE, CENSOR, self.policy)
        self.flow = ""
        return self

    def raw(self, packet: bytes, direction: Direction = Direction.UP) -> Result:
        self.now += 0.01
        outcome = self.box.process(packet, direction, self.now)
        decision, up = outcome.decision, direction is Direction.UP
        if outcome.by == "core" and decision is not PASS:
            self.log.write(decision, packet, self.now, self.now)
            for event in decision.events:
                self.stream.write(event, self.now)
                self.flow = event.flow if event.kind in ("match", "miss", "unread") else self.flow
        self._count(decision, outcome.by, up)
        path = ["client.beeline", PRE, POST, "server.far"][:: 1 if up else -1]
        self._seen(path[:2], packet)
        late = (decision.release_at - self.now) if decision.release_at is not None else 0.0
        left = {Verdict.PASS: packet, Verdict.DROP: b"", Verdict.REPLACE: decision.packet}[decision.verdict]
        if left:
            self._seen(path[2:], left, 2, late)
        for one in decision.inject:
            toward = [POST, "server.far"] if one.toward is Direction.UP else [PRE, "client.beeline"]
            self._seen(toward, one.packet, 2)
        return Result(left or None, decision)

    def _seen(self, points: list[str], packet: bytes, after: int = 0, late: float = 0.0) -> None:
        for number, point in enumerate(points, after):
            time = BEGIN + round((self.now + late) * 1e9) + number * _HOP
            self.sights.append((time, point, number % 2 == 0, packet))

    def _count(self, decision: Decision, by: str, up: bool) -> None:
        if decision.rule is None:
            return
        effects = {
            "drop": decision.verdict is Verdict.DROP and by == "core",
            "flow_drop": decision.verdict is Verdict.DROP and by == "drop",
            "policed_drop": decision.verdict is Verdict.DROP and by == "police",
            "replace": decision.verdict is Verdict.REPLACE,
            "inject": len(decision.inject),
            "delay": decision.release_at is not None,
        }
        self.counts["kernel"] += Counter({what: int(number) for what, number in effects.items()})
        self.counts["ways"]["up" if up else "down"] += any(effects.values())

    def finish(self) -> Path:
        """The folder, whole."""
        rules = [
            {
                "name": rule.name,
                "match": {key.name: key.to_json(value) for key, value in rule.match.parts},
                "action": {rule.action.key: {}},
            }
            for rule in self.policy.rules
        ]
        place = {"name": CENSOR, "operator": "beeline", "at": "hop", "hop": 2}
        place |= {"profile": self.policy.profile.name, "rules": rules}
        world = {"operators": [{"key": "beeline", "prefix4": "95.24.0.0/16", "prefix6": "2a00:1118::/32"}]}
        scenario = {
            "name": "s",
            "default_phase": "p",
            "phases": {"p": {"placements": [place]}},
            "world": world,
        }
        kernel, ways = self.counts["kernel"], self.counts["ways"]
        acts = {"claimed": kernel.total(), "kernel": kernel.total(), "up": ways["up"], "down": ways["down"]}
        counted = {"claimed": dict(kernel), "kernel": dict(kernel), "flows": {self.flow: acts}}
        receipt = {"censor": CENSOR, "rules": {"rule": counted}}
        (self.folder / "receipts").mkdir()
        for name, content in (
            ("scenario.json", scenario),
            ("start.json", {"monotonic": 0.0, "epoch": BEGIN / 1e9, "phase": "p"}),
            ("summary.json", {"phase": "p", "problems": [], "rows": []}),
            ("receipts/box.json", receipt),
        ):
            (self.folder / name).write_text(json.dumps(content))
        write_recording(self.folder, _POINTS, sorted(self.sights))
        made = load("free-network")
        write_capture(RunFolder(self.folder), made, made.default_phase)
        return self.folder
