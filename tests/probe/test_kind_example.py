"""The kind of target in examples/probe_kind: over loopback, and in a world with a block on and off."""

import socket
from pathlib import Path

import pytest

from testbed import Job, execute
from testbed.measurement.kinds import parse
from testbed.measurement.ooni import Measurement
from testbed.measurement.target import ProbeKind
from testbed.probe.measure import measure
from testbed.scenario.loader import load

from .conftest import reset, until_gone

EXAMPLE = Path(__file__).parents[2] / "examples/probe_kind/greeting.yaml"
GREETING = load(EXAMPLE).expect[0].target.kind
QUICK = 0.5  # seconds without an answer that count as a time-out


def greeted(port: int) -> Measurement:
    target = parse(f"greeting://127.0.0.1:{port}/", {GREETING.scheme: GREETING})
    return measure(target, resolver=(), timeout=QUICK)


def test_a_greeting_is_noted(lab):
    seen = greeted(lab.start(lambda sock: sock.sendall(b"220 hello\r\n") or until_gone(sock)))
    assert seen.failure is None
    assert seen.to_json()["test_keys"]["x_greeting"] == "220 hello\r\n"
    operations = [event.operation for event in seen.test_keys.network_events]
    assert operations == ["connect", "write", "read", "bytes_received_cumulative"]


def test_its_failures_are_those_of_ooni_at_its_own_step(lab):
    def cut(sock):
        sock.recv(100)
        reset(sock)

    seen = [greeted(lab.start(behave)) for behave in (cut, until_gone, lambda sock: sock.recv(100) and None)]
    assert [(one.failure, one.test_keys.failed_step) for one in seen] == [
        ("connection_reset", "greeting"), ("generic_timeout_error", "greeting"), ("eof_error", "greeting"),
    ]  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    refused = greeted(port)
    assert (refused.failure, refused.test_keys.failed_step) == ("connection_refused", "tcp")


class Notes(ProbeKind):
    scheme, form, transport, port = "notes", "notes://NAME/", "tcp", 1

    def __init__(self, *note):
        self.noted = note

    def measure(self, target, steps):
        steps.note(*self.noted)


@pytest.mark.parametrize(
    ("note", "error"),
    [
        (
            ("greeting", "hello"),
            "unknown_failure: ValueError: 'greeting' is not a free key that begins with x_",
        ),
        (("x_speed", 5), "unknown_failure: ValueError: 'x_speed' is not a free key that begins with x_"),
        (("x_set", {1}), "unknown_failure: TypeError: Object of type set is not JSON serializable"),
    ],
)
def test_a_note_that_cannot_be_written_is_a_bug(note, error):
    seen = measure(parse("notes://a/", {"notes": Notes(*note)}), resolver=())
    assert seen.test_keys.probe_error.startswith(f"{error} at test_kind_example.py:")
    assert seen.test_keys.extra == {}


def test_a_note_reads_back_as_it_is_written():
    seen = measure(parse("notes://a/", {"notes": Notes("x_pair", (1, "b"))}), resolver=())
    assert seen.test_keys.probe_error is None
    assert seen.test_keys.extra == {"x_pair": [1, "b"]}
    assert Measurement.from_json(seen.to_json()) == seen


@pytest.mark.world
@pytest.mark.parametrize(
    ("phase", "rows"),
    [
        ("block", {("mts", "greeting://twitter.com:80/"): "ip.drop", ("mts", "greeting://vk.com:80/"): "ok"}),
        ("free", {("mts", "greeting://twitter.com:80/"): "ok"}),
    ],
)
def test_in_a_world(tmp_path, phase, rows):
    result = execute(Job(str(EXAMPLE), phase=phase, vantages=["mts"], out=tmp_path / "run", timeout=1.0))
    assert result.verdict.startswith("as expected")
    seen = {(row.vantage, row.target): row.observed for row in result.judgement.rows}
    assert {place: seen[place] for place in rows} == rows
    answers = [one.test_keys.extra.get("x_greeting") for one in result.measurements
               if one.vantage == "outside" and one.target.startswith("greeting")]  # fmt: skip
    assert answers
    assert all(answer.startswith("HTTP/1.1 400") for answer in answers)
