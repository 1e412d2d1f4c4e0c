"""Kernel settings of a world's namespaces. Each belongs to the namespace it is written in, never to the host."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from testbed.errors import UnsupportedError

# path below /proc/sys/net -> value; "every" stands for both the interfaces that are (all) and those to come (default)
HOST: Final[Mapping[str, str]] = {
    "ipv4/ip_forward": "0",
    "ipv4/conf/every/rp_filter": "0",  # censors forge sources, and paths may differ each way
    "ipv4/conf/every/accept_redirects": "0",
    "ipv4/conf/every/send_redirects": "0",
    "ipv4/icmp_ratelimit": "0",  # traceroute must see every hop, every time
    "ipv4/icmp_ratemask": "0",  # takes the messages out of the machine-wide limit as well
    "ipv4/tcp_no_metrics_save": "1",  # one measurement must not teach the next
    "ipv6/conf/every/disable_ipv6": "0",  # containers often start with 1
    "ipv6/conf/all/forwarding": "0",
    "ipv6/conf/every/accept_dad": "0",  # an address is usable at once
    "ipv6/conf/every/accept_ra": "0",
    "ipv6/conf/every/router_solicitations": "0",
    "ipv6/conf/every/accept_redirects": "0",
    "ipv6/conf/default/addr_gen_mode": "1",  # no link-local address: no chatter of its own
    "ipv6/icmp/ratelimit": "0",
    "ipv6/icmp/ratemask": "",
}
ROUTER: Final[Mapping[str, str]] = {**HOST, "ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"}

_ROOT = Path("/proc/sys/net")
# Ordinary users may ping. The group 2^31-1 exists for real root only; a user's world has the one group it maps.
_PING = ("0 2147483647", "0 0")


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
        (_ROOT / name).write_text(f"{value}\n", encoding="ascii")
    except OSError as error:
        remedy = (
            "; IPv6 is off on this machine: start the kernel without ipv6.disable=1" if "ipv6" in name else ""
        )
        raise UnsupportedError(f"cannot set net/{name} to '{value}': {error.strerror}{remedy}") from error
