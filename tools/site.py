"""Build the documentation as a site, and the manual page: python tools/site.py [--man | --check].

The site needs no network to be built or read. Every warning is an error: a link that leads nowhere, a page
that nothing leads to, a docstring that cannot be read. It is made from a copy of the tracked files, because
the pages link to sources and because Sphinx writes its own pages beside them.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from testbed.cli.main import COMMANDS, PROGRAM

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "build" / "site"
MANUAL = ROOT / "docs" / "testbed.1"


def commands_page() -> str:
    """Every command by its task, as reStructuredText: what `testbed NAME --help` prints."""
    lines = ["Commands", "=" * 8, "", *_click("testbed.cli.main:testbed", PROGRAM, "none")]
    for task in dict.fromkeys(entry.task for entry in COMMANDS.values()):
        lines += [task, "-" * len(task), ""]
        for name, entry in COMMANDS.items():
            if entry.task == task:
                lines += _click(f"{entry.module}:command", f"{PROGRAM} {name}", "full")
    return "\n".join(lines)


def _click(command: str, program: str, nested: str) -> list[str]:
    return [f".. click:: {command}", f"   :prog: {program}", f"   :nested: {nested}", ""]


def stage(folder: Path) -> None:
    """Copy what the pages are made of and link to into `folder`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "README.md").rename(folder / "index.md")
    (folder / "commands.rst").write_text(commands_page())


def sphinx(builder: str, source: Path, out: Path, *more: str) -> int:
    """Run Sphinx without a doctree that would outlive it; its exit status."""
    strict = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", builder]
    places = ["-c", str(ROOT / "docs/site"), "-d", str(source / ".doctrees"), str(source), str(out)]
    return subprocess.run([*strict, *more, *places], cwd=source, check=False).returncode


def build_manual(to: Path) -> int:
    """Write the manual page to the file `to`."""
    with tempfile.TemporaryDirectory() as place:
        source = Path(place, "source")
        source.mkdir()
        (source / "commands.rst").write_text(commands_page())
        status = sphinx("man", source, Path(place, "out"), "-t", "manual")
        if status == 0:
            shutil.copy(Path(place, "out", "testbed.1"), to)
    return status


def build_site(to: Path, builder: str = "html") -> int:
    """Write the site into the folder `to`; the builder `dummy` writes nothing, and complains as much."""
    with tempfile.TemporaryDirectory() as place:
        stage(Path(place))
        return sphinx(builder, Path(place), to)


def main() -> int:
    """Build what was asked for; the exit status is Sphinx's."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--man", action="store_true", help="write docs/testbed.1 instead")
    what.add_argument("--check", action="store_true", help="write nothing, only complain")
    chosen = parser.parse_args()
    if chosen.man:
        return build_manual(MANUAL)
    status = build_site(SITE, "dummy" if chosen.check else "html")
    if status == 0 and not chosen.check:
        print(f"the site is {SITE.relative_to(ROOT)}/index.html")
    return status


if __name__ == "__main__":
    sys.exit(main())
