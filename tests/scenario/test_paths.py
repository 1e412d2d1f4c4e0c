"""Boxes that some traffic never meets, that fail open, or that see one way only."""

import pytest

from testbed.scenario.worldfile import load_world
from tests.docs.pages import ROOT

from .conftest import Desk


def test_are_as_written(desk: Desk) -> None:
    lines = "    profile: t22\n    bypass: 30 %\n    off: [10..40 min, 2..3 h]\n    upstream_only: true"
    rule = "    rules:\n      - name: reset\n        match: {tls.sni: [twitter.com]}\n        action: rst"
    (placement,) = (
        desk.load(f"    profile: t22\n{rule}-rewrite", f"{lines}\n{rule}").phases["block"].placements
    )
    policy = placement.policy
    assert (policy.bypass, policy.off, policy.upstream_only) == (0.3, ((600, 2400), (7200, 10800)), True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bypass: 30", "30 is not a share"),
        ("off: 10 min", "'10 min' is not a range of times"),
        ("off: 40..10 min", "is reversed"),
        ("upstream_only: 1", "expected true or false"),
    ],
)
def test_are_checked(desk: Desk, line: str, message: str) -> None:
    problem = desk.problem("    profile: t22", f"    profile: t22\n    {line}")
    assert problem.place.startswith("x.yaml:8 censors.tspu.")
    assert message in problem.message


def test_misses_as_the_operator_s_boxes_do(desk: Desk) -> None:
    world = desk.folder / "small.yaml"
    world.write_text(
        world.read_text().replace("sinkhole4: 5.3.3.17}", "sinkhole4: 5.3.3.17, miss: {rst-rewrite: 1.5 %}}")
    )
    (placement,) = (
        desk.load("    profile: t22", "    profile: t22\n    miss: operator").phases["block"].placements
    )
    assert placement.policy.miss == {"rst-rewrite": 0.015}
    (placement,) = desk.load("    profile: t22", "    profile: t22\n    miss: {}").phases["block"].placements
    assert placement.policy.miss == {}


def test_measured_shares_are_in_the_library_s_world() -> None:
    world, _ = load_world(ROOT / "scenarios/worlds/runet.yaml")
    operators = {operator.key: dict(operator.miss) for operator in world.operators}
    measured = ("drop tls", "drop quic", "block-host")  # IMC22q p.6: SNI-IV, QUIC, IP
    for key, shares in {
        "rostelecom": [0.0027, 0.0002, 0.0],
        "ertelecom": [0.0219, 0.0093, 0.00045],
        "obit": [0.0004, 0.0, 0.0002],
    }.items():
        assert [operators[key][what] for what in measured] == pytest.approx(shares)
    assert operators["rostelecom"]["rst-rewrite"] == pytest.approx(0.00084)
