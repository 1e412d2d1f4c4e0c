"""What a run folder says of transfers: rates from the client's counter, limits from events and rules."""

import json

from testbed.htmlreport.eventcounts import RateLimit, count_events
from testbed.htmlreport.gather import gather
from testbed.htmlreport.transfers import from_counter
from testbed.measurement.ooni import NetworkEvent
from tests.explain.runs import FLOW, event, measurement, operation, write_run

COUNTED = {"operation": "bytes_received_cumulative", "proto": "tcp", "failure": None}


def counter(*totals: int, address: str = "104.244.42.1:443") -> list[dict]:
    """What had come after each quarter of a second."""
    return [
        COUNTED | {"address": address, "num_bytes": total, "t0": 0.25 * n, "t": 0.25 * n}
        for n, total in enumerate(totals, 1)
    ]


def rates(*values: dict) -> list[float]:
    known = ("operation", "address", "num_bytes", "t")
    return from_counter([NetworkEvent(**{name: one[name] for name in known}) for one in values])


def test_rates_of_the_connection_that_received_most():
    resolver = counter(47, 47, 47, address="8.8.8.8:53")
    assert rates(*resolver, *counter(0, 5000, 10_000, 10_000)) == [160_000.0, 160_000.0, 0.0]
    assert rates() == []


def shaped(tmp_path, rule: dict):
    """A run with one transfer that a rule met; the rule hands nothing to the kernel."""
    keys = measurement([operation("connect", 0.1, 0.12), *counter(0, 4375, 8750, 13_125)])
    keys["test_keys"]["x_speed"] = {"direction": "down", "bytes": 13_125, "seconds": 0.75}
    folder = write_run(tmp_path / "run", measured=[keys], events=[event(1.14, action="shape")])
    scenario = json.loads((folder / "scenario.json").read_text())
    scenario["phases"]["p"]["placements"][0]["rules"][1]["action"] = rule
    (folder / "scenario.json").write_text(json.dumps(scenario))
    (run,) = gather([str(folder)]).runs
    return run.curves


def test_a_shaper_has_its_limit_from_the_rule(tmp_path):
    (curve,) = shaped(tmp_path, {"shape": {"rate": 140_000.0, "queue": 65_536}})
    assert (curve.limit, curve.action, curve.rule) == (140_000.0, "shape", "mts/tspu/social")
    assert (curve.rates, curve.source) == ((140_000.0,) * 3, "the client's counter")


def test_a_rule_without_a_rate_limits_nothing(tmp_path):
    """Twin."""
    (curve,) = shaped(tmp_path, {"rst-rewrite": {}})
    assert (curve.limit, curve.rule) == (None, "")


def test_what_the_kernel_was_given_comes_before_what_the_rule_says(tmp_path):
    handed = {"action": "police", "handover": {"police": {"rate": 150_000.0, "burst": 16_384}}}
    lines = json.dumps(event(1.0, **handed)) + "\n" + json.dumps(event(1.0, flow="tcp a:1 > b:2", action="x"))
    (tmp_path / "events.jsonl").write_text(lines + "\n")
    known = {"mts/tspu/social": RateLimit("mts/tspu/social", "police", 140_000.0)}
    found = count_events(tmp_path / "events.jsonl", known)
    assert found.limits[FLOW].rate == 150_000.0
    assert found.limits["tcp a:1 > b:2"].rate == 140_000.0
    assert count_events(tmp_path / "events.jsonl").limits.keys() == {FLOW}
