"""The file that a student hands in: what the workbook has, signed with the workbook's own key.

The signature shows that the file is as `testbed lab submit` wrote it, and the key, which workbook it comes
from: two students with the same key worked in the same folder. It does not show who sat there.
"""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from testbed.errors import InputError
from testbed.foreignjson import json_value
from testbed.labs.labfile import Lab
from testbed.labs.workbook import Workbook, WorkEntry, entry_from, is_student

FORMAT: Final = 1
SUFFIX: Final = ".lab"
_MOST: Final = 4 << 20  # bytes of a file that is read


@dataclass(frozen=True, slots=True)
class Submission:
    """A file that was handed in."""

    lab: str
    digest: str  # of the lab's file
    student: str
    code: str  # of the class
    entries: tuple[WorkEntry, ...]
    key: str  # public, hexadecimal
    path: Path

    def answers(self, task: str) -> list[str]:
        """The answers to a task, the first one first."""
        return [one.text for one in self.entries if (one.what, one.task) == ("answer", task)]


def submit(workbook: Workbook, lab: Lab, path: Path) -> None:
    """Write the file, as a whole or not at all.

    Errors: InputError if there is something else than an earlier one of the same; OSError if it cannot be
    written.
    """
    _must_be_earlier(path, (workbook.student, lab.name, workbook.code))
    key = _key(workbook.base / workbook.student / "key")
    content = {
        "format": FORMAT,
        "lab": lab.name,
        "digest": lab.digest,
        "student": workbook.student,
        "class": workbook.code,
        "entries": [
            {"at": one.at, "what": one.what, "task": one.task, "text": one.text} for one in workbook.entries()
        ],
        "key": key.public_key().public_bytes_raw().hex(),
    }
    signed = {**content, "signature": key.sign(_bytes(content)).hex()}
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(json.dumps(signed, indent=1, ensure_ascii=False) + "\n", "utf-8")
    beside.replace(path)


def _must_be_earlier(path: Path, whose: tuple[str, str, str]) -> None:
    """Nothing is there, or a file that `submit` wrote for the same student, lab and class."""
    if not os.path.lexists(path):
        return
    with suppress(InputError):
        if path.is_file():
            earlier = read_submission(path)
            if (earlier.student, earlier.lab, earlier.code) == whose:
                return
    message = "it is there already, and is no file of yours for this lab and class"
    raise InputError.at(str(path), message, "name another, or move it away")


def read_submission(path: Path) -> Submission:
    """The file. InputError if it is none, is cut, is of another version, or was edited."""
    try:
        with path.open("rb") as file:
            found: Any = json_value(file.read(_MOST + 1))
    except OSError as error:
        raise InputError.at(str(path), f"it cannot be read: {error.strerror}") from None
    except ValueError:
        raise InputError.at(
            str(path), "it is no submission, or is cut short", "ask for the file again"
        ) from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InputError.at(
            str(path), f"it is no submission of format {FORMAT}", "use one version for a class"
        )
    try:
        content = {name: found[name] for name in found if name != "signature"}
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(found["key"]))
        key.verify(bytes.fromhex(found["signature"]), _bytes(content))
        entries = tuple(entry_from(one) for one in found["entries"])
        lab, digest, student, code = (_text(found, name) for name in ("lab", "digest", "student", "class"))
        if not is_student(student):
            raise ValueError(f"{student!r} is no student's name")
    except InvalidSignature:
        raise InputError.at(
            str(path), "it was edited after it was written", "ask for the file again"
        ) from None
    except (ValueError, TypeError, KeyError) as error:
        raise InputError.at(str(path), f"it is damaged: {error!r}", "ask for the file again") from None
    return Submission(lab, digest, student, code, entries, str(found["key"]), path)


def _text(values: dict[str, Any], name: str) -> str:
    text: str = values[name]
    if not isinstance(text, str):
        raise TypeError(f"{name} is no text")
    return text


def _bytes(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _key(path: Path) -> Ed25519PrivateKey:
    """The workbook's key, made on first use."""
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text("ascii")))
    except (OSError, ValueError):
        key = Ed25519PrivateKey.generate()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(key.private_bytes_raw().hex(), "ascii")
        return key
