import pytest

from testbed.model import LinkQuality
from testbed.world.schedule import Schedule


def fates(quality, seed=1, link="mts:eth0", packets=2000, gap=0.0001):
    schedule = Schedule(quality, seed, link)
    return [(i * gap, schedule.release(i * gap)) for i in range(packets)]


def test_delay_alone_is_exact():
    assert all(out == pytest.approx(now + 0.02) for now, out in fates(LinkQuality(delay=0.02)))


def test_without_quality_nothing_waits():
    assert all(out == now for now, out in fates(LinkQuality()))


def test_jitter_spreads_and_never_reorders():
    outs = [out for _, out in fates(LinkQuality(delay=0.02, jitter=0.01))]
    assert outs == sorted(outs)
    waits = [
        out - now for now, out in fates(LinkQuality(delay=0.02, jitter=0.01), gap=1.0)
    ]  # alone on the link
    assert min(waits) >= 0.01 - 1e-6
    assert max(waits) <= 0.03 + 1e-6
    assert max(waits) - min(waits) > 0.019
    assert sum(waits) / len(waits) == pytest.approx(0.02, abs=0.0005)


def test_jitter_larger_than_delay_never_sends_into_the_past():
    assert all(out >= now for now, out in fates(LinkQuality(delay=0.001, jitter=0.01)))


def test_loss_has_its_share_and_belongs_to_seed_and_link():
    quality = LinkQuality(loss=0.1)
    lost = [i for i, (_, out) in enumerate(fates(quality)) if out is None]
    assert 140 <= len(lost) <= 260  # 200 expected; 4.5 standard deviations
    assert lost == [
        i for i, (_, out) in enumerate(fates(quality, gap=0.7)) if out is None
    ]  # time is no matter
    assert lost != [i for i, (_, out) in enumerate(fates(quality, seed=2)) if out is None]
    assert lost != [i for i, (_, out) in enumerate(fates(quality, link="mts.hop1:in")) if out is None]


def test_jitter_does_not_change_who_is_lost():
    plain = [out is None for _, out in fates(LinkQuality(loss=0.1))]
    assert plain == [out is None for _, out in fates(LinkQuality(loss=0.1, delay=0.02, jitter=0.01))]
