"""Reading netfilter by netlink: what is asked for, however much else there is."""

import socket
import subprocess
import time

import pytest

from testbed.errors import InvalidRunError
from testbed.middlebox import netfilter
from testbed.world.enter import isolated_call

pytestmark = pytest.mark.world

RULES = """\
table ip t {
  counter dropped { packets 5 bytes 100 }
  counter never { }
  set seen {
    type ipv4_addr . inet_service . ipv4_addr . inet_service . inet_proto
    flags dynamic
    size 65536
  }
  chain out {
    type filter hook output priority 0
    meta l4proto udp update @seen { ip saddr . th sport . ip daddr . th dport . meta l4proto counter }
    meta l4proto udp counter name never
  }
}
"""


def loaded(*ports, rules=RULES):
    """In a namespace with these rules: a datagram to each port, twice. Call it inside `isolated_call`."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 9))
        for port in ports:
            for _ in range(2):
                sock.sendto(b"x", ("127.0.0.1", port))


def key(port):
    return b"\x7f\0\0\1\0\x09\0\0\x7f\0\0\1" + port.to_bytes(2, "big") + b"\0\0\x11\0\0\0"


def test_counters_elements_and_rules():
    def body():
        loaded(9, 9)
        before = netfilter.generation()
        loaded(9, rules="")
        found = netfilter.counters("ip", "t"), netfilter.counted_elements("ip", "t", "seen")
        return *found, netfilter.described(), netfilter.generation() - before

    counters, elements, described, changed = isolated_call(body)
    assert counters == {"dropped": 5, "never": 6}
    assert elements == {key(9): 6}
    assert described == ["ip t out (2 rules)"]
    assert changed == 0


@pytest.mark.parametrize(
    "change", ["flush set ip t seen", "flush ruleset", "delete table ip t", "add table ip u"]
)
def test_every_change_is_another_generation(change):
    def body():
        loaded(9)
        before = netfilter.generation()
        subprocess.run(["nft", change], check=True)
        return netfilter.generation() - before

    assert isolated_call(body) == 1


def test_reading_counters_does_not_read_the_flows():
    """`nft list counters` reads each of 50,000 elements."""

    def body():
        loaded(*range(10_000, 60_000))
        times = []
        for read in (
            lambda: netfilter.counters("ip", "t"),
            lambda: subprocess.run(["nft", "-j", "list", "counters"], capture_output=True, check=True),
        ):
            began = time.monotonic()
            read()
            times.append(time.monotonic() - began)
        return *times, netfilter.counters("ip", "t")["never"]

    ours, of_nft, packets = isolated_call(body)
    assert packets == 100_000
    assert ours < of_nft / 10


def test_what_is_not_there_is_an_error():
    def body():
        with pytest.raises(InvalidRunError, match="No such file or directory"):
            netfilter.counted_elements("ip", "t", "seen")
        return netfilter.counters("ip", "t")

    assert isolated_call(body) == {}
