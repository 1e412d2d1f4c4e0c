"""A student's detector in worlds whose truth it cannot read: a new one for each try, drawn by a seed."""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from testbed.detectors.adapter import adapter
from testbed.detectors.trials import Standing, Trial
from testbed.errors import InputError
from testbed.evaluation.conduct import Evaluation, plan_of
from testbed.evaluation.spec import EvaluationSpec
from testbed.labs.evidencekinds import DetectorEvidence
from testbed.labs.labfile import Assignment
from testbed.scenario.labels import TABLE
from testbed.scenario.loader import load
from testbed.vantage.seclusion import also_shown

_LIMIT: Final = 15.0  # seconds for one target; our choice
_KEEP: Final = 64 << 10  # bytes of its output; our choice
_LARGEST: Final = 128 << 10  # bytes of a program that is taken; our choice
_WORDS: Final = {
    "ok": "a site that works",
    "broken": "a fault of the server's own",
    "refused": "a server that refuses",
}
_FAILED: Final = ("hung", "crashed", "flooded", "not started", "no verdict")


def read_program(path: Path) -> str:
    """A student's program. InputError if it cannot be one."""
    try:
        raw = path.read_bytes()
        text = raw.decode()
        compile(text, path.name, "exec")
    except OSError as error:
        raise InputError.at(str(path), f"it cannot be read: {error.strerror}", "name your program") from None
    except (ValueError, SyntaxError) as error:
        raise InputError.at(str(path), f"it is no Python program: {error}", "run it once by itself") from None
    if len(raw) > _LARGEST:
        raise InputError.at(
            str(path), f"it has {len(raw)} bytes, and {_LARGEST} are taken", "hand in the program alone"
        )
    return text


def tried(
    assignment: Assignment, file: str, text: str, seed: str, say: Callable[[int, int], None]
) -> DetectorEvidence:
    """Run the program once for each target of a hidden world drawn by `seed`.

    Errors: UnsupportedError if this machine lacks a feature; KeyboardInterrupt.
    """
    with _folders() as (mine, hidden):
        program = mine / "detector.py"
        program.write_text(text, "utf-8")
        scenario = hidden / "world.yaml"
        assignment.write_hidden(scenario, seed)
        command = (sys.executable, str(program), "{target}")
        spec = EvaluationSpec(
            detector="detector",
            adapter="plain",
            command=command,
            scenarios=(str(scenario),),
            limit=_LIMIT,
            keep=_KEEP,
        )
        for part in ("raw", "worlds", "logs"):
            (hidden / part).mkdir()
        plan = plan_of(spec, (load(str(scenario)),))
        (hidden / "plan.json").write_text(json.dumps(plan), "utf-8")
        evaluation = Evaluation.open(spec, hidden)  # no detector sees its folder, nor the scenario in it
        with also_shown(mine):
            evaluation.run(1, lambda done, total, _at_once, _left: say(done, total))
        return counted(file, text, seed, evaluation.trials())


def counted(file: str, text: str, seed: str, trials: Sequence[Trial]) -> DetectorEvidence:
    """What the trials come to. Pure."""
    reader = adapter("plain")
    stood = [(one.standing(reader), one) for one in trials]
    sure = [(how, one) for how, one in stood if how not in ("lab-error", "not met", "another rule")]
    if len(sure) * 3 < len(stood) * 2:
        first = next((one.lab_error for _, one in stood if one.lab_error), "its packets met no rule")
        return DetectorEvidence(
            file, text, seed, failed=f"the laboratory could not try it: {first[:200]}; try again"
        )
    blocked = [(how, one) for how, one in sure if one.blocked]
    free = [(how, one) for how, one in sure if not one.blocked]
    hits = [one for how, one in blocked if how == "hit"]
    named = sum(bool(one.verdict and set(one.verdict.mechanisms) & one.mechanisms) for one in hits)
    wrong = [_case(how, one) for how, one in sure if how not in ("hit", "right")]
    alarms = sum(how != "right" for how, _ in free)  # who says nothing of a free site has not found it free
    return DetectorEvidence(
        file, text, seed, len(hits), len(blocked), alarms, len(free), named, tuple(dict.fromkeys(wrong))
    )


def _case(how: Standing, one: Trial) -> str:
    """What kind of case it was: neither the site nor the rule."""
    words = _WORDS.get(one.outcome, f"a block of the layer {TABLE[one.outcome].layer}")
    return f"{words} ({how})" if how in _FAILED else words


@contextmanager
def _folders() -> Iterator[tuple[Path, Path]]:
    """One for the program, one for the evaluation; their names say nothing."""
    with tempfile.TemporaryDirectory(prefix="d-") as made:
        mine, hidden = Path(made, "p"), Path(made, "h")
        mine.mkdir()
        hidden.mkdir()
        yield mine, hidden
