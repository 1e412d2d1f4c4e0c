"""Kernel settings of a world's namespaces. Each applies to the namespace that it is written in."""

import os
from collections.abc import Mapping
from typing import Final

from testbed.errors import UnsupportedError

# path below /proc/sys/net -> value; "every" means both `all` and `default`
HOST: Final[Mapping[str, str]] = {
    "ipv4/ip_forward": "0",
    "ipv4/conf/every/rp_filter": "0",  # censors forge sources, and paths may be asymmetric
    "ipv4/conf/every/accept_redirects": "0",
    "ipv4/conf/every/send_redirects": "0",
    "ipv4/icmp_ratelimit": "0",  # traceroute must see every hop, every time
    "ipv4/icmp_ratemask": "0",  # exempts the messages from the machine-wide limit as well
    "ipv4/ip_unprivileged_port_start": "0",  # servers need no capability for ports 53, 80, 443
    # The same on every machine: loss and policers slow each algorithm differently (measured with a loss of
    # 7 % at 40 ms: BBR 16 Mbit/s, Reno 0.9). Every kernel has Reno and lets ordinary users choose it.
    "ipv4/tcp_congestion_control": "reno",
    "ipv4/tcp_no_metrics_save": "1",  # do not cache TCP metrics between measurements
    # What one connection has in flight must fit the kernel's receive backlog of 1,000 packets, or packets are
    # lost that nothing in the world drops. This limits a connection to 150 Mbit/s at 40 ms.
    "ipv4/tcp_wmem": "4096 16384 1048576",
    "ipv6/conf/every/disable_ipv6": "0",  # containers often start with 1
    "ipv6/conf/all/forwarding": "0",
    "ipv6/conf/every/accept_dad": "0",  # an address is usable at once
    "ipv6/conf/every/accept_ra": "0",
    "ipv6/conf/every/router_solicitations": "0",
    "ipv6/conf/every/accept_redirects": "0",
    "ipv6/conf/default/addr_gen_mode": "1",  # no link-local address, hence no packets of the kernel's own
    "ipv6/icmp/ratelimit": "0",
    "ipv6/icmp/ratemask": "",
}
ROUTER: Final[Mapping[str, str]] = {**HOST, "ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"}
# Several routers in one namespace: each answers with the address of the interface by which a packet came, and
# such an answer then passes the others, with an address that is local to all of them.
CHAIN: Final[Mapping[str, str]] = {
    **ROUTER,
    "ipv4/icmp_errors_use_inbound_ifaddr": "1",
    "ipv4/conf/all/accept_local": "1",
}

_ROOT = "/proc/sys/net"
# Ordinary users may ping. Group 2^31-1 exists for real root only; a user's world has the one group it maps.
_PING = ("0 2147483647", "0 0")


# Each packet of a flow is sent by the CPU that its program or a timer runs on, and a veth delivers per CPU:
# without this they overtake each other (measured: 1 in 400 of a bulk transfer). Linux 6.3 or later.
_ORDER = "core/rps_default_mask"


def keep_order(cpu: int) -> bool:
    """Let one CPU receive for all interfaces created later in this namespace; False if the kernel cannot."""
    try:
        _write(_ORDER, cpu_mask(cpu))
    except UnsupportedError:
        return False
    return True


def cpu_mask(cpu: int) -> str:
    """A CPU as the kernel writes sets of CPUs: words of 32 bits in hexadecimal, the highest first."""
    return f"{1 << cpu % 32:x}" + ",00000000" * (cpu // 32)


def apply(settings: Mapping[str, str]) -> None:
    """Write `settings` in the current network namespace. Errors: UnsupportedError naming the setting."""
    for name, value in settings.items():
        for each in ("all", "default") if "/every/" in name else ("",):
            _write(name.replace("/every/", f"/{each}/"), value)
    try:
        _write("ipv4/ping_group_range", _PING[0])
    except UnsupportedError:
        _write("ipv4/ping_group_range", _PING[1])


def _write(name: str, value: str) -> None:
    try:
        file = os.open(f"{_ROOT}/{name}", os.O_WRONLY)  # as bare as can be: a world has thousands of them
        try:
            os.write(file, f"{value}\n".encode("ascii"))
        finally:
            os.close(file)
    except OSError as error:
        remedy = (
            "; IPv6 is off on this machine: start the kernel without ipv6.disable=1" if "ipv6" in name else ""
        )
        raise UnsupportedError(f"cannot set net/{name} to '{value}': {error.strerror}{remedy}") from error
