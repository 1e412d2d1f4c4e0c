"""wireguard://NAME:PORT/: a tunnel's handshake, then data, in the form that WireGuard has on the wire."""

from typing import ClassVar

from testbed.measurement.target import Connection, ProbeKind, Steps, Target

_INITIATION = b"\1\0\0\0" + bytes(range(144))  # 148 bytes (the protocol's paper, 5.4.2)
_RESPONSE = b"\2\0\0\0"
_SIZE_OF_RESPONSE = 92
DATA_PACKETS = 20  # sent and echoed, one after the other; our choice: above what boxes let pass (15, N4P#274)


class WireguardKind(ProbeKind):
    """Initiation, response, and data that come back. No keys: a box looks at types and lengths alone."""

    scheme: ClassVar[str] = "wireguard"
    form: ClassVar[str] = "wireguard://NAME:51820/"
    transport: ClassVar[str] = "udp"
    port: ClassVar[int] = 51820

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS, handshake, data."""
        with steps.datagrams(target) as tunnel:
            steps.step = "handshake"
            tunnel.send(_INITIATION)
            answer = tunnel.receive()
            if not answer.startswith(_RESPONSE) or len(answer) != _SIZE_OF_RESPONSE:
                raise EOFError
            through(tunnel, steps, [_data(number) for number in range(DATA_PACKETS)])


def _data(number: int) -> bytes:
    """A transport message: type, receiver, counter, an encrypted packet of 112 bytes."""
    return b"\4\0\0\0" + bytes(4) + number.to_bytes(8, "little") + b"\x9d" * 112


def through(tunnel: Connection, steps: Steps, packets: list[bytes]) -> None:
    """Send each packet and wait until it comes back. How many did is `x_data_packets`."""
    steps.step = "data"
    for number, packet in enumerate(packets):
        steps.note("x_data_packets", number)
        tunnel.send(packet)
        tunnel.receive()
    steps.note("x_data_packets", len(packets))
