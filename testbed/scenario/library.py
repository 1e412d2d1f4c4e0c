"""Finds scenarios and worlds by name."""

import os
from pathlib import Path

from testbed.errors import InputError, nearest
from testbed.scenario.lookups import exists, is_file, not_a_file

SUFFIX = ".yaml"
VARIABLE = "TESTBED_SCENARIOS"

_PACKAGE = Path(__file__).resolve().parents[1]


def folders() -> list[Path]:
    """Search path: $TESTBED_SCENARIOS, ./scenarios, the checkout's scenarios/, those inside the wheel."""
    named = [Path(part) for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    candidates = [*named, Path("scenarios"), _PACKAGE.parent / "scenarios", _PACKAGE / "_scenarios"]
    found = {folder.resolve(): folder for folder in reversed(candidates) if folder.is_dir()}
    return [folder for folder in candidates if folder.is_dir() and found[folder.resolve()] == folder]


def names() -> list[str]:
    """Every scenario of the library, sorted."""
    return sorted({path.stem for folder in folders() for path in folder.glob(f"*{SUFFIX}")})


def find(name: str) -> Path:
    """The file of a scenario given by name or path. InputError with the nearest name if there is none."""
    if "/" in name or name.endswith((SUFFIX, ".yml")):
        path = Path(name)
        if is_file(path):
            return path
        if exists(path):
            raise InputError.at("", not_a_file(path), "name a YAML file")
        near = [str(sibling) for sibling in path.parent.glob(f"*{SUFFIX}")] if path.parent.is_dir() else []
        raise InputError.at("", f"there is no scenario file {name!r}", nearest(name, near or names()))
    for folder in folders():
        path = folder / f"{name}{SUFFIX}"
        if name and is_file(path):
            return path
    raise InputError.at("", f"there is no scenario {name[:80]!r}", nearest(name, names()))


def find_world(name: str, beside: Path, place: str) -> Path:
    """The file of a world: a path beside the scenario, or worlds/NAME.yaml beside it or in the library."""
    if name.endswith((SUFFIX, ".yml")):
        candidates = [beside / name]
    else:
        candidates = [folder / "worlds" / f"{name}{SUFFIX}" for folder in (beside, *folders())]
    for path in candidates:
        if is_file(path):
            return path
    known = {path.stem for folder in (beside, *folders()) for path in folder.glob(f"worlds/*{SUFFIX}")}
    raise InputError.at(place, f"there is no world {name[:80]!r}", nearest(name, known))


def recipe_folders(beside: Path) -> list[Path]:
    """Search path of recipes: recipes/ beside the scenario, ./recipes, the checkout's, those in the wheel."""
    candidates = [beside / "recipes", Path("recipes"), _PACKAGE.parent / "recipes", _PACKAGE / "_recipes"]
    return [folder for folder in candidates if folder.is_dir()]


def find_recipe(name: str, beside: Path) -> Path | str:
    """The file of a recipe; if there is none, the remedy."""
    for folder in recipe_folders(beside):
        if is_file(folder / f"{name}{SUFFIX}"):
            return folder / f"{name}{SUFFIX}"
    return nearest(name, recipe_names(beside))


def recipe_names(beside: Path) -> frozenset[str]:
    """Of all that there are."""
    return frozenset(path.stem for folder in recipe_folders(beside) for path in folder.glob(f"*{SUFFIX}"))
