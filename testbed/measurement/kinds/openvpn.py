"""openvpn://NAME:PORT/: a tunnel's handshake, then data, in the form of OpenVPN over UDP."""

from typing import ClassVar

from testbed.measurement.kinds.wireguard import DATA_PACKETS, through
from testbed.measurement.target import ProbeKind, Steps, Target

# OpenVPN's own protocol description: opcode and key id, session id, acknowledgements, packet id.
_SESSION = bytes(range(1, 9))
_RESET = bytes([7 << 3]) + _SESSION + b"\0" + bytes(4)  # P_CONTROL_HARD_RESET_CLIENT_V2, without tls-auth
_SERVERS_RESET = 8
_CONTROL_PACKETS = 3  # of the TLS handshake; our choice


class OpenvpnKind(ProbeKind):
    """Hard resets, control packets, and data that come back. No keys: a box looks at opcodes alone."""

    scheme: ClassVar[str] = "openvpn"
    form: ClassVar[str] = "openvpn://NAME:1194/"
    transport: ClassVar[str] = "udp"
    port: ClassVar[int] = 1194

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS, handshake, data."""
        with steps.datagrams(target) as tunnel:
            steps.step = "handshake"
            tunnel.send(_RESET)
            if tunnel.receive()[:1] != bytes([_SERVERS_RESET << 3]):
                raise EOFError
            for number in range(1, 1 + _CONTROL_PACKETS):
                tunnel.send(bytes([4 << 3]) + _SESSION + b"\0" + number.to_bytes(4, "big") + bytes(300))
                tunnel.receive()
            through(tunnel, steps, [_data(number) for number in range(DATA_PACKETS)])


def _data(number: int) -> bytes:
    """P_DATA_V2: opcode, peer id, packet id, an encrypted packet of 120 bytes."""
    return bytes([9 << 3, 0, 0, 0]) + number.to_bytes(4, "big") + b"\x9d" * 120
