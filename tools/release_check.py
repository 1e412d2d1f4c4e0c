"""Prove a release: python tools/release_check.py [--no-run].

Builds the sdist from the tracked files and the wheel from the sdist, looks into both, installs the wheel in
an empty environment with the pinned versions, and runs the main job there, outside of the checkout. The
first thing that is wrong ends it with exit status 1.
"""

import argparse
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from testbed import __version__
from tools.check_lock import pinned

ROOT = Path(__file__).resolve().parents[1]
JOB = ("run", "twitter-facebook-block-2022-03", "--vantage", "mts", "--vantage", "beeline")
ASSETS = "testbed/console/assets"  # built from packages of others, so not among the tracked files
MANUAL = "share/man/man1/testbed.1"


def versions(root: Path) -> dict[str, str]:
    """The version in each place that has one."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    citation = yaml.safe_load((root / "CITATION.cff").read_text("utf-8"))
    return {
        "pyproject.toml": project["version"],
        "testbed.__version__": __version__,
        "CITATION.cff": str(citation["version"]),
    }


def missing(names: Iterable[str], root: Path) -> list[str]:
    """What a wheel with these files lacks, or has and should not; one line each."""
    there = set(names)
    wanted = {
        f"testbed/_{kind}/{path.relative_to(root / kind)}"
        for kind, pattern in (
            ("scenarios", "**/*.yaml"),
            ("recipes", "*.yaml"),
            ("labs", "*/worksheet.md"),
            ("labs", "*/*.yaml"),
        )
        for path in (root / kind).glob(pattern)
    }
    wanted |= {str(path.relative_to(root)) for path in (root / "testbed").rglob("*.py")}
    ends = (f".data/data/{MANUAL}", ".dist-info/licenses/LICENSE", ".dist-info/entry_points.txt")
    return sorted(
        [f"{name} is not in it" for name in wanted - there]
        + [f"no file …{end}" for end in ends if not any(name.endswith(end) for name in there)]
        + [f"{name} has no place in it" for name in there if "/solution/" in name or "__pycache__" in name]
    )


def build(folder: Path) -> Path:
    """Build the sdist from the tracked files, and the wheel from what is in the sdist; the wheel."""
    source = folder / "source"
    source.mkdir()
    listed = _run("git", "ls-files", "-z", cwd=ROOT).split("\0")
    page = [str(path.relative_to(ROOT)) for path in (ROOT / ASSETS).glob("*")]
    for name in filter(None, [*listed, *page]):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    _run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder), cwd=source)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # from Python 3.11.4 on
        archive.extractall(folder / "unpacked")
    (unpacked,) = (folder / "unpacked").iterdir()
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=unpacked)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """A new environment with the wheel and the pinned versions of what it needs; its `bin`."""
    venv.create(folder / "venv", with_pip=True)
    pins = pinned((ROOT / "requirements.lock").read_text("utf-8"))
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, (version, _) in pins.items()))
    programs = folder / "venv" / "bin"
    _run(str(programs / "pip"), "install", "--quiet", "-c", str(constraints), str(wheel), cwd=folder)
    return programs


def try_out(programs: Path, folder: Path) -> None:
    """Use the installed program as a new user does, in a folder with nothing in it."""
    empty = folder / "empty"
    empty.mkdir()
    testbed = str(programs / "testbed")
    version = _run(testbed, "--version", cwd=empty).strip()
    if version != f"testbed {__version__}":
        sys.exit(f"release-check: the installed program is {version!r}")
    listed = set(re.findall(r"^([a-z0-9-]+) ", _run(testbed, "list", cwd=empty), re.MULTILINE))
    absent = {path.stem for path in (ROOT / "scenarios").glob("*.yaml")} - listed
    if absent:
        sys.exit(f"release-check: the installed library lacks {', '.join(sorted(absent))}")
    if not (programs.parent / MANUAL).exists():
        sys.exit(f"release-check: no manual page at {MANUAL}")
    printed = _run(testbed, *JOB, cwd=empty)
    print("\n".join(line for line in printed.splitlines() if "as expected" in line))


def _run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(
            f"{done.stdout}{done.stderr}release-check: exit status {done.returncode} of {' '.join(command)}"
        )
    return done.stdout


def main(args: Sequence[str] | None = None) -> int:
    """Each step, with a line when it is done."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--no-run", action="store_true", help="build and look, install nothing")
    chosen = parser.parse_args(args)
    found = versions(ROOT)
    if len(set(found.values())) > 1:
        sys.exit(f"release-check: versions differ: {found}")
    with tempfile.TemporaryDirectory() as place:
        wheel = build(Path(place))
        with zipfile.ZipFile(wheel) as archive:
            wrong = missing(archive.namelist(), ROOT)
            if f"{ASSETS}/index.html" not in archive.namelist():
                wrong.append(f"{ASSETS}/index.html is not in it: `make frontend`")
            if wrong:
                sys.exit("\n".join(["release-check: the wheel is not whole:", *wrong]))
        print(f"release-check: {wheel.name}, built from the sdist, is whole")
        if not chosen.no_run:
            try_out(install(wheel, Path(place)), Path(place))
            print("release-check: installed in an empty environment, the main job is as expected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
