"""Trying the methods of circumvention of a phase in its world, one recipe after another.

The direct way is measured from the vantage's twin, the method from the vantage itself: neither pays for
what a filter remembers of the other's addresses. `outside`, where nothing filters, tries each tool as well.
"""

import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from testbed.errors import InvalidRunError
from testbed.measurement.ooni import Measurement
from testbed.measurement.passage import Passage
from testbed.measurement.target import Target
from testbed.model import OUTSIDE, OUTSIDE_HOST, Circumvention, Host, Recipe
from testbed.run.events import ends_of, events
from testbed.run.laboratory import Laboratory
from testbed.run.observe import ToMeasure, observe_each
from testbed.run.servers import start_host
from testbed.run.session import Session
from testbed.truth.wayjudge import WayTrial
from testbed.vantage.environment import SBIN
from testbed.vantage.programs import PACKAGES, ProgramError, find_program
from testbed.world.children import Children

_RESULTS = "ways.jsonl"
_MARGIN = 5.0  # seconds above what a service gives itself to become ready: our choice
_MORE_PACKAGES = {"obfs4proxy": "obfs4proxy", "ss-server": "shadowsocks-libev", **PACKAGES}
Tried = Measurement | str  # a text says why the tool did not start


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one recipe came to at one vantage."""

    by_url: Mapping[str, Tried]
    begun: float  # on the clock of the events
    ended: float


def try_ways(session: Session, laboratory: Laboratory) -> tuple[WayTrial, ...]:
    """Try every circumvention of the session's phase and vantages, in the order of the scenario."""
    job = session.job
    ways = [
        way
        for way in session.scenario.circumvention
        if way.phase == session.phase and way.vantage in job.vantages
    ]
    lacking = {way.name: missing(way.recipe) for way in ways}
    possible = [way for way in ways if not lacking[way.name]]
    direct = _measure_direct(session, laboratory, possible)
    outcomes: dict[tuple[str, str], _Outcome] = {}
    for name in dict.fromkeys(way.name for way in possible):
        mine = [way for way in possible if way.name == name]
        for vantages in _rounds(mine):
            found = _Round(session, laboratory, mine).at(vantages)
            outcomes |= {(name, vantage): one for vantage, one in found.items()}
    log = list(events(session.folder.events))
    return tuple(
        WayTrial(way, skipped=lacking[way.name])
        if lacking[way.name]
        else _trial(way, laboratory, direct, outcomes, log)
        for way in ways
    )


def missing(recipe: Recipe) -> str:
    """What this machine lacks for a recipe, by name; "" if nothing."""
    path = {"PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), *SBIN])}
    lacking = []
    for program in recipe.programs:
        try:
            find_program(program, path)
        except ProgramError:
            package = _MORE_PACKAGES.get(program)
            lacking.append(
                f"{program} is not installed" + (f" (apt-get install {package})" if package else "")
            )
    lacking += [
        f"{device} is not there, or not open to this user"
        for device in recipe.devices
        if not os.access(device, os.R_OK | os.W_OK)
    ]
    if recipe.changes_user and _one_user_only():
        lacking.append("it changes its user, which needs root or subordinate ids (see testbed doctor)")
    return "; ".join(lacking)


def _one_user_only() -> bool:
    """Whether this user namespace has one user, who cannot become another: user_namespaces(7)."""
    try:
        return Path("/proc/self/setgroups").read_text("ascii").strip() == "deny"
    except OSError:
        return False


def _rounds(ways: Sequence[Circumvention]) -> list[tuple[str, ...]]:
    """Which vantages try a recipe at once: all, unless its server can have one client only."""
    vantages = (OUTSIDE, *dict.fromkeys(way.vantage for way in ways))
    alone = bool(ways[0].recipe.server) and not ways[0].recipe.together
    return [(vantage,) for vantage in vantages] if alone else [vantages]


Direct = Mapping[tuple[str, Passage, str], Measurement]


def _measure_direct(session: Session, laboratory: Laboratory, ways: Sequence[Circumvention]) -> Direct:
    """Vantage, passage and URL -> what the way that each is compared with comes to, from outside as well."""
    asked: dict[tuple[str, Passage], dict[str, Target]] = {}
    for way in ways:
        for vantage in (way.vantage, OUTSIDE):
            asked.setdefault((vantage, way.instead_of), {})[way.compared_target.url] = way.compared_target
    wanted = [
        ToMeasure(vantage, tuple(targets.values()), laboratory.beside(vantage), passage)
        for (vantage, passage), targets in asked.items()
    ]
    made = observe_each(laboratory, wanted, _RESULTS, session.job.timeout, session.job.ipv) if wanted else []
    keys = [(one.vantage, one.passage, target.url) for one in wanted for target in one.targets]
    return dict(zip(keys, made, strict=True))


class _Round:
    """One recipe with its server, tried from some vantages."""

    def __init__(self, session: Session, laboratory: Laboratory, ways: Sequence[Circumvention]) -> None:
        self._session, self._laboratory, self._ways = session, laboratory, ways
        self._recipe, self._name = ways[0].recipe, ways[0].name
        self._shared = session.folder.path / "ways" / self._name
        self._shared.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._logs = session.folder.path / "logs"

    def at(self, vantages: Sequence[str]) -> dict[str, _Outcome]:
        """Start the server, then the client's services at each vantage, measure, stop all."""
        with ExitStack() as stack:
            refused = dict.fromkeys(vantages, self._started(stack, self._server(), ""))
            begun = self._now()
            clients = {vantage: self._client(vantage) for vantage in vantages}
            waiting = {
                vantage: self._spawn(stack, clients[vantage], vantage)
                for vantage in vantages
                if self._recipe.client and not refused[vantage]
            }
            for vantage, children in waiting.items():
                refused[vantage] = self._ready(children, clients[vantage])
            measured = self._measured([vantage for vantage in vantages if not refused[vantage]])
            ended = self._now()
        return {
            vantage: _Outcome(measured.get(vantage) or self._refusal(vantage, refused[vantage]), begun, ended)
            for vantage in vantages
        }

    def _refusal(self, vantage: str, why: str) -> dict[str, Tried]:
        return {target.url: why or "it did not start" for target in self._targets(vantage)}

    def _now(self) -> float:
        return time.monotonic() - self._laboratory.started_at

    def _targets(self, vantage: str) -> tuple[Target, ...]:
        mine = [way.target for way in self._ways if vantage in (way.vantage, OUTSIDE)]
        return tuple(dict.fromkeys(mine))

    def _measured(self, vantages: Sequence[str]) -> dict[str, dict[str, Tried]]:
        spaces = self._laboratory.world.namespaces
        wanted = [
            ToMeasure(vantage, self._targets(vantage), spaces[vantage], self._passage())
            for vantage in vantages
        ]
        job = self._session.job
        made = observe_each(self._laboratory, wanted, _RESULTS, job.timeout, job.ipv) if wanted else []
        found: dict[str, dict[str, Tried]] = {vantage: {} for vantage in vantages}
        pairs = [(one.vantage, target.url) for one in wanted for target in one.targets]
        for (vantage, url), measurement in zip(pairs, made, strict=True):
            found[vantage][url] = measurement
        return found

    def _passage(self) -> Passage:
        """The recipe's, in which the host `server` stands for the address of its server."""
        passage, server = self._recipe.passage, self._ways[0].server
        if server is None:
            return passage
        address = f"[{server.ipv6[0]}]" if self._session.job.ipv == 6 else server.ipv4[0]
        return replace(passage, proxy=passage.proxy.replace("//server:", f"//{address}:", 1))

    def _server(self) -> Host | None:
        server = self._ways[0].server
        return replace(server, services=self._recipe.server) if server else None

    def _client(self, vantage: str) -> Host:
        return Host(f"{self._name}-{vantage}", at=vantage, services=self._recipe.client)

    def _started(self, stack: ExitStack, host: Host | None, vantage: str) -> str:
        """Start a host's services and wait for them; why they do not serve, "" if they do."""
        return self._ready(self._spawn(stack, host, vantage), host) if host else ""

    def _spawn(self, stack: ExitStack, host: Host, vantage: str) -> Children:
        children = stack.enter_context(Children(self._logs))
        laboratory = self._laboratory
        resolvers = laboratory.resolvers(vantage or OUTSIDE)
        further = self._variables(vantage)
        start_host(children, laboratory.world, host, laboratory.authority, resolvers, self._logs, further)
        return children

    def _ready(self, children: Children, host: Host) -> str:
        longest = max((service.start_within for service in host.services), default=0.0)
        try:
            children.wait_ready(longest + _MARGIN)
        except InvalidRunError as error:
            return str(error)
        return ""

    def _variables(self, vantage: str) -> dict[str, str]:
        """What the recipe's commands find in their environment, besides a host's own variables."""
        server = self._ways[0].server
        places = {"TESTBED_SERVER4": server.ipv4[0], "TESTBED_SERVER6": server.ipv6[0]} if server else {}
        folder = {"TESTBED_SHARED": str(self._shared.resolve()), "TESTBED_PYTHON": sys.executable}
        modules = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
        source = {"PYTHONPATH": os.pathsep.join(filter(None, modules))}
        own = self._recipe.settings
        return {**own, **places, **folder, **source, "TESTBED_VANTAGE": vantage}


def _trial(
    way: Circumvention,
    laboratory: Laboratory,
    direct: Direct,
    outcomes: Mapping[tuple[str, str], _Outcome],
    log: Iterable[Mapping[str, object]],
) -> WayTrial:
    mine, free = outcomes[way.name, way.vantage], outcomes[way.name, OUTSIDE]
    through = mine.by_url[way.target.url]
    own = _addresses(laboratory, way.vantage)
    flows: dict[str, None] = {}
    resolver_rules: dict[str, None] = {}
    for event in log:
        if event["kind"] != "match" or not mine.begun <= float(str(event["t"])) <= mine.ended:
            continue
        flow, censor = str(event["flow"]), str(event["censor"])
        if own & set(ends_of(flow)):
            flows[flow] = None
        elif not flow and censor.partition("/")[0] == way.vantage:
            resolver_rules[f"{censor}/{event['rule']}"] = None
    if isinstance(through, Measurement) and not way.recipe.client:  # nobody else had flows for it
        flows = dict.fromkeys(through.test_keys.flows or ())
    return WayTrial(
        way,
        direct[way.vantage, way.instead_of, way.compared_target.url],
        direct[OUTSIDE, way.instead_of, way.compared_target.url],
        through,
        free.by_url[way.target.url],
        tuple(flows),
        tuple(resolver_rules),
    )


def _addresses(laboratory: Laboratory, vantage: str) -> set[str]:
    if vantage == OUTSIDE:
        return set(OUTSIDE_HOST)
    return set(map(str, laboratory.world.plan.vantage_address(vantage)))
