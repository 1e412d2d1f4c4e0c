"""Loss, delay and rate of a link are proven apart from their cause. Each has a twin with the effect gone."""

import pytest

from testbed.middlebox.deadlinks import DeadLinks
from testbed.middlebox.linkproofs import LinkProofs
from testbed.model import LinkQuality
from testbed.world import delay
from testbed.world.build import with_rates
from testbed.world.plan import plan
from testbed.world.schedule import Schedule
from tests.world.worlds import SITE4, in_lab, small

pytestmark = pytest.mark.world


def at_once(schedule, now):
    return now


def never_lost(schedule, now):
    return now + schedule._quality.delay


def watched(quality, change=None, by=LinkProofs):
    """The problems of a link over which some pings went; `change` takes its effect away."""

    def use(lab):
        proofs = by()
        proofs.begin(lab.built)
        lab.ping("-c300", "-i0.002", "-W1", SITE4)
        if change:
            change(lab)
        return proofs.end(lab.built)

    return in_lab(small(1, access=quality), use)


def test_a_link_that_does_what_it_should_is_proven_in_silence():
    assert watched(LinkQuality(delay=0.02, jitter=0.005, loss=0.2, rate=2e6)) == []


def test_a_delay_that_is_gone(monkeypatch):
    assert watched(LinkQuality(delay=0.04)) == []
    monkeypatch.setattr(Schedule, "release", at_once)
    said = watched(LinkQuality(delay=0.04))
    assert [one.partition(": a datagram took ")[0] for one in said] == ["mts:eth0", "mts.hop1:in"]
    assert said[0].endswith("and the link delays by 40 ms at least")


def test_a_loss_that_is_gone(monkeypatch):
    assert watched(LinkQuality(loss=0.3)) == []
    monkeypatch.setattr(Schedule, "release", never_lost)
    said = watched(LinkQuality(loss=0.3))
    assert [one.partition(":eth0: of ")[0].partition(":in: of ")[0] for one in said] == ["mts", "mts.hop1"]
    assert "packets 0 were lost, at least" in said[0]
    assert said[0].endswith("must be: the link loses 30 %")


def test_a_rate_that_is_gone():
    assert watched(LinkQuality(rate=1e6)) == []
    said = watched(LinkQuality(rate=1e6), lambda lab: with_rates(lab.built, plan(small(1))))
    assert [one.partition(": datagrams passed at ")[0] for one in said] == ["mts:eth0", "mts.hop1:in"]
    assert said[0].endswith("and the link's rate is 1")


def test_a_dead_link_that_is_not(monkeypatch):
    assert watched(LinkQuality(dead=(4,)), by=DeadLinks) == []
    monkeypatch.setattr(delay, "_VERSION", {})  # the delay line knows no IP version any more
    said = watched(LinkQuality(dead=(4,)), by=DeadLinks)
    assert [one.partition(": ")[0] for one in said] == ["mts:eth0", "mts.hop1:in"]
    assert said[0].endswith("IPv4 packets passed a dead link")
