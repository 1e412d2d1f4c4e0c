"""A built world: reachable where it should be, closed where it should be, and packets as on a wire."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.errors import InvalidRunError
from testbed.model import LinkQuality, Site
from testbed.world import build as building
from testbed.world.build import build
from testbed.world.enter import isolated_call
from testbed.world.netns import Namespace, assert_ours, inside
from testbed.world.offloads import Offloads
from testbed.world.plan import plan
from testbed.world.settings import apply

from .worlds import HOUSED4, HOUSED6, SITE4, SITE6, in_lab, small

pytestmark = pytest.mark.world

RESOLVER4, RESOLVER6 = "213.87.0.53", "2a00:1fa0::53"


def trace(lab, goal: str, at: str = "mts") -> list[str]:
    """What traceroute (UDP, three probes per hop) names at each distance; a silent probe is a "*"."""
    lines = lab.at(at, ["traceroute", "-n", "-w", "1", "-q", "3", goal]).splitlines()[1:]
    times = re.compile(r"^ *\d+ +| +[\d.]+ ms")
    return [times.sub("", line).strip() for line in lines]


def test_everything_is_reachable_over_both_versions():
    def use(lab):
        goals = (
            SITE4,
            SITE6,
            HOUSED4,
            HOUSED6,
            "8.8.8.8",
            RESOLVER4,
            RESOLVER6,
            "95.216.0.100",
            "2a01:4f9::100",
        )
        for goal in goals:
            assert " 0% packet loss" in lab.ping("-c2", "-i0.01", "-W1", goal), goal
        for at in ("far", "outside", "beeline", "mts.resolver"):
            for goal in ("213.87.0.100", "2a00:1fa0::100"):
                assert " 0% packet loss" in lab.ping("-c2", "-i0.01", "-W1", goal, at=at), (at, goal)
        return (
            lab.ping("-c1", "-W1", "-t4", SITE4),
            lab.ping("-c1", "-W1", "1.2.3.4"),
            lab.ping("-c1", "213.87.0.7"),
        )

    too_short, unused, unreachable = in_lab(small(2), use)
    assert "Time to live exceeded" in too_short  # the twin of "reachable"
    assert "100% packet loss" in unused
    assert "Unreachable" in unreachable


@pytest.mark.parametrize("cpus", [{0}, {0, 1, 2}], ids=["one CPU", "three"])
def test_many_nodes_are_built_by_a_process_for_each_cpu(monkeypatch, cpus):
    """The world is the same: what is measured in it, who may be entered, and what each node has."""
    monkeypatch.setattr(building, "_SHARE", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cpus)

    def use(lab):
        for namespace in lab.built.namespaces.values():
            assert_ours(namespace)
        routes = {
            node: lab.at(node, ["ip", "-o", "address"]) + lab.at(node, ["ip", "route"])
            for node in lab.built.namespaces
        }
        return lab.ping("-c2", "-i0.01", "-W1", SITE4), routes

    answered, routes = in_lab(small(2), use)
    assert " 0% packet loss" in answered
    monkeypatch.undo()
    assert routes == in_lab(small(2), use)[1]


def test_a_builder_that_fails_fails_the_building(monkeypatch):
    def apply_in_the_first(*settings):
        if os.getpid() != first[0]:
            raise InvalidRunError("the kernel refused")
        apply(*settings)

    def use():
        first.append(os.getpid())
        build(plan(small(2)))

    first = []
    monkeypatch.setattr(building, "_SHARE", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(building, "apply", apply_in_the_first)
    with pytest.raises(InvalidRunError, match="the kernel refused"):
        isolated_call(use)


def test_traceroute_shows_every_hop():
    """14 hops to a server abroad, as real paths have; back, the same routers by the same addresses."""

    def use(lab):
        return trace(lab, SITE4), trace(lab, SITE6), trace(lab, "213.87.0.100", at="far")

    up4, up6, down4 = in_lab(small(1), use)
    transit4, transit6 = ([f"{start}{i}" for i in range(1, 8)] for start in ("62.115.139.", "2001:2034::"))
    assert up4 == [*(f"213.87.0.{i}" for i in range(1, 6)), "87.245.192.1", *transit4, SITE4]
    assert up6 == [*(f"2a00:1fa0::{i}" for i in range(1, 6)), "2a02:2d8::1", *transit6, SITE6]
    assert down4 == [*transit4[::-1], "87.245.192.1", *up4[4::-1], "213.87.0.100"]


def test_a_server_at_home_and_one_transit_router():
    site = Site(("vk.com",), "87.240.132.78", "2a00:bdc0::1", 47541, "RU")
    world = small(1)

    def use(lab):
        return trace(lab, site.ipv4), trace(lab, SITE4), trace(lab, "213.87.0.100", at="outside")

    near, far, down = in_lab(replace(world, sites=(*world.sites, site), transit=1), use)
    hops = [f"213.87.0.{i}" for i in range(1, 6)]
    assert near == [*hops, "87.245.192.1", site.ipv4]
    assert far == [*hops, "87.245.192.1", "62.115.139.1", SITE4]
    assert down == ["62.115.139.1", "87.245.192.1", *hops[::-1], "213.87.0.100"]


def test_no_answer_of_a_hop_is_rate_limited():
    """100 expired packets in a burst: 100 answers, of both versions (Linux sends 1 per second by default)."""

    def use(lab):
        return [lab.ping("-c100", "-i0.002", "-W1", "-t2", goal) for goal in (SITE4, SITE6)]

    for answers in in_lab(small(1), use):
        assert len(re.findall(r"icmp_seq=\d+ Time (?:to live )?exceeded", answers)) == 100


def test_nothing_leads_out():
    def use(lab):
        found = {}
        for name, namespace in lab.built.namespaces.items():
            with inside(namespace):
                show = ["ip", "-br", "link"]
                links = subprocess.run(show, capture_output=True, text=True, check=True).stdout.split("\n")
            found[name] = {line.split()[0].split("@")[0] for line in links if line}
        return found, [str(end) for link in lab.built.plan.links for end in (link.a, link.b)]

    found, planned = in_lab(small(2), use)
    assert {f"{node}:{name}" for node, names in found.items() for name in names - {"lo"}} == set(planned)


def test_offloads_are_off_at_every_end():
    def use(lab):
        offloads, on = Offloads(), {}
        for link in lab.built.plan.links:
            for end in (link.a, link.b):
                with inside(lab.built.namespaces[end.node]):
                    on[str(end)] = offloads.active(end.name)
        return on

    on = in_lab(small(1), use)
    assert len(on) == 34
    assert set(map(tuple, on.values())) == {()}


def test_a_new_link_has_offloads_on_and_one_that_keeps_them_is_an_error():
    """The twin: what `active` looks for is there, and a kernel that ignores the request is noticed."""

    class Deaf(Offloads):
        def _request_off(self, control, interface):
            pass

    def main():
        with inside(Namespace.create("mts")):
            subprocess.run(["ip", "link", "add", "aa", "type", "veth", "peer", "name", "bb"], check=True)
            on = Offloads().active("aa")
            with pytest.raises(
                InvalidRunError, match=r"interface aa: offloads stay on: .*tx-tcp-segmentation"
            ):
                Deaf().off(["aa"])
        return on

    on = isolated_call(main)
    assert {
        "tx-tcp-segmentation",
        "tx-generic-segmentation",
        "tx-udp-segmentation",
        "tx-scatter-gather",
    } <= set(on)


@contextmanager
def capture(lab, node: str, interface: str):
    """What passes an interface, as IP packets, in a list that is full when the block ends.

    Not tcpdump: as the only user of a user namespace it may not change its groups, and gives up.
    """
    seen: list[bytes] = []
    with inside(lab.built.namespaces[node]):
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))  # ETH_P_ALL
    tap.bind((interface, 3))
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    tap.setblocking(False)
    yield seen
    with contextlib.suppress(BlockingIOError):
        while True:
            seen.append(tap.recv(70000))
    tap.close()


def checksum(data: bytes) -> int:
    total = sum(int.from_bytes(data[i : i + 2].ljust(2, b"\0")) for i in range(0, len(data), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total  # 0xFFFF where the checksum that it includes is right


def test_captures_show_wire_sized_packets_and_right_checksums():
    def use(lab):
        with inside(lab.built.namespaces["far"]):
            server = subprocess.Popen(["iperf3", "-s", "-1"], stdout=-3)
        time.sleep(0.3)
        with capture(lab, "mts.hop2", "in") as seen:
            lab.at("mts", ["iperf3", "-c", SITE4, "-n", "200K"])
        server.kill()
        return seen

    segments = [packet for packet in in_lab(small(1), use) if packet[0] == 0x45 and packet[9] == 6]
    assert len(segments) > 50  # what the tap could hold of some 200
    assert max(map(len, segments)) == 1500
    for packet in segments:
        assert checksum(packet[:20]) == 0xFFFF
        pseudo = packet[12:20] + bytes((0, 6)) + (len(packet) - 20).to_bytes(2)
        assert checksum(pseudo + packet[20:]) == 0xFFFF


def test_neighbours_are_known_and_the_links_are_quiet():
    def use(lab):
        with capture(lab, "mts.hop2", "in") as seen:
            lab.ping("-c3", "-i0.01", SITE4)
            lab.ping("-c3", "-i0.01", SITE6)
            time.sleep(0.2)
        return seen

    echo4 = {bytes((1, kind)) for kind in (0, 8)}
    own = []
    for packet in in_lab(small(1), use):
        if packet[0] >> 4 == 4:
            own.append(bytes((packet[9], packet[20])) in echo4)
        elif (
            packet[6] == 58
        ):  # ICMPv6 (Linux sends a multicast report or two, unasked, behind a hop-by-hop header)
            own.append(packet[40] in {128, 129})
        else:
            assert packet[0] >> 4 == 6, packet  # no ARP
    assert own == [True] * 12  # pings and nothing else: no neighbour discovery


RECEIVE = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 9)); s.settimeout(1); print("ready", flush=True)
times = []
try:
    while s.recv(2000): times.append(time.monotonic())
except TimeoutError: pass
print((len(times) - 1) * 1514 * 8 / (times[-1] - times[0]))
"""
SEND = """
import socket, sys, time
goal, rate = sys.argv[1], float(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
start, sent = time.monotonic(), 0
while (spent := time.monotonic() - start) < 1.5:
    while sent * 1514 * 8 < spent * rate: s.sendto(bytes(1472), (goal, 9)); sent += 1
    time.sleep(0.0005)
"""


@pytest.mark.parametrize("rate", [2e6, 20e6])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_rate_is_what_was_asked(rate, direction):
    """Full packets (1,514 octets with the Ethernet header, which the shaper counts) at 1.5 times the rate."""

    def use(lab):
        return flood(lab, rate * 1.5, direction)

    assert in_lab(small(1, access=LinkQuality(rate=rate)), use) == pytest.approx(rate, rel=0.03)
    if rate == 2e6:
        assert in_lab(small(1), use) == pytest.approx(
            rate * 1.5, rel=0.03
        )  # without a shaper all of it arrives


def flood(lab, rate: float, direction: str) -> float:
    """bit/s that arrive of what is sent at `rate`."""
    goal, sender, receiver = (SITE4, "mts", "far") if direction == "up" else ("213.87.0.100", "far", "mts")
    with inside(lab.built.namespaces[receiver]):
        listening = subprocess.Popen([sys.executable, "-c", RECEIVE], stdout=-1, text=True)
    listening.stdout.readline()
    lab.at(sender, [sys.executable, "-c", SEND, goal, str(rate)])
    return float(listening.communicate(timeout=20)[0])


def test_order_is_kept_whatever_cpu_sends():
    """A bulk transfer at full speed, both ways: TCP sees nothing overtaken (many, without `keep_order`)."""

    def use(lab):
        if not Path("/proc/sys/net/core/rps_default_mask").exists():
            return None
        with inside(lab.built.namespaces["far"]):
            server = subprocess.Popen(["iperf3", "-s"], stdout=-3)
        time.sleep(0.2)
        for options in ([], ["-R"]):
            lab.at("mts", ["iperf3", "-c", SITE4, "-n", "150M", *options])
        server.kill()
        return [
            lab.at(at, ["nstat", "-asz", "TcpExtTCPSACKReorder", "TcpExtTCPTSReorder"])
            for at in ("mts", "far")
        ]

    reports = in_lab(small(1), use)
    if reports is None:
        pytest.skip("this kernel has no net.core.rps_default_mask (Linux 6.3)")
    assert [int(n) for n in re.findall(r"Reorder +(\d+)", "".join(reports))] == [0, 0, 0, 0]


def test_what_the_kernel_refuses_names_the_place():
    laid = plan(small(1))
    broken = type(laid)(laid.world, laid.operators, laid.nodes, (*laid.links, laid.links[0]), laid.routes)
    refused = r"building links: veth link backbone:abroad - transit:in_1: File exists"
    with pytest.raises(InvalidRunError, match=refused):
        isolated_call(lambda: build(broken))
