"""Check, without the network, that the locks match pyproject.toml.

Every requirement of the project must have a pin that satisfies it, and every pin with the project as its
reason must still be required. Exit status 1 with one line per disagreement; `make lock` repairs it.
"""

import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = {
    "requirements.lock": ("dev", "ooni", "site"),
    "requirements-slow.lock": None,
}  # name -> extras that it pins


def requirements(pyproject: dict, extras: Sequence[str] | None = None) -> dict[str, Requirement]:
    """Every requirement of the project and these extras (None: all), by canonical name."""
    project = pyproject["project"]
    optional = project["optional-dependencies"]
    chosen = optional if extras is None else extras
    groups = [project["dependencies"], *(optional[extra] for extra in chosen)]
    requirements = [Requirement(line) for group in groups for line in group]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def pinned(lock: str) -> dict[str, tuple[str, bool]]:
    """Every pin by canonical name: its version, and whether the project itself requires it."""
    entries = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)
    pins = {}
    for entry in entries:
        if pin := re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", entry):
            pins[canonicalize_name(pin[1])] = (pin[2], "(pyproject.toml)" in entry)
    return pins


def disagreements(pyproject: dict, lock: str, extras: Sequence[str] | None = None) -> list[str]:
    """The disagreements, one line each. `extras`: those in the lock (None: all)."""
    needed, pins = requirements(pyproject, extras), pinned(lock)
    found = [f"{name} is not pinned" for name in needed.keys() - pins.keys()]
    for name, (version, direct) in pins.items():
        requirement = needed.get(name)
        if requirement and not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{name} is pinned to {version}, but pyproject.toml asks for {requirement}")
        if direct and not requirement:
            found.append(f"{name} is pinned, but pyproject.toml does not ask for it any more")
    return sorted(found)


def main() -> int:
    """Print the disagreements of this checkout."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = [
        f"{name}: {line}"
        for name, extras in LOCKS.items()
        for line in disagreements(pyproject, (ROOT / name).read_text(), extras)
    ]
    for line in found:
        print(f"{line}; run `make lock`", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
