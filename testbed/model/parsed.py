"""Addresses and networks from their text, each parsed once: a world asks for the same ones many times."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_MOST = 1 << 14  # kept; our choice: more than a large world has


@lru_cache(_MOST)
def parsed_address(text: str) -> IPv4Address | IPv6Address:
    """As `ipaddress.ip_address`. ValueError for what is none."""
    return ip_address(text)


@lru_cache(_MOST)
def parsed_network(text: str) -> IPv4Network | IPv6Network:
    """As `ipaddress.ip_network`. ValueError for what is none."""
    return ip_network(text)
