import socket
import time

import pytest

from testbed.probe import http1, speed
from testbed.probe.log import MeasurementLog

from .conftest import measure, read_head


def transfer(lab, behave, path="bytes/1000000", verb=""):
    return measure(f"{verb}http://127.0.0.1:{lab.start(behave)}/{path}", resolver=(), timeout=0.6)


@pytest.fixture
def short(monkeypatch):
    """The same measurement with its times cut, so that a test is quick."""
    monkeypatch.setattr(http1, "BULK_BOUND", 1.2)
    monkeypatch.setattr(speed, "_SETTLE", 0.3)
    monkeypatch.setattr(speed, "_LONG", 0.8)


def paced(burst: int, rate: int):
    """Serve a megabyte: a burst, then so many bytes a second."""

    def behave(sock):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(burst))
        sent, due = burst, time.monotonic()
        while sent < 1_000_000:
            size = min(max(rate // 50, 1), 1_000_000 - sent)
            sock.sendall(bytes(size))
            sent, due = sent + size, due + 0.02
            time.sleep(max(0.0, due - time.monotonic()))  # a busy machine catches up

    return behave


def test_a_slow_transfer_is_stopped_and_its_burst_left_out(lab, short):
    seen = transfer(lab, paced(16384, 20000))
    measured = seen.test_keys.speed
    assert seen.failure is None
    assert not measured.complete
    assert measured.bits_per_second == pytest.approx(160_000, rel=0.15)
    assert measured.overall_bits_per_second > measured.bits_per_second * 1.3
    assert seen.runtime < 2


def test_a_fast_transfer_ends_by_itself(lab, short):
    seen = transfer(lab, paced(1_000_000, 1))
    assert seen.test_keys.speed.complete
    assert seen.test_keys.speed.bytes >= 1_000_000
    assert seen.test_keys.speed.bits_per_second > 20_000_000


def test_a_transfer_that_stops_is_a_failure(lab, monkeypatch):
    def behave(sock):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(16384))
        sock.recv(1)

    seen = transfer(lab, behave)
    assert seen.failure == "generic_timeout_error"
    assert seen.test_keys.speed.bytes == 16384 + 44


def reader(rate: int | None):
    """Take an upload at so many bytes a second, then say 200."""

    def behave(sock):
        if rate:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # so that the pace is ours
        head = read_head(sock)
        left = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]) - len(
            head.split(b"\r\n\r\n")[1]
        )
        while left > 0:
            got = len(sock.recv(65536 if rate is None else max(rate // 50, 1)))
            if not got:
                return
            left -= got
            if rate:
                time.sleep(0.02)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    return behave


def test_uploads(lab, short):
    fast = transfer(lab, reader(None), "upload?bytes=300000", "put+")
    slow = transfer(lab, reader(100_000), "upload?bytes=900000", "put+")
    assert fast.failure is slow.failure is None
    assert fast.test_keys.speed.direction == "up"
    assert fast.test_keys.speed.complete
    assert fast.test_keys.requests[0].response.code == 200
    assert not slow.test_keys.speed.complete
    assert slow.test_keys.speed.overall_bits_per_second < fast.test_keys.speed.bits_per_second / 3


@pytest.mark.parametrize("lump", [1448, 2896, 5792, 16384])
@pytest.mark.parametrize("burst", [0, 16384])
def test_lumps_and_a_first_burst_do_not_bend_the_rate(monkeypatch, lump, burst):
    clock = 100.0
    monkeypatch.setattr(speed.time, "monotonic", lambda: clock)
    log = MeasurementLog()
    meter = speed.Speedometer(log, "down")
    size, at = burst, 0.01
    while at < 7:
        clock = 100.0 + at
        for part in range(0, lump, 1448):  # the packets of a lump come together
            meter.reached(size + min(part + 1448, lump))
        size += lump
        at += lump * 8 / 140_000
    meter.close(complete=True)
    assert log.speed.bits_per_second == pytest.approx(140_000, rel=0.03)


def test_a_transfer_that_stopped_early_is_a_failure_however_patient_the_probe_is(lab, short, monkeypatch):
    """Silence that is longer than the bound is no reason to call it slow: SNI-II lets some packets by."""

    def behave(sock):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(500))
        sock.recv(1)  # until the probe has gone

    monkeypatch.setattr(speed, "BULK_BOUND", 1.2)
    url = f"http://127.0.0.1:{lab.start(behave)}/bytes/1000000"
    assert measure(url, resolver=(), timeout=5.0).failure == "generic_timeout_error"
    url = f"http://127.0.0.1:{lab.start(paced(500, 2000))}/bytes/1000000"  # the twin goes on
    assert measure(url, resolver=(), timeout=5.0).failure is None
