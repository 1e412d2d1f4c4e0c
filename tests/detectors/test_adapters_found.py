"""Adapters are found: the built-in ones, and those that installed packages name in the group."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from testbed.detectors.adapter import EVERYTHING, GROUP, adapter, built_in
from testbed.detectors.verdicts import layer_of
from testbed.errors import InputError
from testbed.scenario.labels import CAUSELESS
from testbed.shapes.known import SHAPES
from testbed.truth.observable import DETECTORS

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/adapter"
LIST = "from testbed.detectors.adapter import every_adapter; print(*every_adapter())"


def installed(folder: Path, entry: str) -> "subprocess.CompletedProcess[str]":
    """List the adapters where a package with this entry point is installed in `folder`."""
    metadata = folder / "sitecheck-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: sitecheck\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\nsitecheck = {entry}\n")
    path = os.pathsep.join(map(str, (folder, EXAMPLE)))
    return subprocess.run(
        [sys.executable, "-c", LIST], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
        check=False, cwd=folder,
    )  # fmt: skip


def test_the_page_names_every_built_in_adapter() -> None:
    page = (ROOT / "docs/adapters.md").read_text("utf-8")
    table = page.partition("|---|---|---|\n")[2].partition("\n\n")[0]
    cells = " ".join(row.split("|")[1] for row in table.splitlines())
    assert set(re.findall(r"`([\w-]+)`", cells)) == set(built_in())


@pytest.mark.parametrize("one", built_in().values(), ids=lambda one: one.name)
def test_a_built_in_adapter_observes_labels_that_there_are(one) -> None:
    assert one.observes <= EVERYTHING | {"portal"}
    assert one.observes
    assert one.title
    assert one.client in ("", *SHAPES)


def test_an_adapter_that_there_is_not() -> None:
    with pytest.raises(InputError, match="there is no adapter 'crul'; did you mean 'curl'"):
        adapter("crul")


def test_the_example_is_found_when_it_is_installed(tmp_path: Path) -> None:
    groups = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    done = installed(tmp_path, groups[GROUP]["sitecheck"])
    assert (done.stderr, "sitecheck" in done.stdout.split(), "curl" in done.stdout.split()) == (
        "",
        True,
        True,
    )


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("no_such_module:X", "it cannot be loaded: ModuleNotFoundError"),
        ("sitecheck_adapter:MECHANISMS", "it is a dict; name an Adapter"),
    ],
)
def test_an_entry_point_that_is_wrong_is_named(tmp_path: Path, entry: str, message: str) -> None:
    done = installed(tmp_path, entry)
    assert done.returncode == 1
    assert message in done.stderr
    assert f"entry point '{entry}' of group testbed.detectors" in done.stderr


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (
            "observes=frozenset({'tls.sni.drp'})",
            "observes of 'mine' has 'tls.sni.drp', which there is not; did you",
        ),
        (
            "schemes=frozenset({'htps'})",
            "schemes of 'mine' has 'htps', which there is not; did you mean 'https'?, or",
        ),
        ("client='crul'", "client of 'mine' has 'crul', which there is not; "),
        (
            "observes=['tls.sni.drop']",
            "observes of 'mine' is ['tls.sni.drop']; write frozenset({…}) of texts",
        ),
        ("schemes='https'", "schemes of 'mine' is 'https'; write frozenset({…}) of texts"),
    ],
)
def test_what_an_adapter_says_of_itself_is_checked(tmp_path: Path, field: str, message: str) -> None:
    source = "from testbed.detectors.adapter import Adapter\n"
    source += f"MINE = Adapter(name='mine', title='Mine', read=lambda output: None, {field})\n"
    (tmp_path / "wrongly.py").write_text(source)
    done = installed(tmp_path, "wrongly:MINE")
    assert done.returncode == 1
    assert message in done.stderr


def test_one_that_exits_when_it_is_imported_is_named(tmp_path: Path) -> None:
    (tmp_path / "leaving.py").write_text("raise SystemExit(0)\n")
    done = installed(tmp_path, "leaving:MINE")
    assert done.returncode == 1
    assert (
        "entry point 'leaving:MINE' of group testbed.detectors: it cannot be loaded: SystemExit(0)"
        in done.stderr
    )


def test_the_examples_own_test_passes() -> None:
    path = os.pathsep.join(map(str, (EXAMPLE, ROOT)))
    own = ["-q", "-p", "no:cacheprovider", "--rootdir", str(EXAMPLE), str(EXAMPLE)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *own],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "1 passed" in done.stdout, done.stdout


def test_layers() -> None:
    labels = ("dns.poison", "ip.drop", "tls.mitm", "http.page", "quic.drop", "throttle", "vpn.drop", "ok")
    layers = ["dns", "ip", "tls", "http", "quic", "volume", "protocol", ""]
    assert [layer_of(label) for label in labels] == layers


# Where an adapter reads more of a tool than the words that truth files have of it: each with the reason.
MORE = {
    "curl": {"dns.poison", "http.page", "quic.drop", "quic.sni.drop"},  # remote_ip, redirect_url, HTTP/3
    "dpi-detector": {"dns.rst", "http.drop", "http.fin"},  # DNS FAIL; its HTTP column
    "zgrab2": {"dns.nxdomain", "dns.error", "dns.drop", "dns.rst", "http.drop", "http.fin", "http.page"},
}  # fmt: skip
LESS = {"curl": {"throttle"}}  # 28 only if the limit is short; slow needs a comparison
NAMES = {"ooni.web_connectivity": "ooni", "curl": "curl", "dpi-detector": "dpi-detector", "zgrab2": "zgrab2"}


@pytest.mark.parametrize("known", [one for one in DETECTORS if one.key in NAMES], ids=lambda one: one.key)
def test_adapters_and_truth_files_agree_on_what_a_tool_can_see(known) -> None:
    name = NAMES[known.key]
    observed, said = adapter(name).observes - {"ip.fin"}, set(known.says) - set(CAUSELESS)
    assert observed - said == MORE.get(name, set())
    assert said - observed == LESS.get(name, set())
