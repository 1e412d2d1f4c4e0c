"""Addresses as packets have them and as text. The same few come with every packet, so they are kept."""

from functools import lru_cache
from ipaddress import ip_address
from typing import Final

_KEPT: Final = 4096  # our choice


@lru_cache(_KEPT)
def address_text(packed: bytes) -> str:
    """In shortest form; of 4 or 16 bytes."""
    return str(ip_address(packed))


@lru_cache(_KEPT)
def packed_address(text: str) -> bytes:
    """4 or 16 bytes. ValueError if it is none."""
    return ip_address(text).packed
