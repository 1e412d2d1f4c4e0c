"""OONI's own programs on its 13 published vectors; the two are given by path (docs/ooni.md)."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from testbed import open_world
from tests.detectors.ooni_vectors import KEYS, PUBLISHED

PROGRAMS = ("TESTBED_MINIOONI", "TESTBED_OOHELPERD")
MISSING = [name for name in PROGRAMS if not Path(os.environ.get(name, "")).is_file()]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.world,
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)}: no path of OONI's program"),
]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Phase -> the measurement's keys and the rules that acted; all phases in one world."""
    miniooni, helper = (os.environ[name] for name in PROGRAMS)
    folder = tmp_path_factory.mktemp("ooni")
    serve = [f"helper.ooni.example:8080='{helper}' -api-endpoint $TESTBED_IPV4:8080"]
    found: dict[str, dict[str, Any]] = {}
    with open_world("ooni-vectors", vantages=["mts"], serve=serve, out=folder / "run") as world:
        for phase, (target, *_) in PUBLISHED.items():
            world.phase(phase, fresh=True)
            out = folder / f"{phase}.jsonl"
            line = [miniooni, "--yes", "-n", "--home", folder / "home", "-o", out, "web_connectivity@v0.5"]
            done = world.run(
                [*map(str, line), "-i", target], vantage="mts", capture_output=True, text=True, timeout=180
            )
            assert done.returncode == 0, done.stderr
            found[phase] = json.loads(out.read_text("utf-8"))
    return found


@pytest.mark.parametrize("phase", PUBLISHED)
def test_ooni_says_of_our_boxes_what_it_says_of_its_own(
    measured: dict[str, dict[str, Any]], phase: str
) -> None:
    record = measured[phase]
    assert (record["input"], *(record["test_keys"][key] for key in KEYS)) == PUBLISHED[phase]
    assert (record["probe_asn"], record["resolver_ip"]) == ("AS8359", "91.76.0.53")
    assert record["test_keys"]["control_failure"] is None
