"""What a detector under trial must not see: every file in which the truth stands, or stood."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from testbed.errors import InputError
from testbed.evaluation.spec import EvaluationSpec
from testbed.scenario import library, lookups
from testbed.scenario.loader import load
from testbed.usercache import own_folder
from testbed.vantage.hiding import HiddenFiles

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_EARLIER: Final = ("evaluations", "runs")  # where earlier records are, unless `--out` says otherwise
_CACHE: Final = "runet-testbed"


def concealed(command: Iterable[str], secret: Iterable[str], scratch: Path) -> HiddenFiles:
    """`secret` files, the library, and the records of earlier runs.

    `command`: the detector's words: a folder in which it lies itself stays, without the scenarios. `scratch`:
    the folder, with a neutral name, in which the worlds and the detector's own folder are.
    """
    programs = [os.path.realpath(word) for word in command if word.startswith("/")]
    cache = own_folder(_CACHE)
    whole = [scratch, *library.folders(), *map(Path, _EARLIER), *([cache] if cache else [])]
    emptied, removed = [], list(secret)
    for folder in map(os.path.realpath, whole):
        if any(program.startswith(f"{folder}/") for program in programs):
            removed += [str(path) for path in Path(folder).glob(f"*{library.SUFFIX}")]
        else:
            emptied.append(folder)
    within = tuple(f"{folder}/" for folder in emptied)
    left = [path for path in dict.fromkeys(removed) if not path.startswith(within)]
    return HiddenFiles(emptied=tuple(dict.fromkeys(emptied)), removed=tuple(left))


def secret_files(spec: EvaluationSpec, scenario: Path | None, folder: Path) -> tuple[str, ...]:
    """The evaluation's folder, its scenarios, and whatever this one is made from, by their real paths.

    Files of this program say nothing that is not public.
    """
    found = [folder]
    for name in spec.scenarios:
        with suppress(InputError):  # it is gone
            found.append(library.find(name))
    if scenario is not None:
        with lookups.noting() as looked_at, suppress(InputError):
            load(scenario)
        found += [Path(path) for path, digest in looked_at.items() if digest != lookups.ABSENT]
    real = dict.fromkeys(map(os.path.realpath, found))
    return tuple(path for path in real if not path.startswith(f"{_PACKAGE}/"))
