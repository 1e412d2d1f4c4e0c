"""Facts of tests, as values: one run with two vantages, a rule that resets and one that polices."""

from dataclasses import replace
from typing import Any

from testbed.explain.flowstory import FlowStory, Lane, StoryStep
from testbed.htmlreport.facts import (
    ActedRule,
    BoxPlace,
    MatrixFacts,
    MeasuredRow,
    MonitorFacts,
    OperatorLine,
    PhaseFacts,
    RateCurve,
    ReportFacts,
    RunFacts,
)
from testbed.monitor.sample import Sample
from testbed.truth.wayjudge import WayRow

BOX = BoxPlace("mts/tspu", "mts", "hop", 2, "t22", (("social", "rst-rewrite"), ("slow", "police")))
OPERATORS = (
    OperatorLine("mts", "MTS", 8359, "mobile", 5),
    OperatorLine("beeline", "Beeline", 8402, "mobile", 4),
)


def row(vantage: str = "mts", target: str = "https://twitter.com/", **more: Any) -> MeasuredRow:
    label = more.pop("label", "ok")
    found = MeasuredRow("block", vantage, target, "expectation", label, label, "ok", label, label)
    return replace(found, **more)


BLOCKED = row(label="tls.sni.rst", by="social", kernel=7)
WRONG = row(
    target="https://vk.com/",
    expected="ok",
    observed="tcp.drop",
    verdict="differs",
    seen="tcp.drop",
    should="ok",
    failure="generic_timeout_error",
)
STORY = FlowStory(
    run="runs/one",
    scenario="one",
    phase="block",
    flow="tcp 91.76.0.100:40000 > 104.244.42.1:443",
    vantage="mts",
    target="https://twitter.com/",
    name="twitter.com",
    outcome="tls.sni.rst, as expected",
    stopped=True,
    lanes=(Lane("client", "mts"), Lane("mts/tspu", "mts/tspu", "hop 2, t22"), Lane("server", "twitter.com")),
    steps=(
        StoryStep("sent", "client", "sends its ClientHello", 1.0, to="server"),
        StoryStep("matched", "mts/tspu", "rule social matches", 1.01),
        StoryStep("sent", "server", "ServerHello", 1.02, to="client", stops="mts/tspu"),
        StoryStep("received", "client", "gets a reset"),
    ),
    why=("mts/tspu interfered",),
)


def run(**more: Any) -> RunFacts:
    found = RunFacts(
        folder="runs/one",
        scenario="one",
        title="One scenario",
        phase="block",
        seed=7,
        time_scale=1.0,
        verdict="as expected: 3 of 3",
        valid=True,
        exit_status=0,
        started="2026-11-26T20:00:00Z",
        seconds=12.5,
        vantages=("mts", "beeline"),
        command=(),
        captured=False,
        timeline=False,
        versions={"testbed": "0.1.0"},
        files={"one.yaml": "ab" * 32},
        operators=OPERATORS,
        transit=7,
        phases=(PhaseFacts("block", "from March", (BOX,)),),
        rows=(BLOCKED, row("beeline"), row("outside")),
        rules=(
            ActedRule("mts/tspu", "", "social", "rst-rewrite", {"replace": 7}, {"replace": 7}, 1),
            ActedRule("mts/tspu", "", "slow", "police", {"police": 0}, {"police": 0, "policed_drop": 0}, 0),
        ),
        events={("mts/tspu", "social", "match"): 1},
    )
    return replace(found, **more)


def curve(vantage: str = "mts", limit: float | None = 140_000.0, **more: Any) -> RateCurve:
    rates = (600_000.0, *(140_000.0 + 40_000 * (-1) ** step for step in range(20)))
    rule, action = ("mts/tspu/slow", "police") if limit else ("", "")
    found = RateCurve(vantage, "https://abs.twimg.com/bytes/140000", "down", 0.25, rates, "capture")
    return replace(found, **{"rule": rule, "action": action, "limit": limit, **more})


def samples() -> tuple[Sample, ...]:
    days = ("2022-03-01T00:00:00Z", "2022-03-02T00:00:00Z", "2022-03-03T00:00:00Z")
    return tuple(
        Sample(
            time=day,
            phase="p",
            vantage=vantage,
            target=target,
            state="blocked" if (vantage, target) == ("mts", "https://twitter.com/") and number else "ok",
            label="tls.sni.rst" if number else "ok",
        )
        for number, day in enumerate(days)
        for vantage in ("mts", "outside")
        for target in ("https://twitter.com/", "https://vk.com/")
    )


def monitor(**more: Any) -> MonitorFacts:
    found = MonitorFacts(
        folder="rt",
        settings={"scenarios": ["one"], "seed": 7, "vantages": ["mts"]},
        every=86400.0,
        samples=samples(),
        verdict="as expected: 12 of 12 judged samples agree",
        incidents=(
            {
                "kind": "blocked",
                "vantage": "mts",
                "target": "https://twitter.com/",
                "labels": ["tls.sni.rst"],
                "last_before": "2022-03-01T00:00:00Z",
                "first": "2022-03-02T00:00:00Z",
                "last": "2022-03-03T00:00:00Z",
                "first_after": None,
            },
        ),
    )
    return replace(found, **more)


def matrix() -> MatrixFacts:
    def cell(ending: str, hits: int = 1, of: int = 1, **more: str) -> dict[str, Any]:
        return {
            "ending": ending,
            "share": {"hits": hits, "of": of},
            "rule": "",
            "packet": "",
            "reason": "",
            **more,
        }

    cells = {
        ("plain", "T"): cell("blocked", rule="name", packet="1: data, 517 bytes at 0"),
        ("plain", "R"): cell("blocked", 3, 5, rule="name"),
        ("records:name", "T"): cell("through"),
        ("records:name", "R"): cell("skipped", reason="curl is missing"),
    }
    return MatrixFacts(file="matrix.json", how="core", cells=cells)


def way(name: str = "fragments", vantage: str = "mts", **more: Any) -> WayRow:
    found = WayRow(
        name=name,
        recipe=name,
        vantage=vantage,
        target="https://twitter.com/",
        fails_by="",
        direct="tls.sni.rst",
        observed="ok",
        free="ok",
        verdict="ok",
    )
    return replace(found, **more)


def facts(*runs: RunFacts, **more: Any) -> ReportFacts:
    return ReportFacts(asked=("runs/one",), runs=runs, **more)
