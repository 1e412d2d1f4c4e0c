"""Trying features in a child process, and reporting what is missing."""

import json
import subprocess
import sys
from collections.abc import Iterable

from testbed.doctor.checks import FEATURES
from testbed.doctor.feature import Feature, Finding, Need
from testbed.errors import InputError, nearest

ALL_SECONDS = 120.0  # our choice: far more than all checks take together


def required() -> list[str]:
    """The features that every world needs."""
    return [feature.name for feature in FEATURES.values() if feature.need is Need.REQUIRED]


def missing(features: Iterable[str] | None = None) -> list[Feature]:
    """Those of the named features (default: the required ones) that this machine lacks.

    Takes about 30 ms for each: call it after a failure, or once before many tests.
    """
    names = required() if features is None else features
    return [finding.feature for finding in examine(names) if not finding.present]


def examine(features: Iterable[str] | None = None) -> list[Finding]:
    """Try the named features (default: all) and report on each, in the catalogue's order.

    Raises InputError for a name that is not in the catalogue.
    """
    chosen = set(FEATURES) if features is None else set(features)
    for name in sorted(chosen - FEATURES.keys()):
        raise InputError.at("doctor", f"unknown feature {name!r}", nearest(name, FEATURES))
    names = [name for name in FEATURES if name in chosen]
    answers = _ask(names) if names else {}
    return [_finding(FEATURES[name], answers.get(name)) for name in names]


def _ask(names: list[str]) -> dict[str, dict[str, str | bool]]:
    """The answers of the checking process by feature name; some are missing if it died."""
    # -P: do not import a folder named testbed in the current directory.
    command = [sys.executable, "-P", "-m", "testbed.doctor.inside", *names]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        output, _ = process.communicate(timeout=ALL_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    answers = (json.loads(line) for line in output.splitlines() if line.endswith("}"))
    return {answer["name"]: answer for answer in answers}


def _finding(feature: Feature, answer: dict[str, str | bool] | None) -> Finding:
    if answer is None:
        return Finding(feature, present=False, detail="the check did not finish", remedy=feature.remedy)
    present = bool(answer["present"])
    remedy = "" if present else str(answer["remedy"]) or feature.remedy
    return Finding(feature, present, str(answer["detail"]), remedy)
