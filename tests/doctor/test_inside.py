"""The trying process: what a check's endings become, and that nothing of it reaches the host."""

import os
import time
from pathlib import Path

import pytest

from testbed.doctor import sandbox
from testbed.doctor.feature import Absent, Feature, Need
from testbed.doctor.inside import attempt


def feature(check, *, isolated=False):
    return Feature("x", "x", Need.OPTIONAL, "cost", "remedy", check, isolated=isolated)


def raising(error):
    def check():
        raise error

    return check


@pytest.mark.parametrize(
    ("check", "present", "detail"),
    [
        (lambda: "seen", True, "seen"),
        (raising(Absent("not here")), False, "not here"),
        (raising(OSError(1, "refused")), False, "refused"),
        (raising(ValueError("broken check")), False, "ValueError: broken check"),
    ],
)
def test_every_ending_of_a_check_is_an_answer(check, present, detail):
    assert attempt(feature(check)) == {"present": present, "detail": detail, "remedy": ""}


def test_a_check_may_know_a_better_remedy():
    assert attempt(feature(raising(Absent("off", "switch it on"))))["remedy"] == "switch it on"


def test_a_check_that_hangs_is_given_up():
    began = time.monotonic()
    answer = attempt(feature(lambda: time.sleep(60)), seconds=0.1)
    assert (answer["present"], answer["detail"]) == (False, "gave no answer within 0.1 s")
    assert time.monotonic() - began < 5


def test_a_check_that_dies_is_absent():
    assert attempt(feature(lambda: os._exit(7)), seconds=1)["present"] is False


@pytest.mark.world
def test_a_check_is_process_1_and_leaves_the_hosts_network_alone():
    forwarding = Path("/proc/sys/net/ipv4/ip_forward")
    before = forwarding.read_text()

    def check():
        opposite = "0" if before.strip() == "1" else "1"
        forwarding.write_text(opposite)
        return f"{Path('/proc/self').readlink()} {forwarding.read_text().strip()} {opposite}"

    number, seen, written = attempt(feature(check, isolated=True))["detail"].split()
    assert number == "1"
    assert seen == written
    assert forwarding.read_text() == before


def test_what_namespaces_refuse_is_not_tried(monkeypatch):
    monkeypatch.setattr(sandbox, "unshare", lambda flags: raising(OSError(1, "Operation not permitted"))())
    answer = attempt(feature(lambda: "seen", isolated=True))
    assert answer == {
        "present": False,
        "detail": "not tried: Operation not permitted",
        "remedy": "get the namespaces first",
    }
