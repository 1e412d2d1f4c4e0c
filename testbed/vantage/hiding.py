"""Files that a command must not see: what it is to find out stands in them.

It is done before the command steps down (`testbed.world.confine`): its own namespace has the mounts locked,
so that no root in it can take them away and see what lies below. A list of mounts has the path of each: a
folder from which something is taken out is built again, of all the rest that it has, and no mount has the
lost name.
"""

import json
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from testbed.world.linux import MS_BIND, MS_NODEV, MS_NOSUID, MS_REC, mount

_MOST: Final = 4000  # entries of a folder that is built again; our choice
_RECORDS: Final = ("plan.json", "scenario.json")  # whoever has one of them is an evaluation, or a run


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenFiles:
    """What a command does not see, by real paths."""

    emptied: tuple[str, ...] = ()  # folders whose paths say nothing: they are in its list of mounts
    removed: tuple[str, ...] = ()  # what is not there; beside it no run's record is, either

    def __bool__(self) -> bool:
        return bool(self.emptied or self.removed)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """What `text` made; of "", nothing."""
        found = json.loads(text) if text else {}
        return cls(**{name: tuple(paths) for name, paths in found.items()})

    def text(self) -> str:
        """As text."""
        return json.dumps(asdict(self))


def hide(what: HiddenFiles, kept: Iterable[Path]) -> None:
    """Hide it from this process, which has mounts of its own and the world's rights.

    `kept`: small files that stay wherever they are; so does the working folder, which may be empty then.

    Errors: OSError.
    """
    here = Path.cwd()
    contents = {path: path.read_bytes() for path in kept}
    for folder, names in sorted(_by_folder(what.removed).items()):
        if not Path(folder).is_dir():  # it went with a folder above
            continue
        if folder == "/" or sum(1 for _ in Path(folder).iterdir()) > _MOST:
            for name in names:
                _cover(f"{folder}/{name}")
        else:
            _build_without(folder, names)
    for folder in what.emptied:
        if Path(folder).is_dir():
            _cover(folder)
    for path, content in contents.items():
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    if not here.is_dir():
        here.mkdir(parents=True)
    os.chdir(here)  # by its path: the former one would lead to what lies below


def trust_stores(variables: Mapping[str, str]) -> list[Path]:
    """The files of authorities to which a subscriber's environment leads."""
    bundle = variables.get("SSL_CERT_FILE")
    return sorted(Path(bundle).parent.glob("*.*")) if bundle else []


def _by_folder(paths: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in paths:
        if os.path.lexists(path):
            found.setdefault(str(Path(path).parent), set()).add(Path(path).name)
    return found


def _cover(path: str) -> None:
    if Path(path).is_dir():
        mount("none", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    elif Path(path).exists():
        mount("/dev/null", path, flags=MS_BIND)


def _build_without(folder: str, names: set[str]) -> None:
    """Put a folder in memory over `folder`, with all that it has but `names`."""
    below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        mode = stat.S_IMODE(os.fstat(below).st_mode)
        mount("none", folder, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode:o}")
        with os.scandir(below) as entries:
            for entry in entries:
                if entry.name not in names:
                    with suppress(OSError):  # a file system of another user's: the command could not enter it
                        _show(entry, f"/proc/self/fd/{below}/{entry.name}", f"{folder}/{entry.name}")
    finally:
        os.close(below)


def _show(entry: "os.DirEntry[str]", source: str, place: str) -> None:
    if entry.is_symlink():
        Path(place).symlink_to(os.readlink(source))  # noqa: PTH115 (word for word)
    elif entry.is_dir(follow_symlinks=False):
        if not any(os.path.lexists(f"{source}/{record}") for record in _RECORDS):
            Path(place).mkdir()
            mount(source, place, flags=MS_BIND | MS_REC)
    else:
        Path(place).touch()
        mount(source, place, flags=MS_BIND)
