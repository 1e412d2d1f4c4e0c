"""The rules of docs/architecture.md, read from the source: layers, what a package may import, names, sizes.

A violation is repaired, not excused: there is no list of exceptions.
"""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

LAYERS = (  # bottom to top; a package imports only from layers below its own
    {"errors", "foreignjson", "usercache"},
    {"compiled"},
    {"browser", "capture", "evade", "measurement", "parquet", "shapes"},
    {"censor"},
    {"model"},
    {"world"},
    {"internet"},
    {"scenario"},
    {"middlebox", "probe", "truth", "vantage"},
    {"containers", "dryrun"},
    {"detectors", "run"},
    {
        "conformance",
        "dataset",
        "doctor",
        "evaluation",
        "ladder",
        "live",
        "matrix",
        "monitor",
        "replay",
    },
    {"explain", "labs", "sweep"},
    {"report"},
    {"console", "htmlreport"},
    {"cli", "notebook", "testing"},
)
"""The picture in docs/architecture.md. `testbed/__init__.py` (the Python API) stands above them all."""

MAY_IMPORT = {  # narrower than the layers: the only packages of ours
    "browser": {"errors"},
    "capture": {"errors"},
    "evade": {"errors"},
    "measurement": {"errors"},
    "parquet": {"errors"},
    "shapes": {"errors"},
    "censor": set[str](),
}
MUST_NOT_IMPORT = {  # narrower than the layers
    "middlebox": {"testbed.censor.actions"},  # an action is not known by its class
    "probe": {"testbed.scenario", "testbed.model", "testbed.censor"},  # a detector does not read the policy
    "replay": {"testbed.world", "testbed.internet", "testbed.middlebox", "testbed.vantage", "testbed.run"},
    "detectors": {
        "testbed.world",
        "testbed.middlebox",
        "testbed.vantage",
        "testbed.internet",
    },  # they run nothing
    "run": {"testbed.censor.actions"},  # no technique is special
    "dryrun": {"testbed.censor.actions", "testbed.world", "testbed.middlebox"},  # nor here, and no kernel
    "scenario": {"testbed.world"},  # checking a file touches no kernel
    "truth": {"testbed.censor.actions", "testbed.world", "testbed.internet"},
    "world": {"testbed.censor"},  # a network, not a censor
}
OF_IT_ONLY = {("scenario", "internet"): "testbed.internet.services"}
"""What the first may import of the second: classes that say what a file may name, and load no server."""
IMPURE = {
    "_thread", "asyncio", "datetime", "importlib", "io", "logging", "multiprocessing", "netfilterqueue", "os",
    "pathlib", "pyroute2", "random", "scapy", "secrets", "select", "selectors", "shutil", "signal", "socket",
    "ssl", "subprocess", "tempfile", "threading", "time", "urllib", "uuid",
}  # fmt: skip
"""What the pure core must not import: no I/O, no clock, no processes, no global randomness."""
ONLY_IMPORTED_BY = {
    "pyroute2": (),  # of tests alone
    "netfilterqueue": ("testbed.middlebox", "testbed.world.delay", "testbed.doctor.checks.queueing"),
}


NAMED_BY_THEIR_FOLDER = {
    "actions", "adapters", "cases", "checks", "cli", "kinds", "match", "parsers", "profiles", "sections",
    "services", "strategies", "ways",
}  # fmt: skip
"""Folders of one file per thing: `parsers/dns.py` and `services/dns.py` are different by their folders."""
LONGEST = 500  # lines of a file
MEDIAN = 150


def sources(*folders: str) -> dict[str, str]:
    """Module name -> source text of every Python file under these folders."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path.read_text(
            "utf-8"
        )
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


@cache
def outline(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a source imports, and its public type names; each source is parsed once."""
    tree = ast.parse(text)
    return tuple(imports(tree)), tuple(type_names(tree))


def imports(tree: ast.Module) -> Iterator[str]:
    """Full names of what a source imports, inside functions and for type checkers as well."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide the package"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def violations(modules: Mapping[str, str]) -> set[str]:
    """Imports that break a rule, as "importing module -> imported name"."""
    return {
        f"{module} -> {name}"
        for module, text in modules.items()
        for name in outline(text)[0]
        if not _allowed(module, name)
    }


def _allowed(module: str, name: str) -> bool:
    package, other = _package(module), _package(name)
    if any(
        _within(name, outside) and not _any_within(module, homes)
        for outside, homes in ONLY_IMPORTED_BY.items()
    ):
        return False
    if package == "censor" and name.partition(".")[0] in IMPURE:
        return False
    if package in ("", other) or other is None or name == "testbed.__version__":
        return True
    assert package is not None
    if package in MAY_IMPORT and other not in MAY_IMPORT[package]:
        return False
    if _any_within(name, MUST_NOT_IMPORT.get(package, ())):
        return False
    if (package, other) in OF_IT_ONLY and not _within(name, OF_IT_ONLY[package, other]):
        return False
    return other != "" and _layer(other) < _layer(package)


def _package(name: str) -> str | None:
    """The package of ours that a dotted name is in; "" for the Python API, None for somebody else's."""
    first, _, rest = name.partition(".")
    if first != "testbed":
        return None
    package = rest.partition(".")[0]
    return package if package.islower() and not package.startswith("_") else ""


def _layer(package: str) -> int:
    for number, layer in enumerate(LAYERS):
        if package in layer:
            return number
    raise AssertionError(f"the package {package!r} has no place in LAYERS")


def _within(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


def _any_within(name: str, packages: Iterable[str]) -> bool:
    return any(_within(name, package) for package in packages)


def type_names(tree: ast.Module) -> Iterator[str]:
    """Public classes and type aliases defined at the top of a source."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        else:
            continue
        yield from (name for name in names if re.fullmatch(r"[A-Z]\w*[a-z]\w*", name))


def repeated(modules: Mapping[str, str]) -> set[str]:
    """Public type names that several modules define, as "Name: module, module"."""
    places = defaultdict(list)
    for module, text in modules.items():
        for name in outline(text)[1]:
            places[name].append(module)
    return {f"{name}: {', '.join(found)}" for name, found in places.items() if len(found) > 1}


def repeated_files(modules: Iterable[str]) -> set[str]:
    """File names that several packages use, as "name.py: module, module"."""
    places = defaultdict(list)
    modules = list(modules)
    packages = {module.rpartition(".")[0] for module in modules}
    for module in modules:
        if module in packages:
            continue
        *folders, name = module.split(".")
        if len(folders) > 1 and folders[-1] not in NAMED_BY_THEIR_FOLDER:
            places[name].append(module)
    return {f"{name}.py: {', '.join(found)}" for name, found in places.items() if len(found) > 1}


def test_packages_import_only_what_their_layer_allows() -> None:
    assert sorted(violations(sources("testbed"))) == []


@pytest.mark.parametrize(
    ("module", "line", "allowed"),
    [
        ("testbed.scenario.loader", "from testbed.censor.policy import Policy", True),
        ("testbed.scenario.loader", "from testbed.world import linux", False),  # an arrow that points up
        ("testbed.scenario.hostparts", "from testbed.internet.services import SERVICES", True),
        ("testbed.scenario.hostparts", "from testbed.internet.web import serve_web", False),
        ("testbed.replay.play", "from testbed.conformance.case import Case", False),  # to the side
        ("testbed.censor.core", "from testbed.censor import wire", True),
        ("testbed.censor.core", "from testbed.errors import InputError", False),
        ("testbed.censor.core", "import time", False),
        ("testbed.censor.core", "def f():\n    import os.path", False),  # late imports count as well
        ("testbed.capture.file", "from testbed.measurement.value import Measurement", False),
        ("testbed.truth.judge", "from testbed.censor.policy import Policy", True),
        ("testbed.truth.judge", "from testbed.censor.actions.base import Action", False),
        ("testbed.truth.judge", "from testbed.censor import actions", False),
        ("testbed.replay.play", "from testbed.middlebox.hold import Hold", False),
        ("testbed.run.session", "from testbed import __version__", True),
        ("testbed.run.session", "from testbed import Job", False),
        ("testbed", "from testbed.run.job import Job", True),
        ("testbed.world.build", "import pyroute2.netns", False),
        ("testbed.run.session", "from pyroute2 import IPRoute", False),
        ("testbed.world.build", "from netfilterqueue import Packet", False),
        ("testbed.world.delay", "from netfilterqueue import Packet", True),
    ],
)
def test_the_rules_for_imports(module: str, line: str, *, allowed: bool) -> None:
    assert (violations({module: line}) == set()) is allowed


def test_checking_a_scenario_with_hosts_loads_no_server() -> None:
    code = "import sys, testbed.scenario.hostparts; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    ours = {name for name in loaded.split() if _package(name) == "internet" or name in ("asyncio", "dns")}
    allowed = {"testbed.internet"}
    assert {name for name in ours if not name.startswith("testbed.internet.services")} == allowed


def test_the_picture_shows_the_layers() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    picture = page.partition("```text\n")[2].partition("```")[0]
    rows = [set(re.findall(r"[a-z]+", line)) for line in picture.splitlines()]
    assert "cli" in rows[0]  # beside the Python API and the benchmarks
    assert rows[:0:-1] == list(LAYERS[:-1])


def test_a_package_without_a_layer_is_noticed() -> None:
    with pytest.raises(AssertionError, match="'novelty' has no place in LAYERS"):
        violations({"testbed.novelty.x": "import testbed.errors"})


def test_public_type_names_are_unique() -> None:
    assert sorted(repeated(sources("testbed", "bench", "tools"))) == []


def test_a_repeated_type_name_is_noticed() -> None:
    own = "\nclass _Own: ...\nTOP = 1"
    assert repeated({"a": f"class Target: ...{own}", "b": f"Target = tuple[int]{own}"}) == {"Target: a, b"}


def test_file_names_are_unique() -> None:
    named = [name for name in sources("testbed", "bench", "tools") if not name.endswith(".__main__")]
    assert sorted(repeated_files(named)) == []


def test_a_repeated_file_name_is_noticed() -> None:
    same = ["testbed.a.stream", "testbed.b.stream"]
    different = ["testbed.a.parsers.dns", "testbed.b.services.dns", "testbed.a"]
    assert repeated_files(same + different) == {"stream.py: testbed.a.stream, testbed.b.stream"}


def test_nothing_waits_by_select() -> None:
    """`select.select` fails from descriptor 1,024 on, which a world of many operators reaches."""
    waiting = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "testbed").rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "select.select(" in line
    ]
    assert waiting == []


def test_files_are_short() -> None:
    sizes = {name: len(text.splitlines()) for name, text in sources("testbed", "tests").items()}
    assert {name: size for name, size in sizes.items() if size >= LONGEST} == {}
    assert sorted(sizes.values())[len(sizes) // 2] <= MEDIAN
