"""What a page is shown of one world: a snapshot whenever something has changed, newest first.

Whoever cannot keep up gets fewer snapshots, never a queue of old ones; those left out are counted.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from testbed.console.worldmap import worldmap
from testbed.errors import InputError, InvalidRunError, printable
from testbed.live.reader import RunReader, read_json
from testbed.run import requests

_TICK: Final = 0.25  # seconds between two looks; our choice
_GLANCES: Final = 4  # looks between two questions to the world
_RULES, _PAST = 40, 30  # rules, and ended phases, that are shown; our choice


class WatchingPage:
    """One page that watches. `dropped`: snapshots that it was too slow for."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._waiting = False
        self.dropped = 0
        self.seen = -1.0  # the time of the latest point of a curve that it has

    def notify(self) -> None:
        """There is something new."""
        self.dropped += self._waiting
        self._waiting = True
        self._news.set()

    async def wait(self) -> None:
        """Until there is."""
        await self._news.wait()
        self._news.clear()
        self._waiting = False


class WorldFeed:
    """One standing world. `run` it as a task; it ends when the world does."""

    def __init__(self, name: str, about: Mapping[str, Any]) -> None:
        """`about`: what `testbed.run.requests.glance` said of the world."""
        self.name, self.folder = name, Path(about["folder"])
        self.vantages: tuple[str, ...] = tuple(about["vantages"])
        self.scenario_name = str(about["scenario"])
        self.about = about
        self.ended: dict[str, Any] | None = None
        self._reader = RunReader(self.folder, self.vantages)
        self._started = float(read_json(self.folder / "start.json").get("epoch") or time.time())
        self._watchers: set[WatchingPage] = set()
        self._scenario: dict[str, Any] = {}
        self._map: dict[str, Any] = {}
        self._draw_map()

    async def run(self) -> None:
        """Look and ask until the world ends, however it does."""
        turn = 0
        while self.ended is None:
            news = await asyncio.to_thread(self._reader.look)
            turn += 1
            if turn % _GLANCES == 0:
                news = await self.ask() or news
            if news:
                self._notify()
            await asyncio.sleep(_TICK)
        self._notify()

    async def ask(self) -> bool:
        """Ask the world how it is; whether that is new."""
        try:
            about = await asyncio.to_thread(requests.glance, self.name)
        except (InputError, InvalidRunError):
            self.ended = await asyncio.to_thread(self._ending)
            return True
        changed, self.about = about != self.about, about
        if changed:
            await asyncio.to_thread(self._draw_map)
        return changed

    async def refresh(self) -> None:
        """Ask at once, for all who watch: the world has just been changed."""
        if self.ended is None and await self.ask():
            self._notify()

    def watch(self) -> WatchingPage:
        """A page comes."""
        watcher = WatchingPage()
        self._watchers.add(watcher)
        watcher.notify()
        return watcher

    def leave(self, watcher: WatchingPage) -> None:
        """It goes."""
        self._watchers.discard(watcher)

    def phase_at(self, t: float) -> tuple[str, bool]:
        """The phase that held `t` seconds after the run's start, and whether it still does."""
        for record in self.about["phases"]:
            if t < record["started"] - self._started + record["seconds"]:
                return str(record["phase"]), False
        return str(self.about["phase"]), self.ended is None

    def snapshot(self, watcher: WatchingPage) -> dict[str, Any]:
        """Everything that the page shows; of curves what it does not have yet."""
        state = self._reader.state
        rules = sorted(state.rules.values(), key=lambda one: one.last, reverse=True)[:_RULES]
        shown: dict[str, Any] = {
            "t": round(state.t, 3),
            "map": self._map,
            "vantages": {name: asdict(counts) for name, counts in state.vantages.items()},
            "rules": [_printable(asdict(one)) for one in rules],
            "recent": [_printable(asdict(one)) for one in state.recent],
            "links": {key: _latest(state.t, *curve) for key, curve in state.rates.items() if curve},
            "curves": self._curves(watcher.seen),
            "notes": [printable(note) for note in state.notes],
            "skipped": self._reader.skipped,
            "uncounted": state.uncounted,
            "dropped": watcher.dropped,
            "running": [
                {"vantage": one["vantage"], "command": printable(" ".join(one["command"]))[:200]}
                for one in self.about["running"]
            ],
            "problems": [printable(one) for one in self.about["problems"]],
            "past": [_printable(_past(record)) for record in self.about["phases"][-_PAST:]],
            "ended": self.ended,
        }
        watcher.seen = state.t
        return shown

    def _curves(self, after: float) -> dict[str, Any]:
        """By box at a hop: what came down to it and what it let down, as (time, bit/s)."""
        found: dict[str, Any] = {}
        rates = self._reader.state.rates
        for operator in self._map.get("operators", ()):
            for box in operator["boxes"]:
                if box["at"] != "hop":
                    continue
                hop = f"{operator['key']}.hop{box['hop']}"
                reaches, leaves = rates.get(f"{hop}:out", ()), rates.get(f"{hop}:in", ())
                found[box["name"]] = {
                    "limit": box["limit"],
                    "before": [(one.t, one.received) for one in reaches if one.t > after],
                    "after": [(one.t, one.sent) for one in leaves if one.t > after],
                }
        return found

    def _draw_map(self) -> None:
        self._scenario = read_json(self.folder / "scenario.json") or self._scenario
        self._map = worldmap(
            self._scenario, str(self.about["phase"]), self.vantages, self.about.get("titles", {})
        )

    def _ending(self) -> dict[str, Any]:
        """How the world ended, as its summary says; it is written after the world has stopped to answer."""
        for _ in range(40):
            summary = read_json(self.folder / "summary.json")
            if summary:
                why = summary.get("ended_by") or "its end"
                return {"by": printable(str(why)), "valid": bool(summary.get("valid")),
                        "problems": [printable(str(one)) for one in summary.get("problems", ())]}  # fmt: skip
            time.sleep(0.1)
        return {"by": "a kill: its folder has no summary", "valid": False, "problems": []}

    def _notify(self) -> None:
        for watcher in self._watchers:
            watcher.notify()


def _latest(now: float, *curve: Any) -> list[float]:
    last = curve[-1]
    return [last.received, last.sent] if now - last.t < 1.0 else [0, 0]


def _past(record: Mapping[str, Any]) -> dict[str, Any]:
    fired = ", ".join(f"{rule} ({packets} packets)" for rule, packets in record["fired"].items())
    words = "; ".join([*record["notes"], *record["problems"]])
    return {"phase": record["phase"], "seconds": record["seconds"], "fired": fired, "words": words}


def _printable(values: dict[str, Any]) -> dict[str, Any]:
    """Names come from packets: nothing in them may turn a line around or steer a terminal."""
    return {key: printable(value) if isinstance(value, str) else value for key, value in values.items()}


async def first_glance(name: str) -> WorldFeed:
    """The feed of a world. Errors: InputError if there is no such world, InvalidRunError if it just ended."""
    return WorldFeed(name, await asyncio.to_thread(requests.glance, name))
