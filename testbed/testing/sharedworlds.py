"""Worlds that tests share, and a vantage of one of them as a fixture has it."""

import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from testbed.errors import InputError, InvalidRunError
from testbed.run.events import events, passed_names
from testbed.run.open import StandingWorld, open_world
from testbed.scenario.loader import load
from testbed.testing.assertions import VantageResult
from testbed.testing.cases import ScenarioCase
from testbed.truth.expected import Truth, truth

T = TypeVar("T")
_AT_ONCE: Final = 2  # worlds that stay open; our choice


class TestVantage:
    """A subscriber in a world, during one test."""

    __test__ = False  # not a pytest class, whatever its name

    def __init__(self, world: StandingWorld, case: ScenarioCase) -> None:
        self.world, self.case, self.name = world, case, case.vantage
        scenario = load(case.scenario)
        self._scenario = scenario.name
        self._events = world.folder / "events.jsonl"
        self._running: list[object] = []  # commands that run now, in any thread
        self._disturbed: set[object] = set()  # of these, who has had company
        self._known = tuple(
            f"{place.name}/{rule.name}"
            for place in scenario.phases[case.phase].placements
            if place.operator == self.name
            for rule in place.policy.rules
        )
        expected = truth(scenario, case.phase, [self.name])
        self.truth: Mapping[str, Truth] = {
            one.target.url: one for one in expected if one.vantage == self.name
        }

    def run(self, args: Sequence[str], **options: Any) -> VantageResult:
        """Run a command as the subscriber. Options are those of `subprocess.run`.

        The output is captured as text unless an option says otherwise. Several threads may do so at once; it
        is then not known whose packets a rule met (`VantageResult.alone`).
        """
        if not {"capture_output", "stdout", "stderr"} & set(options):
            options |= {"capture_output": True}
        options.setdefault("text", True)
        with self._among_others() as alone:
            start = self._events.stat().st_size
            done = self.world.run(args, vantage=self.name, **options)
            rules, passed = self.rules(start), passed_names(self._events, (), start)
        return VantageResult(
            args=done.args,
            returncode=done.returncode,
            stdout=done.stdout,
            stderr=done.stderr,
            scenario=self._scenario,
            phase=self.case.phase,
            vantage=self.name,
            rules=rules,
            passed=tuple(map(str, passed)),
            known=self._known,
            alone=alone(),
        )

    @contextmanager
    def _among_others(self) -> Iterator[Callable[[], bool]]:
        """A function that says, afterwards, whether no other command ran meanwhile."""
        me = object()
        self._running.append(me)
        if len(self._running) > 1:
            self._disturbed.update(self._running)
        try:
            yield lambda: me not in self._disturbed
        finally:
            self._running.remove(me)

    def call(self, function: Callable[[], T]) -> T:
        """Call a function of the test as the subscriber; what it returns or raises must pickle."""
        with self._among_others():
            return self.world.call(function, vantage=self.name)

    def rules(self, start: int = 0) -> tuple[str, ...]:
        """The rules at this vantage that were triggered since the event stream had `start` bytes."""
        found = (
            f"{one['censor']}/{one['rule']}"
            for one in events(self._events, start)
            if one["kind"] == "match" and one["censor"].startswith(f"{self.name}/")
        )
        return tuple(dict.fromkeys(found))


class OpenWorlds:
    """The worlds of a test process: one for all tests that may share it, the two used last kept open."""

    def __init__(self, parent: Path | None) -> None:
        self._parent = parent
        self._open: OrderedDict[tuple[Any, ...], StandingWorld] = OrderedDict()
        self._used: set[tuple[Any, ...]] = set()
        self._failed: set[Path] = set()
        self.vantages: dict[tuple[Any, ...], set[str]] = {}  # that tests of this session need of each world

    def enter(self, case: ScenarioCase) -> StandingWorld:
        """The world of a case, in its phase, with censors that remember nothing.

        Errors: InputError, UnsupportedError; InvalidRunError if it cannot be built.
        """
        key = case.world
        if key not in self._open:
            while len(self._open) >= _AT_ONCE:
                self.close(next(iter(self._open)))
            needed = self.vantages.get(key, set()) | {case.vantage}
            order = [one for one in load(case.scenario).vantages() if one in needed]
            folder = Path(tempfile.mkdtemp(prefix="testbed-", dir=self._parent)) / "run"
            self._open[key] = open_world(
                case.scenario, phase=case.phase, vantages=order, out=folder, **case.options
            )
            self._used.discard(key)
        self._open.move_to_end(key)
        world = self._open[key]
        if key in self._used or world.status()["phase"] != case.phase:
            world.phase(case.phase, fresh=True)
        self._used.add(key)
        return world

    def problems(self, case: ScenarioCase) -> list[str]:
        """Why the case's world is invalid; it is then closed, and the next test gets another."""
        world = self._open.get(case.world)
        if world is None:
            return []
        try:
            found: list[str] = world.status()["problems"]
        except (InputError, InvalidRunError) as error:
            found = [str(error)]
        if found:
            self._failed.add(world.folder)
            self.close(case.world)
        return found

    def keep(self, case: ScenarioCase) -> Path | None:
        """Keep the run folder of the case's world; None if there is none."""
        world = self._open.get(case.world)
        if world is None:
            return None
        self._failed.add(world.folder)
        return world.folder

    def close(self, key: tuple[Any, ...]) -> None:
        """End a world. Its folder is removed unless a test failed in it."""
        world = self._open.pop(key)
        with suppress(InvalidRunError):  # its tests have been failed for that
            world.close()
        if world.folder not in self._failed:
            shutil.rmtree(world.folder.parent, ignore_errors=True)

    def close_all(self) -> None:
        """End every world."""
        for key in list(self._open):
            self.close(key)
