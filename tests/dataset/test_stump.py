"""A classifier of one question: by what a flow does it is right, of a kernel, too; by its ends it guesses."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from testbed.dataset.columns import FLOW_TYPES
from testbed.dataset.exchanges import Exchanges
from testbed.dataset.features import FEATURES
from testbed.dataset.make import view
from testbed.scenario.loader import load
from tests.sweep.test_export import export, plan_of

SCENARIOS = ["linkedin-ban-2016", "twitter-facebook-block-2022-03"]
Flow = Mapping[str, Any]


def core_flows(seeds: range) -> list[Flow]:
    """Flows over TLS, of blocks that share no names."""
    exchanges, found = Exchanges([load(one) for one in SCENARIOS], ["openssl", "probe"], [4]), []
    for seed in seeds:
        block = exchanges.block(Random(seed))
        found += [{**one.truth, **one.features} for one in (next(block) for _ in range(40))]
    return [one for one in found if one["transport"] == "tls"]


def ends(one: Flow) -> dict[str, float]:
    """What is drawn, as numbers."""
    name = str(one["name"])
    return {
        "length": len(name), **{f"letter {n}": ord(name[n]) for n in range(4)},
        **{end: int(ip_address(one[end])) for end in ("client", "server")},
        "client_port": one["client_port"], "server_port": one["server_port"],
    }  # fmt: skip


def behaviour(one: Flow) -> dict[str, float]:
    """Its features; a server's hop limit is not that of a path in either way."""
    return {column: one[column] for column in FEATURES if not column.startswith("hop_limit")}


class Stump:
    """One column, one bound."""

    def __init__(self, points: Sequence[Mapping[str, float]], free: Sequence[bool]) -> None:
        truth, best = np.array(free), 0.0
        for column in points[0]:
            values = np.array([one[column] for one in points], float)
            for bound in np.unique(np.quantile(values, np.linspace(0, 1, 65))):
                for below in (True, False):
                    right = float(np.mean((values <= bound) == (truth == below)))
                    if right > best:
                        best, self.column, self.bound, self.below = right, column, bound, below

    def right(self, points: Sequence[Mapping[str, float]], free: Sequence[bool]) -> float:
        """The share about which it is right."""
        said = [(one[self.column] <= self.bound) == self.below for one in points]
        return sum(a == b for a, b in zip(said, free, strict=True)) / len(said)


def free(flows: Sequence[Flow]) -> list[bool]:
    return [one["label"] == "ok" for one in flows]


@pytest.fixture(scope="module")
def seen() -> list[Flow]:
    return core_flows(range(15))


def test_by_what_a_flow_does_it_is_right_and_by_its_ends_it_guesses(seen: list[Flow]) -> None:
    new = core_flows(range(100, 110))
    guess = max(sum(free(new)), len(new) - sum(free(new))) / len(new)
    assert guess < 0.7
    does, is_named = Stump([*map(behaviour, seen)], free(seen)), Stump([*map(ends, seen)], free(seen))
    assert does.right([*map(behaviour, new)], free(new)) > 0.95
    assert is_named.right([*map(ends, new)], free(new)) < guess + 0.1


@pytest.mark.world
@pytest.mark.slow
def test_what_it_learned_of_the_core_is_right_about_a_kernel(seen: list[Flow], tmp_path: Path) -> None:
    """Seven seeds, so that both sides of the coin come up."""
    text = "{scenarios: [linkedin-ban-2016], vantages: together, seeds: 7}"
    plan = plan_of(tmp_path, text, core=False)
    export(plan, tmp_path / "set", range(len(plan))).finish()
    columns = ", ".join(FLOW_TYPES)
    found = view(tmp_path / "set").sql(f"SELECT {columns} FROM flows WHERE transport = 'tls'").fetchall()
    live = [dict(zip(FLOW_TYPES, one, strict=True)) for one in found]
    assert 0 < sum(free(live)) < len(live)
    assert len(live) > 20
    assert Stump([*map(behaviour, seen)], free(seen)).right([*map(behaviour, live)], free(live)) > 0.9
