"""The addresses and routes of the network that the caller is in, as lines to compare."""

from pathlib import Path
from typing import Final

_NET: Final = Path("/proc/thread-self/net")
_CACHED: Final = 0x01000000  # RTF_CACHE, linux/ipv6_route.h: what the kernel has learned of a path


def addresses_and_routes() -> frozenset[str]:
    """IPv4 and IPv6 addresses and routes, each with its interface; without counters. proc(5)."""
    return frozenset([*_addresses(), *_routes()])


def _addresses() -> list[str]:
    local, host = [], ""
    for line in _lines("fib_trie"):
        if line.startswith(("|--", "+--")):
            host = line.split()[1]
        elif "host LOCAL" in line:
            local.append(f"address {host}")
    return local + [f"address {f[0]} {f[5]}" for f in map(str.split, _lines("if_inet6"))]


def _routes() -> list[str]:
    four = [line.split() for line in _lines("route")[1:]]
    six = [line.split() for line in _lines("ipv6_route")]
    return [f"route {f[1]}/{f[7]} via {f[2]} {f[0]}" for f in four] + [
        f"route {f[0]}/{f[1]} via {f[4]} {f[9]}" for f in six if not int(f[8], 16) & _CACHED
    ]


def _lines(name: str) -> list[str]:
    file = _NET / name
    return [line.strip() for line in file.read_text("ascii").splitlines()] if file.exists() else []
