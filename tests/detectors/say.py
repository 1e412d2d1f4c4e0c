"""Reading an output in tests, and what came of it in short."""

import json

from testbed.detectors.adapter import ToolOutput, adapter


def read(name, text, target="", status=None):
    if not isinstance(text, str):
        text = "".join(json.dumps(record) + "\n" for record in text)
    return adapter(name).read(ToolOutput(text, status=status, target=target))


def short(report):
    """target -> (said, mechanisms) of every verdict; a target with several is an error of the test."""
    found = {one.target: (one.said, one.mechanisms) for one in report.verdicts}
    assert len(found) == len(report.verdicts)
    return found


def complaints(report):
    return [(one.kind, one.place) for one in report.complaints]
