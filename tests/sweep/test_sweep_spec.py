"""A sweep's file: every combination is a run, and each follows from its number alone."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from testbed.errors import InputError
from testbed.sweep.sweepfile import load_sweep, sweep_schema
from testbed.sweep.sweepfolder import part_of
from testbed.sweep.sweepspec import SweepPlan, as_file

TEXT = """
scenarios: [linkedin-ban-2016, free-network]
vantages: [mts, rostelecom]
seeds: 3
parameters: {ipv: [4, 6], client: [openssl, chrome]}
"""


def plan_of(folder: Path, text: str = TEXT, *, core: bool = True) -> SweepPlan:
    file = folder / "sweep.yaml"
    file.write_text(text, "utf-8")
    return load_sweep(file, core=core)


def test_every_combination_is_one_run(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    runs = [plan.run(number) for number in range(len(plan))]
    assert len(plan) == 2 * 2 * 3 * 2 * 2
    assert [one.number for one in runs] == list(range(48))
    seen = {(one.scenario, one.vantages, one.seed, one.parameters.ipv, one.parameters.client) for one in runs}
    assert seen == {
        (scenario, (vantage,), seed, ipv, client)
        for scenario in ("linkedin-ban-2016", "free-network")
        for vantage in ("mts", "rostelecom")
        for seed in range(3)
        for ipv in (4, 6)
        for client in ("openssl", "chrome")
    }
    with pytest.raises(IndexError):
        plan.run(48)


def test_parts_are_of_one_scenario_and_have_every_run_once(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path, "{scenarios: [linkedin-ban-2016, free-network], seeds: 70, vantages: [mts, rostelecom]}"
    )
    parts = list(plan.parts())
    assert [(one.scenario, len(one.runs)) for one in parts] == [
        ("linkedin-ban-2016", 100), ("linkedin-ban-2016", 40), ("free-network", 100), ("free-network", 40),
    ]  # fmt: skip
    assert [number for one in parts for number in one.runs] == list(range(280))
    assert [part_of(plan, number) for number in (0, 100, 140, 279)] == parts


def test_ten_million_runs_take_no_more_than_ten(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "{scenarios: [free-network], vantages: [mts], seeds: 10000000}")
    assert len(plan) == 10_000_000
    assert plan.run(9_999_999).seed == 9_999_999
    assert part_of(plan, 9_999_999).runs == range(9_999_900, 10_000_000)


def test_the_file_that_is_kept_makes_the_same_sweep(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    again = plan_of(tmp_path, yaml.safe_dump(as_file(plan.spec)))
    assert again.spec == plan.spec


def test_the_schema_takes_what_is_read(tmp_path: Path) -> None:
    jsonschema.validate(yaml.safe_load(TEXT), sweep_schema())
    with pytest.raises(jsonschema.ValidationError, match="scenarios"):
        jsonschema.validate({"seeds": 1}, sweep_schema())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{scenarios: [free-netwrk]}", "sweep.yaml:1 scenarios[0]"),
        ("{scenarios: [free-network], seed: 1}", "unknown key 'seed'; did you mean 'seeds'?"),
        ("{scenarios: [free-network], phases: [befor]}", "no scenario of the sweep has 'befor'"),
        ("{scenarios: [free-network], vantages: [mst]}", "did you mean 'mts'?"),
        ("{scenarios: [free-network, free-network]}", "two of them have the name 'free-network'"),
        (
            "{scenarios: [free-network], detectors: [curl]}",
            "'curl' needs a world, and with --core there is none",
        ),
        ("{scenarios: [free-network], strategies: [low-tl]}", "did you mean 'low-ttl'?"),
        ("{scenarios: [free-network], parameters: {client: [chrme]}}", "did you mean 'chrome'?"),
        ("{scenarios: [free-network], seeds: 0}", "sweep.yaml:1 seeds"),
        ("{scenarios: [free-network], detectors: [probe], strategies: [low-ttl]}", "make two sweeps"),
    ],
)
def test_wrong_input(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        plan_of(tmp_path, text)
    assert said in str(caught.value)


def test_a_shape_belongs_to_the_core(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the probe has a shape of its own in a world"):
        plan_of(tmp_path, core=False)
