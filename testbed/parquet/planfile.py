"""The plan of a folder that is filled over hours: whoever goes on there must mean the same."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from testbed.errors import InputError
from testbed.parquet.store import put_bytes

PLAN: Final = "plan.json"
_DERIVED: Final = frozenset({"runs", "digests"})  # change with what is given, and say nothing to who gave it


def begin_or_go_on(
    folder: Path, plan: Mapping[str, Any], option: str, words: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Put `plan` into a new or empty folder; in one that was begun it must be the same.

    The plan has what JSON holds, "version" among it. `option` names the folder on the command line;
    `words`: key of the plan -> what the user calls it, as "--seed", where that is another word.

    Errors: InputError that says how the plan there differs, or that the folder has other files.
    """
    text = json.dumps(plan, indent=1, ensure_ascii=False)
    if (folder / PLAN).exists():
        _must_be_same(folder / PLAN, json.loads(text), option, words)
    elif folder.exists() and any(folder.iterdir()):
        raise InputError.at(option, f"{folder} is not empty", "name a new folder, or empty it")
    else:
        put_bytes(folder / PLAN, f"{text}\n".encode("utf-8", "backslashreplace"))  # bytes of a command line


def read_plan(folder: Path) -> dict[str, Any]:
    """The plan of a folder. InputError if it was cut short, or is none."""
    file = folder / PLAN
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError.at(str(file), f"cut short, or no plan ({error})", "name another folder") from None
    return found if isinstance(found, dict) else {}


def _must_be_same(file: Path, new: Mapping[str, Any], option: str, words: Mapping[str, str]) -> None:
    old = read_plan(file.parent)
    if old == new:
        return
    if old.get("version") != new["version"]:
        message = f"made by testbed {old.get('version')}, and this is {new['version']}"
        raise InputError.at(str(file), message, "name a new folder: versions are not mixed")
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    differences = ", ".join(
        _begun(words.get(name, name), old.get(name), new.get(name))
        for name in changed
        if name not in _DERIVED
    )
    message = f"begun {differences}" if differences else "begun with other scenarios: a file was changed"
    remedy = f"give what it was begun with, or a new folder to {option}"
    raise InputError.at(str(file), message, remedy)


def _begun(name: str, old: object, new: object) -> str:
    if isinstance(old, bool):
        return f"with {name}" if old else f"without {name}"
    return f"with {name} {json.dumps(old, ensure_ascii=False)}, not {json.dumps(new, ensure_ascii=False)}"
