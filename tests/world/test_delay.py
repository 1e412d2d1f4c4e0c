"""The delay line, through the kernel."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from testbed.errors import InvalidRunError
from testbed.model import LinkQuality
from testbed.world import delay
from testbed.world.enter import isolated_call
from testbed.world.netns import inside

from . import worlds
from .worlds import SITE4, SITE6, in_lab, small

pytestmark = pytest.mark.world


def pings(lab, count, gap, goal=SITE4, at="mts"):
    """Sequence number -> milliseconds of those that came back."""
    said = lab.ping(f"-c{count}", f"-i{gap}", "-W1", goal, at=at)
    return {int(n): float(t) for n, t in re.findall(r"icmp_seq=(\d+) ttl=\d+ time=([\d.]+)", said)}


def receipt(lab):
    ended = lab.services.stop()
    assert ended["delay"].ok, ended["delay"]
    return json.loads((lab.run / "receipts" / "delay.json").read_text())


@pytest.mark.parametrize("goal", [SITE4, SITE6])
def test_delay_both_ways(goal):
    def use(lab):
        return pings(lab, 100, 0.01, goal), receipt(lab)

    times, counted = in_lab(small(1, access=LinkQuality(delay=0.02)), use)
    assert len(times) == 100
    assert min(times.values()) == pytest.approx(40, abs=1.5)  # a busy machine only adds to it
    assert min(times.values()) >= 40
    assert {k: counted[k] for k in ("delayed", "lost", "overflow", "queue_dropped", "user_dropped")} == {
        "delayed": 200, "lost": 0, "overflow": 0, "queue_dropped": 0, "user_dropped": 0,
    }  # fmt: skip
    assert set(counted["links"]) == {"mts:eth0", "mts.hop1:in"}


def test_without_delay_there_is_none_and_no_delay_line():
    def use(lab):
        return list(pings(lab, 100, 0.01).values()), delay.needed(lab.built.plan)

    times, needed = in_lab(small(1), use)
    assert min(times) < 2
    assert not needed


def test_backbone_delay_is_between_every_operator_and_the_far_side_only():
    def use(lab):
        near = lab.built.plan.resolver_address("mts")[0]
        goals = (("mts", SITE4), ("beeline", SITE4), ("mts", near), ("outside", SITE4))
        return [min(pings(lab, 20, 0.01, goal, at).values()) for at, goal in goals]

    there, other, near, outside = in_lab(small(2, backbone=LinkQuality(delay=0.01)), use)
    assert there == pytest.approx(20, abs=1.5)
    assert other == pytest.approx(20, abs=1.5)
    assert near < 2
    assert outside < 2


def arrivals(lab, count):
    """Order in which `count` numbered datagrams, sent in groups of ten, arrive at the far side."""
    receive = (
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"s.bind(('{SITE4}', 9)); s.settimeout(1); print('ready', flush=True)\n"
        "try:\n    while True: print(int(s.recv(99)))\nexcept TimeoutError: pass"
    )
    send = (
        "import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"for i in range({count}): s.sendto(b'%d' % i, ('{SITE4}', 9)); time.sleep(0.001 * (i % 10 == 9))"
    )
    with inside(lab.built.namespaces["far"]):
        receiver = subprocess.Popen(["python3", "-c", receive], stdout=-1, text=True)
    receiver.stdout.readline()
    lab.at("mts", ["python3", "-c", send])
    return list(map(int, receiver.communicate(timeout=20)[0].split()))


def test_jitter_spreads_but_never_reorders():
    def use(lab):
        return arrivals(lab, 1000), list(pings(lab, 100, 0.01).values())

    order, times = in_lab(small(1, access=LinkQuality(delay=0.01, jitter=0.008)), use)
    assert order == list(range(1000))
    assert max(times) - min(times) > 8
    assert min(times) >= 4
    assert sorted(times)[89] < 36 + 2  # a busy machine holds single ones longer


def test_loss_has_its_share_and_the_same_seed_loses_the_same_packets():
    """10 % on the way there of 1,000 pings, and on the way back of those that are left."""
    quality = LinkQuality(loss=0.1)

    def use(lab):
        return sorted(pings(lab, 1000, 0.002)), receipt(lab)

    first, counted = in_lab(small(1, access=quality), use, seed=1)
    again, _ = in_lab(small(1, access=quality), use, seed=1)
    other = in_lab(small(1, access=quality), lambda lab: sorted(pings(lab, 200, 0.002)), seed=2)
    assert first == again
    assert [n for n in first if n <= 200] != other
    assert 760 <= len(first) <= 860  # 810 expected, 12.4 standard deviation
    assert counted["lost"] == 1000 - len(first)
    assert 60 <= counted["links"]["mts:eth0"]["lost"] <= 140


def test_without_loss_nothing_is_lost():
    assert len(in_lab(small(1), lambda lab: pings(lab, 1000, 0.002))) == 1000


def test_tcp_runs_through_it():
    def use(lab):
        with inside(lab.built.namespaces["far"]):
            server = subprocess.Popen(["iperf3", "-s", "-1"], stdout=-3)
        time.sleep(0.2)
        said = lab.at("mts", ["iperf3", "-c", SITE4, "-t", "2", "-f", "m"])
        server.kill()
        return float(re.search(r"([\d.]+) Mbits/sec\s+receiver", said)[1]), receipt(lab)

    rate, counted = in_lab(small(1, access=LinkQuality(delay=0.02)), use)
    assert rate > 20  # held at the sending host it would be 2
    assert counted["overflow"] == counted["queue_dropped"] == counted["user_dropped"] == 0


def test_a_dead_delay_line_makes_the_run_invalid_and_the_link_dead():
    def use(lab):
        pid = lab.services["delay"].pid
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is still there to be found
        with pytest.raises(InvalidRunError, match="service delay was killed by SIGKILL"):
            lab.services.check()
        return pings(lab, 3, 0.01)

    assert in_lab(small(1, access=LinkQuality(delay=0.01)), use) == {}


def test_more_than_it_may_hold_is_dropped_counted_and_a_fault(monkeypatch):
    monkeypatch.setattr(delay, "MOST_HELD", 20)

    def use(lab):
        came = pings(lab, 100, 0.001)
        ended = lab.services.stop()["delay"]
        return came, ended, json.loads((lab.run / "receipts" / "delay.json").read_text())

    came, ended, counted = in_lab(small(1, access=LinkQuality(delay=0.2)), use)
    assert len(came) < 100
    assert not ended.ok
    assert "packets were dropped because a queue was full" in ended.tail
    assert counted["overflow"] + counted["queue_dropped"] > 0


def test_a_hundred_operators_worth_of_descriptors_is_no_obstacle():
    def main():
        first = os.open(os.devnull, os.O_RDONLY)
        many = [os.dup(first) for _ in range(1100)]
        with worlds.lab(small(1, access=LinkQuality(delay=0.01))) as built:
            replies = pings(built, 3, 0.01)
        return max(many), len(replies)

    highest, replies = isolated_call(main)
    assert highest > 1023
    assert replies == 3
