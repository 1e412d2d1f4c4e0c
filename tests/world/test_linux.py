"""The calls that Python lacks."""

import os
import signal
import time

import pytest

from testbed.world import linux
from testbed.world.children import call


def test_a_poller_knows_descriptors_above_1023():
    reading, writing = os.pipe()
    high, quiet = os.dup2(reading, 3000), os.pipe()[0]
    poller = linux.Poller([quiet, high])
    assert poller.wait(0.0) == []
    os.write(writing, b"x")
    assert poller.wait(0.0) == poller.wait(None) == poller.wait(5.0) == [high]
    for fd in (reading, writing, high, quiet):
        os.close(fd)


def test_a_poller_keeps_time_below_a_millisecond():
    reading, writing = os.pipe()
    poller, taken = linux.Poller([reading]), []
    for _ in range(50):
        begin = time.perf_counter()
        assert poller.wait(0.0002) == []
        taken.append(time.perf_counter() - begin)
    assert 0.0002 <= min(taken) < 0.0009
    os.close(reading)
    os.close(writing)


def test_a_signal_ends_the_waiting_of_a_poller():
    reading, writing = os.pipe()
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    begin = time.perf_counter()
    assert linux.Poller([reading]).wait(5.0) == []
    assert time.perf_counter() - begin < 2
    signal.signal(signal.SIGALRM, before)
    os.close(reading)
    os.close(writing)


def test_a_signalfd_says_who_sent_a_signal():
    def main():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
        fd = linux.signalfd([signal.SIGHUP])
        before = linux.read_signals(fd)
        os.kill(os.getpid(), signal.SIGHUP)
        return before, linux.read_signals(fd)

    # In a process with one thread: another thread of this one does not block the signal, and would get it.
    assert call(main) == ([], [(signal.SIGHUP, False)])


def test_a_missing_program_is_named_with_its_package():
    with pytest.raises(
        linux.UnsupportedError, match=r"the program 'nosuch' is missing; .* apt-get install some"
    ):
        linux.program("nosuch", "some")
