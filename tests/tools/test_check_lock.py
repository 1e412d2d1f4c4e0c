"""The lock is in step with what the project asks for, and each way of being out of step is found."""

import importlib.util
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("check_lock", ROOT / "tools" / "check_lock.py")
check_lock = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_lock)

LOCK = """\
click==8.5.1 \\
    --hash=sha256:00
    # via runet-testbed (pyproject.toml)
h11==0.16.0 ; python_version >= '3.11' \\
    --hash=sha256:00
    # via httpcore
Ruamel_yaml==0.19.1 \\
    --hash=sha256:00
    # via
    #   runet-testbed (pyproject.toml)
    #   other
"""


def project(*dependencies, dev=()):
    return {"project": {"dependencies": list(dependencies), "optional-dependencies": {"dev": list(dev)}}}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (project("click>=8", "ruamel.yaml"), []),
        (project("click>=8", dev=["ruamel.yaml>=0.18"]), []),
        (
            project("click>=9", "ruamel.yaml"),
            ["click is pinned to 8.5.1, but pyproject.toml asks for click>=9"],
        ),
        (project("click", "ruamel.yaml", "rich"), ["rich is not pinned"]),
        (project("click"), ["ruamel-yaml is pinned, but pyproject.toml does not ask for it any more"]),
    ],
)
def test_disagreements(asked, found):
    assert check_lock.disagreements(asked, LOCK) == found


def test_this_checkout_is_in_step():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for name, extras in check_lock.LOCKS.items():
        assert check_lock.disagreements(pyproject, (ROOT / name).read_text(), extras) == []
    assert check_lock.main() == 0
