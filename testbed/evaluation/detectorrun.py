"""One run of a detector's command at a vantage of a held world, in a neutral folder and environment."""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from testbed.detectors.adapter import ToolOutput
from testbed.detectors.trials import TrialEnding
from testbed.errors import TestbedError
from testbed.evaluation import guard
from testbed.evaluation.spec import EvaluationSpec, command_line
from testbed.run.open import StandingWorld
from testbed.vantage.hiding import HiddenFiles

_MORE = 30.0  # seconds beyond the limit that the guard itself may take on a busy machine; our choice
_PREFIX = "run-"  # of the neutral folder: it says nothing


@dataclass(frozen=True, slots=True)
class DetectorRun:
    """How it ended, and what it printed."""

    output: ToolOutput
    ending: TrialEnding
    seconds: float = 0.0
    left: int = 0  # processes that it left behind; they were killed
    full: bool = False  # it filled its folder, which has a limit
    lab_error: str = ""  # why it could not be run at all


def run_detector(
    world: StandingWorld, spec: EvaluationSpec, vantage: str, target: str, hidden: HiddenFiles
) -> DetectorRun:
    """Run the command once. It never raises: what the laboratory could not do is in `lab_error`.

    What is `hidden` is not there for the detector, which can write to its own folder alone.
    """
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    settings: dict[str, object] = {"limit": spec.limit, "keep": spec.keep, "stop": spec.stop, "tty": spec.tty}
    settings |= {"room": True}
    argv = [sys.executable, "-I", "-S", guard.__file__]
    try:
        done = world.run(
            [*argv, *command_line(spec.command, target)],
            vantage=vantage,
            nameless=True,
            read_only=True,
            hidden=hidden,
            env=neutral(folder, spec),
            cwd=folder,
            input=json.dumps(settings).encode(),
            capture_output=True,
            timeout=spec.limit + _MORE,
        )
        report = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return _failed("the guard beside the detector did not end", target)
    except ValueError:
        return _failed(f"the guard ended with {done.returncode}: {done.stderr[-300:]!r}", target)
    except TestbedError as error:
        return _failed(str(error), target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text, errors = (
        base64.b64decode(report[name]).decode("utf-8", "replace") for name in ("stdout", "stderr")
    )
    output = ToolOutput(text.replace("\r\n", "\n"), errors, report["status"], target)
    return DetectorRun(output, report["ending"], report["seconds"], report["left"], report["full"])


def neutral(folder: Path, spec: EvaluationSpec) -> Mapping[str, str]:
    """An environment that says nothing of the laboratory. The world adds where its trust stores are."""
    plain = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
    }
    given = (variable.partition("=") for variable in spec.env)
    return plain | {name: value if equals else os.environ.get(name, "") for name, equals, value in given}


def _failed(why: str, target: str) -> DetectorRun:
    return DetectorRun(ToolOutput("", target=target), "done", lab_error=why)
