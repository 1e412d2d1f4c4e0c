"""A technique in a Python file beside the scenario: loading the class and checking it.

The file is run with the rights of whoever loads the scenario.
"""

import hashlib
import importlib.util
import sys
from pathlib import Path

from testbed.censor.actions.base import Action
from testbed.errors import InputError
from testbed.scenario.document import display, read_bytes
from testbed.scenario.problems import nearest


def load_class(folder: Path, reference: str, place: str) -> tuple[type[Action], Path, str]:
    """`freeze.py:Freeze` -> the class, its file and the file's sha256.

    InputError if the file or class is missing, the file does not run, or the class is not an action.
    """
    file, _, name = reference.partition(":")
    path = folder / file
    if Path(file).name != file or not path.is_file():
        siblings = [entry.name for entry in folder.glob("*.py")]
        raise InputError.at(place, f"there is no file {file!r} beside the scenario", nearest(file, siblings))
    digest = hashlib.sha256(read_bytes(path, place)).hexdigest()
    module_name = f"testbed_plugin_{path.stem}_{digest[:12]}"
    module = sys.modules.get(module_name) or _run(module_name, path, place)
    found = getattr(module, name, None)
    if not isinstance(found, type):
        known = [
            key for key, value in vars(module).items() if isinstance(value, type) and value is not Action
        ]
        raise InputError.at(place, f"{display(path)} has no class {name!r}", nearest(name, known))
    if not issubclass(found, Action):
        remedy = "derive it from testbed.censor.actions.base.Action"
        raise InputError.at(place, f"{name} in {display(path)} is not an action", remedy)
    made = vars(found).get("__dataclass_params__")
    if made is None or not made.frozen:
        raise InputError.at(
            place, f"{name} is not a frozen dataclass", "write @dataclass(frozen=True, slots=True) above it"
        )
    if not found.key:
        raise InputError.at(place, f"{name} has no key", f'write key: ClassVar[str] = "{name.lower()}"')
    return found, path, digest


def _run(module_name: str, path: Path, place: str) -> object:
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses look their module up by name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        line = _line_of(error, path)
        message = f"{display(path)}{line} does not run: {type(error).__name__}: {error}"
        raise InputError.at(place, message, "run it with python to see the whole error") from error
    return module


def _line_of(error: Exception, path: Path) -> str:
    line = getattr(error, "lineno", None)
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f":{line}" if line else ""
