"""Reading application protocols as a box does: from one packet's payload, without reassembly.

Each parser is three-valued: a value, `MORE` (so far it fits, but it is not all here) or `NOT` (another
protocol). None of them ever raises, and each reads its input once.
"""

from enum import Enum
from typing import Final, Literal, get_args


class Unread(Enum):
    """Why a parser has no value."""

    MORE = "more"
    NOT = "not"


MORE: Final = Unread.MORE
NOT: Final = Unread.NOT

Protocol = Literal[
    "openvpn",
    "wireguard",
    "ikev2",
    "l2tp",
    "dtls",
    "dtls-groups",
    "ssh",
    "encrypted",
    "tls",
    "quic",
    "http",
    "socks",
    "stun",
    "discord",
]
Transport = Literal["tcp", "udp"]
PROTOCOLS: Final[tuple[Protocol, ...]] = get_args(Protocol)
"""Protocols that a rule may name; `registry` has their parsers."""
