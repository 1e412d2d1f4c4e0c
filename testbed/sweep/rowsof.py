"""The rows of a run's table `trials`, of what was tried."""

import json
from dataclasses import replace
from typing import Any

from testbed.detectors.adapter import Adapter
from testbed.detectors.trials import Trial
from testbed.matrix.cell import MatrixTry
from testbed.matrix.purebox import PureBox


def trial_row(trial: Trial, reader: Adapter) -> dict[str, Any]:
    """A detector's trial, without what differs between two runs of the same: its seconds and its file."""
    said = trial.verdict
    return {
        "vantage": trial.vantage, "target": trial.target, "role": trial.role, "expected": trial.outcome,
        "said": said.said if said else "", "seen": ",".join(said.mechanisms) if said else "",
        "standing": trial.standing(reader), "acted": ",".join(trial.acted or ()),
        "trial": json.dumps(replace(trial, seconds=0.0, raw="").to_json(), ensure_ascii=False),
    }  # fmt: skip


def strategy_row(vantage: str, box: PureBox, made: MatrixTry) -> dict[str, Any]:
    """A strategy's try against a box."""
    return {
        "vantage": vantage, "target": f"https://{box.name}/", "role": "box", "expected": "",
        "said": made.ending.value, "seen": made.packet or made.reason, "standing": made.ending.value,
        "acted": made.rule, "trial": "",
    }  # fmt: skip
