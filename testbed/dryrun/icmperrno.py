"""What Linux makes of an ICMP error about a packet of one's own (net/ipv4/icmp.c, net/ipv6/icmp.c)."""

import errno
from typing import Final, NamedTuple

from testbed.censor.packet import ICMP, Packet


class IcmpErrno(NamedTuple):
    """The error of a socket. A TCP connection that opens ends with any; a UDP socket hears of fatal ones."""

    number: int  # errno
    fatal: bool


_NET: Final = IcmpErrno(errno.ENETUNREACH, fatal=False)
_HOST: Final = IcmpErrno(errno.EHOSTUNREACH, fatal=False)
_REFUSED: Final = IcmpErrno(errno.ECONNREFUSED, fatal=True)
_DENIED: Final = IcmpErrno(errno.EACCES, fatal=True)
_OVER_IPV4: Final = {  # by type and code
    (3, 0): _NET,
    (3, 1): _HOST,
    (3, 3): _REFUSED,
    (3, 13): IcmpErrno(errno.EHOSTUNREACH, fatal=True),
    (11, 0): _HOST,
}
_OVER_IPV6: Final = {(1, 0): _NET, (1, 1): _DENIED, (1, 3): _HOST, (1, 4): _REFUSED, (3, 0): _HOST}


def icmp_errno(packet: Packet) -> IcmpErrno | None:
    """What an ICMP message says to the socket whose packet it quotes; None: nothing."""
    kind = packet.raw[packet.transport_at], packet.raw[packet.transport_at + 1]
    return (_OVER_IPV4 if packet.protocol == ICMP else _OVER_IPV6).get(kind)
