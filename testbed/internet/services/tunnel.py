"""The far end of tunnels as a censor sees it: answers handshakes of WireGuard and OpenVPN, returns data.

It has no keys and forwards nothing: what a filter recognises are types, opcodes and lengths. For real tunnels
run the real programs as a `command`.
"""

from dataclasses import dataclass
from typing import ClassVar

from testbed.internet.services.base import Listener, Place, PortNumber, ReportReady, Service

_Client = tuple[str, int]  # address and port

_INITIATION, _SIZE = b"\1\0\0\0", 148  # of WireGuard (the protocol's paper, 5.4.2)
_RESPONSE = b"\2\0\0\0" + bytes(range(88))
_CLIENT_RESETS = (7 << 3, 10 << 3)  # of OpenVPN: P_CONTROL_HARD_RESET_CLIENT_V2 and _V3
_SERVERS_RESET = bytes([8 << 3]) + bytes(range(8, 0, -1))  # with the client's packet acknowledged behind it


@dataclass(frozen=True, slots=True)
class Tunnel(Service):
    """WireGuard's and OpenVPN's handshakes over UDP."""

    key: ClassVar[str] = "tunnel"

    wireguard: PortNumber | None = 51820  # None: not spoken
    openvpn: PortNumber | None = 1194

    def ports(self) -> tuple[Listener, ...]:
        """UDP, one port for each."""
        return tuple(("udp", port) for port in (self.wireguard, self.openvpn) if port is not None)

    def answer(self, port: int, data: bytes) -> bytes:
        """What a datagram to one of its ports is answered with."""
        return (_wireguard if port == self.wireguard else _openvpn)(data, ("", 0))

    async def serve(self, place: Place, ready: ReportReady) -> None:
        """Answer forever."""
        from testbed.internet.transports import new_failure, serve_datagrams

        failure = new_failure()
        for port, answer in ((self.wireguard, _wireguard), (self.openvpn, _openvpn)):
            await serve_datagrams(place.sockets.get(("udp", port or 0), ()), answer, failure)
        ready()
        await failure


def _wireguard(data: bytes, _: _Client) -> bytes:
    return _RESPONSE if data.startswith(_INITIATION) and len(data) == _SIZE else data


def _openvpn(data: bytes, _: _Client) -> bytes:
    if data[:1] and data[0] in _CLIENT_RESETS:
        return _SERVERS_RESET + b"\1" + bytes(4) + data[1:9] + bytes(4)
    return data
