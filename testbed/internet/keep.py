"""A certificate authority that is kept in a folder over runs, so that its root need be trusted only once."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.exceptions import InvalidSignature

from testbed.errors import InputError
from testbed.internet.authority import Authority

ROOT, INTERMEDIATE, KEY = "root.pem", "intermediate.pem", "key.pem"
_FILES = (KEY, INTERMEDIATE, ROOT)  # as they are written
_OPTION = "--authority"
_PRIVATE = 0o077  # permissions that neither folder nor key may give
_LEFT = timedelta(days=90)  # a leaf's life: what an authority must outlive


def kept_authority(folder: Path) -> Authority:
    """The authority of `folder`, which is made on first use: key.pem (0600), intermediate.pem, root.pem.

    Whoever reads the key can impersonate every site to those who trust the root. Errors: InputError if folder
    or key can be read or written by others or belong to somebody else, if the files do not belong together,
    are incomplete or have expired, or if there is something else in the folder.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(folder):
            _must_be_private(folder, "700")
            found = {entry.name for entry in folder.iterdir()}
            if not found & set(_FILES):
                if found:
                    raise _wrong(
                        f"{folder} holds no authority, but other files", "name a new or empty folder"
                    )
                _write(folder, Authority.create())
            return _read(folder)
    except OSError as error:
        raise _wrong(f"{error.filename or folder}: {error.strerror}", "name a folder of your own") from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two runs may be started at once, and the first use makes the files."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _must_be_private(path: Path, mode: str) -> None:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode) and path.name in _FILES:
        raise _wrong(f"{path} is a link", "put the file itself there")
    status = path.stat()
    if status.st_uid != os.geteuid():
        raise _wrong(f"{path} belongs to somebody else (user {status.st_uid})", "name a folder of your own")
    if status.st_mode & _PRIVATE:
        raise _wrong(
            f"{path} is open to others (mode {stat.S_IMODE(status.st_mode):o})",
            f"if nobody had a chance to read it: chmod {mode} {path}; otherwise name a new folder",
        )


def _write(folder: Path, authority: Authority) -> None:
    for name, text in zip(_FILES, reversed(authority.to_pem()), strict=True):
        handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if name == KEY else 0o644)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)


def _read(folder: Path) -> Authority:
    for name in _FILES:
        if not (folder / name).is_file():
            raise _wrong(f"{folder} lacks {name}", "restore it, or name a new folder")
    _must_be_private(folder / KEY, "600")
    texts = [(folder / name).read_text("ascii", "replace") for name in (ROOT, INTERMEDIATE, KEY)]
    try:
        authority = Authority.from_pem(*texts)
        authority.intermediate.verify_directly_issued_by(authority.root)
        authority.root.verify_directly_issued_by(authority.root)
        matching = authority.key.public_key() == authority.intermediate.public_key()
    except (ValueError, TypeError, InvalidSignature) as error:
        raise _wrong(
            f"the files of {folder} are not an authority: {error or 'a wrong signature'}", _NEW
        ) from error
    if not matching:
        raise _wrong(f"{folder / KEY} does not match {INTERMEDIATE}", _NEW)
    for name, certificate in ((ROOT, authority.root), (INTERMEDIATE, authority.intermediate)):
        if certificate.not_valid_after_utc < datetime.now(UTC) + _LEFT:
            raise _wrong(f"{folder / name} ends on {certificate.not_valid_after_utc:%Y-%m-%d}", _NEW)
    return authority


_NEW = "name a new folder, and trust its root.pem instead"


def _wrong(message: str, remedy: str) -> InputError:
    return InputError.at(_OPTION, message, remedy)
