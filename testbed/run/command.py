"""`testbed run NAME -- COMMAND` and `testbed shell NAME`: any program, as a subscriber."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from testbed.report.nearby import near
from testbed.run.laboratory import Laboratory
from testbed.run.observe import observe
from testbed.run.session import Ending, Session, Work, rules_fired
from testbed.truth.classify import classify
from testbed.truth.receipts import problems as receipt_problems
from testbed.vantage.environment import prepare
from testbed.vantage.execute import run_as
from testbed.vantage.shell import shell_argv


def executing(argv: Sequence[str]) -> Work:
    """Work that runs `argv` and gives its exit status, with the paired control measured afterwards."""

    def work(session: Session, laboratory: Laboratory) -> Ending:
        return _execute(session, laboratory, argv)

    return work


def opening_shell(session: Session, laboratory: Laboratory) -> Ending:
    """Work that opens an interactive shell."""
    place = (session.scenario.name, session.phase, session.vantages[0])
    return _execute(session, laboratory, shell_argv(*place, laboratory.folder.path))


def _execute(session: Session, laboratory: Laboratory, argv: Sequence[str]) -> Ending:
    vantage = session.vantages[0]
    environment = prepare(laboratory.folder.path, laboratory.authority, laboratory.resolvers(vantage))
    status = run_as(laboratory.world.namespaces[vantage], argv, environment)
    laboratory.check()
    controls = _controls(session, laboratory, vantage)
    problems = list(laboratory.finish())
    receipts = session.folder.receipts()
    problems += receipt_problems(receipts, [placement.name for placement in laboratory.placements])
    problems += [
        f"the control {target} was harmed: {label}" for target, label in controls.items() if label != "ok"
    ]
    acted = rules_fired(session)
    more = {"command": list(argv), "command_status": status, "controls": controls, "rules_fired": acted}
    if session.as_json:
        json.dump(more, sys.stderr, ensure_ascii=False)
        print(file=sys.stderr)
    elif problems or not session.quiet:
        _tell(session, acted, controls, problems)
    return Ending(status, tuple(problems), more)


def _controls(session: Session, laboratory: Laboratory, vantage: str) -> dict[str, str]:
    """The first control of the scenario, from the same vantage in the same world: its label."""
    targets = [target.url for target in session.scenario.controls[:1]]
    made = [
        measurement.to_json()
        for measurement in observe(laboratory, {vantage: targets}, session.timeout, session.ipv)
    ]
    by_place: dict[tuple[str, str], Mapping[str, Any]] = {
        (m["annotations"]["vantage"], m["input"]): m for m in made
    }
    return {
        target: classify(by_place[vantage, target], by_place.get(("outside", target))) for target in targets
    }


def _tell(
    session: Session, acted: Mapping[str, int], controls: Mapping[str, str], problems: Sequence[str]
) -> None:
    """What the filters did, on stderr: stdout is the command's."""
    place = f"as {session.vantages[0]} in {session.scenario.name}/{session.phase}"
    did = [f"{rule} ({packets} packet{'s' * (packets != 1)})" for rule, packets in acted.items()]
    did += [f"{rule} (matched, changed nothing)" for rule in _matched(session) if rule not in acted]
    unharmed = ", ".join(f"{target} {label}" for target, label in controls.items())
    print(
        f"testbed: {place}: {', '.join(did) or 'no rule fired'}; control: {unharmed or 'none'}",
        file=sys.stderr,
    )
    for problem in problems:
        print(f"testbed: INVALID RUN: {problem}", file=sys.stderr)
    print(f"testbed: recorded in {near(session.folder.path)}", file=sys.stderr)


def _matched(session: Session) -> list[str]:
    """Every rule that was triggered, by the event stream: "mts/tspu/rule"."""
    events = map(json.loads, (session.folder.path / "events.jsonl").read_text("utf-8").splitlines())
    return list(dict.fromkeys(f"{e['censor']}/{e['rule']}" for e in events if e["kind"] == "match"))
