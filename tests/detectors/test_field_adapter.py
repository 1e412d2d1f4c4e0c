"""`testbed probe --json`, as `testbed evaluate --detector field` reads it."""

import json

from testbed.detectors.adapter import ToolOutput, adapter

FIELD = adapter("field")
SAVED = {  # of a run in twitter-facebook-block-2022-03, shortened
    "target": "https://twitter.com/", "verdict": "blocked", "mechanism": "tls.sni.rst",
    "hop": 2.0, "residual": 71.5,
    "findings": [{"instrument": "hop", "what": "ClientHello", "words": "2", "failure": None, "odd": True}],
}  # fmt: skip


def test_the_verdict_and_its_numbers() -> None:
    report = FIELD.read(ToolOutput(json.dumps(SAVED) + "\n"))
    (verdict,) = report.verdicts
    assert (verdict.said, verdict.mechanisms, verdict.layer) == ("blocked", ("tls.sni.rst",), "tls")
    assert verdict.parameters == {"hop": 2.0, "residual": 71.5}
    assert report.complaints == ()


def test_what_is_no_result_is_named() -> None:
    lines = [json.dumps({**SAVED, "verdict": "perhaps"}), json.dumps({**SAVED, "new": 1}), '{"target": "x']
    report = FIELD.read(ToolOutput("\n".join(lines)))
    assert [(one.kind, one.place) for one in report.complaints] == [
        ("not a result", "line 1"), ("unknown field", "line 2"), ("truncated line", "line 3"),
    ]  # fmt: skip
    assert len(report.verdicts) == 1
