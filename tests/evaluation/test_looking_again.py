"""Busy servers are no censors: the probe looks again before it blames one."""

from dataclasses import replace

from testbed.detectors.recorded import ProbeView
from testbed.run.execute import execute
from testbed.run.job import Job
from testbed.truth.doubt import ERROR, weigh

BUSY = ("meduza.io", "www.dw.com", "www.bbc.com", "www.facebook.com", "www.instagram.com", "www.reddit.com")
WORLD = f"""
title: Busy servers and one box
period: any
sources: [our choice]
operators: [mts, rostelecom]
sites:
{"".join(f"  {name}: {{behaviour: {{resets: 50 %}}}}{chr(10)}" for name in BUSY)}
censors:
  box: {{profile: t22, rules: [{{name: name, match: {{tls.sni: [twitter.com]}}, action: rst-rewrite}}]}}
phases: {{on: {{mts: [box]}}}}
default_phase: on
expect:
  - {{target: "https://twitter.com/", vantage: mts, outcome: tls.sni.rst, by: name}}
  - target: [{", ".join(f'"https://{name}/"' for name in BUSY)}]
    vantage: [all, outside]
    outcome: broken
    tries: 2
    share: 1..99 %
controls: ["https://vk.com/", "https://www.wikipedia.org/"]
"""


def test_what_resets_half_of_everybody_is_not_blocked(tmp_path):
    """Of twelve places three look blocked at once: each of these is seen to fail outside as well."""
    file = tmp_path / "busy.yaml"
    file.write_text(WORLD)
    result = execute(Job(str(file), vantages=("mts", "rostelecom"), again=True, out=tmp_path / "out"))

    first = {}
    for one in result.measurements:
        first.setdefault((one.vantage, one.target), one)
    view = ProbeView(first.values(), ["https://vk.com/", "https://www.wikipedia.org/"])
    said = {place: view.verdict(one) for place, one in first.items()}
    blamed = sorted(place for place, verdict in said.items() if verdict.said == "blocked")
    assert blamed == [("mts", "https://twitter.com/")]

    known = first["mts", "https://twitter.com/"].test_keys.repeated
    assert (known.here, weigh(known).error <= ERROR) == (("tls.sni.rst",) * 3, True)
    for place, one in first.items():
        if one.test_keys.repeated and place not in blamed:
            naive = replace(one, test_keys=replace(one.test_keys, repeated=None))
            assert (view.verdict(naive).said, said[place].said) == ("blocked", "free")
    measured = (tmp_path / "out" / "results.jsonl").read_text()
    assert measured.count("x_repeated") == sum(one.test_keys.repeated is not None for one in first.values())
