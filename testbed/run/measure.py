"""`testbed run NAME`: every target of the phase from every vantage, judged against the truth."""

import json
import sys
from dataclasses import replace

from testbed.run.laboratory import Laboratory
from testbed.run.observe import observe
from testbed.run.session import Ending, Session
from testbed.truth.expectations import truth
from testbed.truth.judge import judge


def measuring(session: Session, laboratory: Laboratory) -> Ending:
    """Measure, stop everything, compare, print."""
    from testbed.report import table

    expected = truth(session.scenario, session.phase, session.vantages)
    targets: dict[str, list[str]] = {}
    for one in expected:
        targets.setdefault(one.vantage, []).append(one.target)
    found = observe(laboratory, targets, session.timeout, session.ipv)
    broken = laboratory.finish()
    session.folder.write("truth.json", [one.to_json() for one in expected])
    judgement = judge(
        session.scenario,
        session.phase,
        [measurement.to_json() for measurement in found],
        session.folder.receipts(),
        session.vantages,
    )
    judgement = replace(judgement, problems=(*broken, *judgement.problems))
    told = table.summary(judgement)
    if session.as_json:
        json.dump({**told, "folder": str(session.folder.path)}, sys.stdout, ensure_ascii=False, indent=1)
        print()
    else:
        table.show(judgement, session.scenario, session.folder.path)
    return Ending(judgement.exit_status, judgement.problems, told)
