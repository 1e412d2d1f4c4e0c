"""What an adapter is, and where adapters are found.

An adapter is a pure function from a tool's output to verdicts, with what the tool is able to see beside it.
Those of `testbed.detectors.adapters` are built in, one file each. Others come from installed packages that
name them under the entry point group `testbed.detectors` (docs/adapters.md).
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Final

from testbed.detectors.verdicts import Complaint, ToolReport
from testbed.errors import InputError, nearest
from testbed.measurement.kinds import KINDS
from testbed.scenario.labels import CAUSELESS, LABELS
from testbed.shapes.known import SHAPES

GROUP: Final = "testbed.detectors"
EVERYTHING: Final = frozenset(LABELS) - {*CAUSELESS, "portal"}
"""What one measurement can show. Of a portal only the controls speak."""
WEB: Final = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What one run of a tool left."""

    text: str  # standard output, or the file that it wrote
    errors: str = ""  # standard error
    status: int | None = None  # exit status as a shell gives it; None: not known
    target: str = ""  # the target that it was given, if it was one


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """How the output of one tool is read.

    `observes` are the labels that a perfect run of the tool can tell from `ok`: on the others it is not
    scored. `schemes` are the URL schemes of targets that can be given to it.
    """

    name: str  # "curl"
    title: str  # one line for tables
    read: Callable[[ToolOutput], ToolReport]
    observes: frozenset[str] = EVERYTHING
    schemes: frozenset[str] = WEB
    any_scheme: bool = False  # it measures every kind of target, also one that a scenario brings along
    command: tuple[str, ...] = ()  # a command line with {target} or {host} that evaluates with it; (): none
    client: str = ""  # the shape of its first packets (testbed.shapes), if it always has the same

    def report(self, output: ToolOutput) -> ToolReport:
        """What `read` makes of an output. An adapter that fails on it is a complaint, whoever wrote it."""
        try:
            found = self.read(output)
        except (Exception, SystemExit) as error:
            return self._unread(f"{type(error).__name__}: {error}")
        if not isinstance(found, ToolReport):
            return self._unread(f"it returned {found!r:.80}, no ToolReport")
        return found

    def _unread(self, why: str) -> ToolReport:
        message = f"the adapter {self.name} cannot read it: {why}"
        return ToolReport(complaints=(Complaint("not read", "", message),))

    def takes(self, scheme: str) -> bool:
        """Whether targets of that URL scheme can be given to it."""
        return self.any_scheme or scheme in self.schemes


@cache
def built_in() -> dict[str, Adapter]:
    """The adapters of this package, by name."""
    from testbed.detectors import adapters

    modules = [
        importlib.import_module(f"{adapters.__name__}.{one.name}")
        for one in pkgutil.iter_modules(adapters.__path__)
    ]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Adapter)]
    return {one.name: one for one in sorted(found, key=lambda one: one.name)}


def every_adapter() -> dict[str, Adapter]:
    """The built-in adapters, and those of installed packages.

    Errors: InputError for an entry point that cannot be loaded or is no adapter, or that has a name twice.
    """
    found = dict(built_in())
    for entry in entry_points(group=GROUP):
        place = f"entry point {entry.value!r} of group {GROUP}"
        try:
            one = entry.load()
        except (Exception, SystemExit) as error:  # whatever somebody's module does when it is imported
            raise InputError.at(
                place, f"it cannot be loaded: {error!r}", "repair or uninstall its package"
            ) from error
        if not isinstance(one, Adapter):
            raise InputError.at(place, f"it is a {type(one).__name__}", "name an Adapter: docs/adapters.md")
        for message, remedy in _faults(one):
            raise InputError.at(place, message, remedy)
        if one.name in found and found[one.name] is not one:
            raise InputError.at(place, f"there is an adapter {one.name!r} already", "give it another name")
        found[one.name] = one
    return found


def _faults(one: Adapter) -> Iterator[tuple[str, str]]:
    """What would leave the tool without a trial that counts, and without a reason for it."""
    if not isinstance(one.name, str) or not one.name:
        yield f"its name is {one.name!r}", "give it one, as curl"
    for field, given, known, remedy in (
        ("observes", one.observes, {*LABELS}, ""),
        ("schemes", one.schemes, {*KINDS}, ", or set any_scheme for kinds that scenarios bring along"),
        ("client", {one.client} - {""}, {*SHAPES}, ""),
    ):
        if not isinstance(given, frozenset | set):
            yield f"{field} of {one.name!r} is {given!r:.80}", "write frozenset({…}) of texts"
            continue
        for text in sorted(map(str, given)):
            if text not in known:
                yield (
                    f"{field} of {one.name!r} has {text!r}, which there is not",
                    nearest(text, known) + remedy,
                )


def adapter(name: str) -> Adapter:
    """The adapter of that name. InputError if there is none."""
    known = every_adapter()
    if name not in known:
        raise InputError.at("--adapter", f"there is no adapter {name!r}", nearest(name, known))
    return known[name]
