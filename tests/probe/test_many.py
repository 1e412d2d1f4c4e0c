import json
import os
import threading

import pytest

from testbed.errors import InvalidRunError
from testbed.measurement.kinds import parse
from testbed.measurement.networks import AutonomousSystem
from testbed.probe.log import ProbePlace
from testbed.probe.many import VantageTargets, measure_here, measure_many

from .conftest import page


def task(vantage, *urls, enter=lambda: None, **more):
    return VantageTargets(vantage, [parse(url) for url in urls], enter, resolver=(), **more)


def test_a_vantage_writes_a_line_for_each_target_and_keeps_their_order(lab, tmp_path):
    port, out = lab.start(page()), tmp_path / "results.jsonl"
    targets = [f"http://127.0.0.1:{port}/bytes/9", f"http://127.0.0.1:{port}/a", f"http://127.0.0.1:{port}/b"]
    made = measure_here(task("mts", *targets, targets[1]), out, timeout=0.5)
    expected = [*targets, targets[1]]  # what is listed twice is measured twice
    assert [measurement.target for measurement in made] == expected
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert sorted(line["input"] for line in lines) == sorted(expected)
    assert {line["annotations"]["vantage"] for line in lines} == {"mts"}


def test_bulk_transfers_start_when_the_rest_is_done(lab, tmp_path):
    """And no more of them at once than asked for."""
    running, most, pages_left = 0, 0, threading.Semaphore(0)
    lock, early = threading.Lock(), []

    def behave(sock):
        nonlocal running, most
        head = sock.recv(4096)
        if b"/bytes/" not in head:
            threading.Event().wait(0.1)
            pages_left.release()
        else:
            early.append(not pages_left.acquire(blocking=False))
            pages_left.release()
            with lock:
                running += 1
                most = max(most, running)
            threading.Event().wait(0.1)
            with lock:
                running -= 1
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    port = lab.start(behave)
    targets = [f"http://127.0.0.1:{port}/{path}" for path in ("bytes/1", "bytes/2", "page")]
    measure_here(task("mts", *targets), tmp_path / "results.jsonl", timeout=0.5, bulk_together=1)
    assert early == [False, False]
    assert most == 1


# The test's own servers are threads; the laboratory forks before it has any.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_vantages_are_measured_side_by_side_in_children(lab, tmp_path):
    port, out = lab.start(page()), tmp_path / "results.jsonl"
    tasks = [task(key, f"http://127.0.0.1:{port}/{key}", place=ProbePlace(network=AutonomousSystem(1)))
             for key in ("mts", "outside")]  # fmt: skip
    made = measure_many(tasks, out, timeout=0.5)
    assert [(m.vantage, m.failure) for m in made] == [("mts", None), ("outside", None)]
    assert made[0].to_json()["probe_asn"] == "AS1"
    assert len(out.read_text().splitlines()) == 2


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_that_dies_makes_the_run_invalid(lab, tmp_path):
    def lost():
        raise OSError("no such namespace")

    port = lab.start(page())
    tasks = [
        task("mts", f"http://127.0.0.1:{port}/", enter=lost),
        task("tele2", f"http://127.0.0.1:{port}/", enter=lambda: os._exit(9)),
        task("outside", f"http://127.0.0.1:{port}/"),
    ]
    with pytest.raises(InvalidRunError, match=r"(?s)mts died.*no such namespace.*tele2 died"):
        measure_many(tasks, tmp_path / "results.jsonl", timeout=0.5)
