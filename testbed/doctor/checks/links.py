"""Interfaces and queueing disciplines, of which links consist."""

import fcntl
import os
import signal
import struct
from pathlib import Path

from testbed.doctor.checks.tools import run
from testbed.doctor.feature import Feature, Need
from testbed.world import linux
from testbed.world.children import Children, Ready

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def veth() -> str:
    """A link between two namespaces."""
    with Children() as children:
        other = children.spawn("the other end", _other_end)
        children.wait_ready()
        run("ip", "link", "add", "dev", "a", "type", "veth", "peer", "name", "b", "netns", str(other.pid))
        run("ip", "link", "set", "dev", "a", "up")
    return "a pair across two namespaces"


def _other_end(ready: Ready) -> None:
    linux.unshare(linux.CLONE_NEWNET)
    ready()
    signal.pause()


def dummy() -> str:
    """An interface that holds addresses."""
    run("ip", "link", "add", "dev", "d", "type", "dummy")
    return "added"


def tbf() -> str:
    """A rate with a queue."""
    run("tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "1mbit", "burst", "2kb", "latency", "500ms")
    return "added"


def htb() -> str:
    """A rate per class."""
    run("tc", "qdisc", "add", "dev", "lo", "root", "handle", "1:", "htb", "default", "1")
    run("tc", "class", "add", "dev", "lo", "parent", "1:", "classid", "1:1", "htb", "rate", "1mbit")
    return "added, with a class"


def netem() -> str:
    """The kernel's own delay."""
    run("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms")
    return "added"


def tun() -> str:
    """A tunnel interface."""
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", b"t0", _IFF_TUN | _IFF_NO_PI))
    run("ip", "link", "set", "dev", "t0", "up")
    return "added"


def order() -> str:
    """One CPU for each operator's packets, so that they stay in order."""
    Path("/proc/sys/net/core/rps_default_mask").write_text("1", encoding="ascii")
    return "rps_default_mask can be set"


FEATURES = (
    Feature("veth", "veth links", Need.REQUIRED, "no world", "modprobe veth (CONFIG_VETH)", veth),
    Feature(
        "tbf", "tc tbf", Need.REQUIRED, "links have no rate", "modprobe sch_tbf (CONFIG_NET_SCH_TBF)", tbf
    ),
    Feature(
        "htb", "tc htb", Need.OPTIONAL, "no shaper per class", "modprobe sch_htb (CONFIG_NET_SCH_HTB)", htb
    ),
    Feature(
        "tun",
        "tun interfaces",
        Need.OPTIONAL,
        "VPN clients that need a tun interface do not start",
        "sudo chmod 666 /dev/net/tun; in a container also --device /dev/net/tun",
        tun,
    ),
    Feature(
        "order",
        "packet order on veth links",
        Need.OPTIONAL,
        "under bulk load packets of one flow may be reordered",
        "a kernel from 6.3 on (net.core.rps_default_mask)",
        order,
    ),
    Feature(
        "dummy",
        "dummy interfaces",
        Need.INFORMATION,
        "nothing: addresses are put on loopback",
        "modprobe dummy (CONFIG_DUMMY)",
        dummy,
    ),
    Feature(
        "netem",
        "tc netem",
        Need.INFORMATION,
        "nothing: delay, jitter and loss are built in",
        "modprobe sch_netem (CONFIG_NET_SCH_NETEM)",
        netem,
    ),
)
