"""What the steps of resolving share: the document, its world, the files read, the problems found."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from testbed.errors import InputError
from testbed.model import World
from testbed.scenario.document import Document
from testbed.scenario.lookups import note
from testbed.scenario.problems import Loc, Problems


@dataclass(slots=True)
class Sources:
    """The state of resolving one scenario."""

    document: Document
    world: World
    problems: Problems
    files: dict[str, str] = field(default_factory=dict)  # path -> sha256
    remarks: list[str] = field(
        default_factory=list
    )  # about files, and no fault: "names.txt: 2 lines converted"
    broken: set[tuple[str, str]] = field(default_factory=set)  # (phase, operator) that lacks a wrong censor

    def used(self, path: Path, digest: str) -> None:
        """Note a file by its path from the scenario's folder, which is the same on every machine."""
        folder = self.document.folder.resolve()
        full = path.resolve()
        inside = full.is_relative_to(folder)
        name = full.relative_to(folder) if inside else Path(full.parent.name, full.name)
        self.files[str(name)] = digest
        note(path, digest)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """An InputError raised inside is noted, and what follows it inside is left out."""
        try:
            yield
        except InputError as error:
            self.problems.found.extend(error.problems)

    def add(self, loc: Loc, message: str, remedy: str = "") -> None:
        """Note a problem at a place of the scenario file."""
        self.problems.add(self.document, loc, message, remedy)
