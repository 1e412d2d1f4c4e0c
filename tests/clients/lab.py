"""A world, a real program in it as a subscriber, and what both saw."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from testbed.capture.writer import PcapngWriter
from testbed.conformance.builders import with_model
from testbed.model import Phase, Scenario
from testbed.run.job import Job
from testbed.run.laboratory import Laboratory
from testbed.run.result import Findings
from testbed.run.session import Session, carry_out
from testbed.scenario.loader import load
from testbed.truth.proofs import problems as receipt_problems
from testbed.vantage.environment import SBIN
from testbed.vantage.subscriber import run_as
from testbed.world.children import Children

Rule = Mapping[str, Any]
VANTAGE, BOX = "mts", "mts.hop2"
LISTED, FREE = "twitter.com", "www.wikipedia.org"  # names of the library's world
RESET: Rule = {"name": "listed", "match": {"tls.sni": [LISTED]}, "action": "rst-rewrite"}
SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), *SBIN])
LONGEST = 90  # seconds for one program; our choice
_ETHERNET = 1


@dataclass(frozen=True)
class Server:
    """A program on the far side. `serving` is asked, in that namespace, until it is true."""

    name: str
    argv: Sequence[str]
    serving: Callable[[], bool]


@dataclass(frozen=True)
class Ran:
    """What a program did, and what the boxes did to it."""

    status: int
    out: str
    err: str
    rules: Mapping[str, int]  # "mts/box/rule" -> packets that the kernel counted for it
    folder: Path

    @property
    def events(self) -> list[Any]:
        """events.jsonl."""
        return [json.loads(line) for line in (self.folder / "events.jsonl").read_text("utf-8").splitlines()]

    def matched(self, rule: str) -> list[str]:
        """The flows that the rule matched."""
        return [e["flow"] for e in self.events if (e["kind"], e["rule"]) == ("match", rule)]

    @property
    def capture(self) -> Path:
        """What passed the box's inner side, if it was captured."""
        return self.folder / "in.pcapng"

    @property
    def beyond(self) -> Path:
        """The same of its outer side."""
        return self.folder / "out.pcapng"

    def answers(self) -> Any:
        """What one of our own client programs printed."""
        assert self.status == 0, f"{self.status}\n{self.out}\n{self.err}"
        return json.loads(self.out)


def as_subscriber(
    folder: Path,
    argv: Sequence[str],
    rules: Sequence[Rule] = (),
    *,
    profile: str = "t22",
    model: str | None = None,
    servers: Sequence[Server] = (),
    capture: bool = False,
    longest: int = LONGEST,
    env: Mapping[str, str] | None = None,
) -> Ran:
    """Run `argv` as MTS' subscriber behind one box with `rules` (none: no box); it must be a valid run.

    `model`: the one inspector model that the box follows, instead of its profile's.
    """
    folder.mkdir(parents=True)
    scenario = _scenario(folder, rules, profile, model)
    session = Session.prepare(Job(scenario, vantages=[VANTAGE], command=argv, out=folder / "run"))
    work = partial(_work, argv=argv, servers=servers, capture=capture, longest=longest, env=env or {})
    result = carry_out(session, work)
    path = result.folder
    out, err = ((path / name).read_text("utf-8", errors="replace") for name in ("out", "err"))
    assert result.valid, f"{result.problems}\n{out}\n{err}"
    return Ran(result.exit_status, out, err, result.fired, path)


def python(program: str, *arguments: str) -> list[str]:
    """The command line of one of our client programs, which lie beside this file."""
    return [sys.executable, "-W", "error", str(Path(__file__).with_name(program)), *arguments]


def _scenario(folder: Path, rules: Sequence[Rule], profile: str, model: str | None) -> Scenario:
    file = folder / "client.yaml"
    part = {"title": "A client", "period": "any", "sources": ["our choice"], "operators": [VANTAGE]}
    part |= {"phases": {"on": {VANTAGE: "box"} if rules else {}}, "default_phase": "on"}
    part |= {"censors": {"box": {"profile": profile, "rules": list(rules)}}} if rules else {}
    part |= {"controls": [f"https://{FREE}/"]}
    file.write_text(json.dumps(part), "utf-8")  # JSON is YAML
    scenario = load(str(file))
    if model is None:
        return scenario
    placed = tuple(
        replace(p, policy=replace(p.policy, profile=with_model(profile, model)))
        for p in scenario.phases["on"].placements
    )
    return replace(scenario, phases={"on": Phase(placed)}, path=None)


def _work(
    session: Session,
    laboratory: Laboratory,
    *,
    argv: Sequence[str],
    servers: Sequence[Server],
    capture: bool,
    longest: int,
    env: Mapping[str, str],
) -> Findings:
    path, world = session.folder.path, laboratory.world.namespaces
    environment = laboratory.environment(VANTAGE)
    environment = replace(environment, variables={**environment.variables, **env})
    with Children(path / "logs") as services:
        for server in servers:
            services.spawn(server.name, partial(_serve, server), world["far"])
        if capture:
            for side in ("in", "out"):
                services.spawn(
                    f"capture.{side}", partial(_capture, side, path / f"{side}.pcapng"), world[BOX]
                )
        services.wait_ready(30)
        with (path / "out").open("wb") as out, (path / "err").open("wb") as err:
            bounded = ["timeout", "--kill-after=5", str(longest), *argv]
            status = run_as(
                world[VANTAGE], bounded, environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )
        services.check()
    laboratory.check()
    problems = laboratory.finish()
    placed = [placement.name for placement in laboratory.placements]
    problems += receipt_problems(session.folder.receipts(), placed)
    return Findings(problems=tuple(problems), command_status=status)


def _serve(server: Server, ready: Callable[[], None]) -> NoReturn:
    with subprocess.Popen(server.argv, env={**os.environ, "PATH": SEARCHED}) as process:
        try:
            while not server.serving():
                if process.poll() is not None:
                    raise SystemExit(f"{server.name} ended with {process.returncode} before it served")
                time.sleep(0.02)
            ready()
            raise SystemExit(process.wait() or 1)  # a server ends when it is told to, or something is wrong
        finally:
            process.terminate()


def _capture(side: str, file: Path, ready: Callable[[], None]) -> None:
    """Write every packet of one of the box's interfaces, until SIGTERM."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sniffed, file.open("wb") as out:
        sniffed.bind((side, 0))
        writer = PcapngWriter(out)
        ready()
        try:
            while True:
                data = sniffed.recv(1 << 16)
                writer.packet(side, _ETHERNET, time.time_ns(), data, len(data))
        finally:
            sniffed.setblocking(False)
            while (data := _next(sniffed)) is not None:
                writer.packet(side, _ETHERNET, time.time_ns(), data, len(data))


def _next(sniffed: socket.socket) -> bytes | None:
    try:
        return sniffed.recv(1 << 16)
    except BlockingIOError:
        return None


def found(program: str) -> str | None:
    """The program's path. Servers lie in folders that an ordinary user's PATH lacks."""
    return shutil.which(program, path=SEARCHED)


def needs(program: str, package: str) -> pytest.MarkDecorator:
    """A mark: skip without this program, and say which package has it."""
    reason = f"the program {program} is missing (sudo apt-get install {package})"
    return pytest.mark.skipif(found(program) is None, reason=reason)


def listening(address: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> Callable[[], bool]:
    """Whether something has that port: a question for `Server.serving`."""

    def asked() -> bool:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, kind) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                return True
            return False

    return asked
