"""One recipe in a world: its server and its tool are started, a client goes through, all is taken back."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from testbed.errors import InvalidRunError
from testbed.internet.launchcontainer import order_for
from testbed.internet.services.container import RunningContainer
from testbed.measurement.passage import Passage
from testbed.measurement.target import Target
from testbed.model import OUTSIDE, Circumvention, Host
from testbed.model.clientway import Step
from testbed.run.laboratory import Laboratory
from testbed.run.observe import ToMeasure, observe_each
from testbed.run.servers import FILES, start_host
from testbed.run.session import Session
from testbed.run.toolwatch import cleaned, machine_state
from testbed.truth.toolrun import Fetched, ToolEnding, ToolRun
from testbed.truth.wayjudge import Tried
from testbed.vantage.subscriber import spawn_as
from testbed.world import linux
from testbed.world.children import Children, call, run_program
from testbed.world.confine import become_root_of_commands

if TYPE_CHECKING:
    from testbed.middlebox.reached import FlowsWith

RESULTS: Final = "ways.jsonl"
_MARGIN: Final = 5.0  # seconds above what a service gives itself to become ready: our choice
_LAST_WORDS: Final = 300  # characters


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What one recipe came to at one vantage."""

    by_url: Mapping[str, Tried]
    begun: float  # on the clock of the events
    ended: float
    tool: ToolRun
    answered: Mapping[str, int]  # host of a target -> new flows of the subscriber's that this site answered


class ToolRound:
    """One recipe with its server, tried from some vantages."""

    def __init__(self, session: Session, laboratory: Laboratory, ways: Sequence[Circumvention]) -> None:
        self._session, self._laboratory, self._ways = session, laboratory, ways
        self._recipe, self._name = ways[0].recipe, ways[0].name
        self._shared = session.folder.path / "ways" / self._name
        self._shared.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._logs = session.folder.path / "logs"
        self._spaces = laboratory.world.namespaces

    def at(self, vantages: Sequence[str]) -> dict[str, ToolOutcome]:
        """Start the server, then the client's services at each vantage, measure, stop all, clean up.

        Errors: InvalidRunError if something that the tool left cannot be removed.
        """
        server = self._server()
        places = [*vantages, *([server.key] if server else [])]
        before = {place: machine_state(self._spaces[place]) for place in places}
        had = {vantage: self._flows(vantage) for vantage in vantages}
        refused = dict.fromkeys(vantages, "")
        measured: dict[str, dict[str, Tried]] = {}
        with ExitStack() as stack:
            try:
                refused = dict.fromkeys(vantages, self._started(stack, server, ""))
                begun = self._now()
                tools = self._tools(stack, refused)
                measured = self._through([vantage for vantage in vantages if not refused[vantage]])
                ended = self._now()
                crashed = {vantage: _crash(children) for vantage, children in tools.items()}
            finally:
                stack.close()
                left = {place: cleaned(self._spaces[place], before[place], self._name) for place in places}
        return {
            vantage: ToolOutcome(
                measured.get(vantage) or self._refusal(vantage, refused[vantage]),
                begun,
                ended,
                self._fact(vantage, left[vantage], refused[vantage], crashed.get(vantage, "")),
                {host: len(now.since(had[vantage][host])) for host, now in self._flows(vantage).items()},
            )
            for vantage in vantages
        }

    def _tools(self, stack: ExitStack, refused: dict[str, str]) -> dict[str, Children]:
        """Start the client's services, where the server serves; why they do not serve is noted."""
        clients = {vantage: self._client(vantage) for vantage in refused}
        waiting = {
            vantage: self._spawn(stack, clients[vantage], vantage)
            for vantage in refused
            if self._recipe.client and not refused[vantage]
        }
        for vantage, children in waiting.items():
            refused[vantage] = self._ready(children, clients[vantage])
        return {vantage: children for vantage, children in waiting.items() if not refused[vantage]}

    def _fact(self, vantage: str, left: ToolRun, refused: str, crashed: str) -> ToolRun:
        why = refused or crashed
        ending: ToolEnding = _how_it_failed(refused) if refused else "crash" if crashed else ""
        return replace(left, ending=ending, why=why, resolvers=self._changed_resolvers(vantage))

    def _changed_resolvers(self, vantage: str) -> str:
        if not self._recipe.client:
            return ""
        file = FILES / self._client(vantage).key / "files/etc/resolv.conf"
        given = "".join(f"nameserver {one}\n" for one in self._laboratory.resolvers(vantage)[:3])
        with suppress(OSError):
            found = file.read_text("utf-8", "replace")
            return "" if found == given else found
        return ""

    def _flows(self, vantage: str) -> dict[str, "FlowsWith"]:
        """Host of a target -> the subscriber's own flows with that site."""
        hosts = {target.host for target in self._targets(vantage)}
        return {host: self._laboratory.flows_with(vantage, host) for host in hosts}

    def _refusal(self, vantage: str, why: str) -> dict[str, Tried]:
        return {target.url: why or "it did not start" for target in self._targets(vantage)}

    def _now(self) -> float:
        return time.monotonic() - self._laboratory.started_at

    def _targets(self, vantage: str) -> tuple[Target, ...]:
        mine = [way.target for way in self._ways if vantage in (way.vantage, OUTSIDE)]
        return tuple(dict.fromkeys(mine))

    def _through(self, vantages: Sequence[str]) -> dict[str, dict[str, Tried]]:
        """Vantage and URL -> what a client came to by the recipe's way, which is set up meanwhile."""
        server = self._ways[0].server
        job, way = self._session.job, self._recipe.way
        far = (server.ipv6 if job.ipv == 6 else server.ipv4) if server else ()
        steps = way.steps(job.ipv, far)
        with ExitStack() as stack:
            for vantage in vantages:
                for step in steps:
                    self._set_up(stack, step, vantage)
            return self._fetched(vantages) if way.command else self._measured(vantages)

    def _set_up(self, stack: ExitStack, step: Step, vantage: str) -> None:
        what = f"{self._name} at {vantage}"

        def change(argv: Sequence[str]) -> str:
            become_root_of_commands()
            return run_program(argv, what)

        def run(argv: Sequence[str]) -> None:
            call(partial(change, argv), namespace=self._spaces[vantage], name=what)

        def undo() -> None:
            with suppress(InvalidRunError):  # its device has gone, and the route with it; what stays is found
                run(step.undo)

        run(step.do)
        stack.callback(undo)

    def _measured(self, vantages: Sequence[str]) -> dict[str, dict[str, Tried]]:
        passage = self._passage()
        wanted = [
            ToMeasure(vantage, self._targets(vantage), self._spaces[vantage], passage) for vantage in vantages
        ]
        job = self._session.job
        made = observe_each(self._laboratory, wanted, RESULTS, job.timeout, job.ipv) if wanted else []
        found: dict[str, dict[str, Tried]] = {vantage: {} for vantage in vantages}
        pairs = [(one.vantage, target.url) for one in wanted for target in one.targets]
        for (vantage, url), measurement in zip(pairs, made, strict=True):
            found[vantage][url] = measurement
        return found

    def _fetched(self, vantages: Sequence[str]) -> dict[str, dict[str, Tried]]:
        """The same by the recipe's own client, one target after another, all vantages at once."""
        found: dict[str, dict[str, Tried]] = {vantage: {} for vantage in vantages}
        for number in range(max((len(self._targets(vantage)) for vantage in vantages), default=0)):
            running: dict[tuple[str, str], subprocess.Popen[bytes] | _InContainer] = {}
            for vantage in vantages:
                for target in self._targets(vantage)[number : number + 1]:
                    running[vantage, target.url] = self._client_of(vantage, target.url)
            end = time.monotonic() + (limit := self._recipe.way.limit)
            for (vantage, url), process in running.items():
                ended = _waited(process, max(0.0, end - time.monotonic()))
                found[vantage][url] = replace(ended, limit=limit)
        return found

    def _client_of(self, vantage: str, url: str) -> "subprocess.Popen[bytes] | _InContainer":
        environment = self._laboratory.environment(vantage, f"ways/{self._name}/machine-{vantage}")
        own = {**os.environ, **self._variables(vantage), "TESTBED_TARGET": url}
        if image := self._recipe.way.container:
            log = self._logs / f"{self._name}-{vantage}.fetch.log"
            log.write_bytes(b"")
            order = order_for(image, self._recipe.way.command, environment.for_program(own), environment.tree)
            pods = self._laboratory.pods
            start = pods.starting(vantage) if pods else None
            assert start is not None, "a recipe whose image is lacking is skipped"
            return _InContainer(start(replace(order, log=str(log))), log)
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        command = self._recipe.way.command
        folder = self._recipe.path.parent if self._recipe.path else None
        return spawn_as(
            self._spaces[vantage],
            ["/bin/sh", "-c", command],
            environment,
            own,
            cwd=folder,
            start_new_session=True,
            **streams,
        )

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
        authority, pods = laboratory.authority, laboratory.pods
        start_host(children, laboratory.world, host, authority, resolvers, self._logs, further, pods)
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


def _crash(children: Children) -> str:
    """Why a tool that was ready has ended meanwhile; "" if it runs."""
    try:
        children.check()
    except InvalidRunError as error:
        return str(error)
    return ""


def _how_it_failed(why: str) -> ToolEnding:
    """What kept a tool from becoming ready, by what `testbed.internet.launch` says of it."""
    if "not ready after" not in why:
        return "crash"
    return "hang" if "listens on nothing" in why else "other port"


@dataclass(frozen=True, slots=True)
class _InContainer:
    """A client that runs in a container."""

    running: RunningContainer
    log: Path


def _waited(process: "subprocess.Popen[bytes] | _InContainer", seconds: float) -> Fetched:
    if isinstance(process, _InContainer):
        ended = bool(linux.Poller([process.running.fileno()]).wait(seconds))
        status = process.running.status() if ended else None
        process.running.stop()
        return Fetched(status, _last_words(process.log.read_bytes()))
    try:
        said, _ = process.communicate(timeout=seconds)
        status = process.returncode
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        status = None
    return Fetched(status, _last_words(said))


def _last_words(said: bytes) -> str:
    return said.decode("utf-8", "replace").strip()[-_LAST_WORDS:]
