r"""Clients and servers of protocols that the built-in probe does not speak, in as few packets as they need.

    testbed run examples/mechanisms/ech.yaml -- \
        python examples/mechanisms/peers.py hello 104.18.10.118 cloudflare-ech.com ech

The handshakes look right on the wire, without the cryptography behind them.
"""

import contextlib
import os
import random
import socket
import ssl
import struct
import sys
import time

from testbed.conformance import payloads
from testbed.conformance.payloads import chrome

PAUSE = 0.1  # seconds between packets
PATIENCE = 0.6  # seconds without an answer


def hello(address: str, name: str, *more: str) -> None:
    """Send a ClientHello in one packet, with the ECH extension on request, and wait for the answer."""
    _say(_connected(address, 443), payloads.hello(name, after=payloads.ECH if "ech" in more else b""))


def split(address: str, name: str) -> None:
    """A TLS handshake whose ClientHello goes in two segments, cut inside the name."""
    connection, tls = _connected(address, 443), _Handshake(name)
    whole = tls.step()
    at = payloads.inside_name(whole, name)
    connection.sendall(whole[:at])
    time.sleep(PAUSE)
    tls.finish(connection, whole[at:])


def many(address: str, name: str, count: str) -> None:
    """Open TLS connections one after another, and keep them open."""
    kept = []
    for _ in range(int(count)):
        kept.append(_connected(address, 443))
        tls = _Handshake(name)
        tls.finish(kept[-1], tls.step())


class _Handshake:
    """A client's TLS handshake whose packets we send ourselves."""

    def __init__(self, name: str) -> None:
        context = ssl.create_default_context()
        context.set_ecdh_curve("prime256v1")  # so that the ClientHello of any OpenSSL fits into one packet
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=name)

    def step(self) -> bytes:
        """The next bytes to send."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._out.read()

    def finish(self, connection: socket.socket, message: bytes) -> None:
        """Send `message` and continue until the handshake is complete or no answer arrives."""
        try:
            while message:
                connection.sendall(message)
                if self._tls.version() and self._tls.cipher():
                    break
                self._in.write(connection.recv(65536))
                message = self.step()
            print("TLS is up")
        except OSError as error:
            print(f"nothing came back: {error}")


def faketls(address: str, name: str) -> None:
    """A proxy disguised as TLS: Chrome's ClientHello of that year, the server's flight, then data."""
    connection = _connected(address, 8443)
    _say(connection, chrome(name, key_share=32))
    connection.sendall(payloads.CHANGE_CIPHER_SPEC)
    time.sleep(PAUSE)
    _say(connection, payloads.RECORD)


def serve_faketls(address: str) -> None:
    """Its server."""
    with socket.create_server((address, 8443)) as listening:
        _ready()
        connection, _ = listening.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.recv(4096)
        connection.sendall(payloads.SERVER_HELLO + payloads.CHANGE_CIPHER_SPEC)
        while connection.recv(4096):
            connection.sendall(payloads.RECORD)


def wireguard(address: str) -> None:
    """A handshake and five data packets."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tunnel:
        tunnel.connect((address, 51820))
        tunnel.settimeout(PATIENCE)
        for message in (payloads.WIREGUARD_INITIATION, *map(payloads.wireguard_data, range(5))):
            tunnel.send(message)
            time.sleep(PAUSE)


def serve_wireguard(address: str) -> None:
    """The other end: a response to an initiation, data for data."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tunnel:
        tunnel.bind((address, 51820))
        _ready()
        number = 0
        while True:
            message, client = tunnel.recvfrom(2048)
            initiation = message[0] == 1
            tunnel.sendto(
                payloads.WIREGUARD_RESPONSE if initiation else payloads.wireguard_data(number), client
            )
            number += not initiation


def ping(address: str, size: str, pieces: str) -> None:
    """An echo request in IP fragments, sent one after another with pauses."""
    data = bytes(range(256)) * (int(size) // 256 + 1)
    message = struct.pack("!BBHHH", 8, 0, 0, 4711, 1) + data[: int(size)]
    message = message[:2] + struct.pack("!H", _checksum(message)) + message[4:]
    step = -(-len(message) // int(pieces) // 8) * 8
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        number = random.randrange(1, 65536)
        for at in range(0, len(message), step):
            more = 0x2000 if at + step < len(message) else 0
            head = struct.pack("!BBHHHBBH", 0x45, 0, 0, number, more | at // 8, 64, 1, 0)
            head += _own_address(address) + socket.inet_aton(address)
            raw.sendto(head + message[at : at + step], (address, 0))
            time.sleep(PAUSE)
    time.sleep(PATIENCE)


def listen(port: str) -> None:
    """Wait for one connection from outside, and answer what it says."""
    with socket.create_server(("0.0.0.0", int(port))) as listening:
        listening.settimeout(2.5)
        try:
            connection, _ = listening.accept()
            connection.settimeout(PATIENCE)
            connection.send(connection.recv(100))
        except OSError:
            pass


def knock(mine: str, address: str, port: str) -> None:
    """From one of the far side's addresses, connect to a subscriber."""
    _ready()
    time.sleep(PATIENCE)
    with socket.socket() as connection:
        connection.bind((mine, 0))
        connection.settimeout(PATIENCE)
        try:
            connection.connect((address, int(port)))
            connection.send(b"knock")
        except OSError as error:
            print(error, file=sys.stderr)
    time.sleep(10)


def _connected(address: str, port: int) -> socket.socket:
    connection = socket.create_connection((address, port), 3)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(PATIENCE)
    return connection


def _say(connection: socket.socket, message: bytes) -> None:
    connection.sendall(message)
    try:
        print(f"{len(connection.recv(4096))} bytes came back")
    except OSError as error:
        print(f"nothing came back: {error}")


def _own_address(to: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((to, 9))
        return socket.inet_aton(probe.getsockname()[0])


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2]))
    total += data[-1] << 8 if len(data) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _ready() -> None:
    """Close standard output: whoever started the server waits for that."""
    sys.stdout.flush()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)


_WHAT = {
    function.__name__.replace("_", "-"): function
    for function in (
        hello,
        split,
        many,
        faketls,
        serve_faketls,
        wireguard,
        serve_wireguard,
        ping,
        listen,
        knock,
    )
}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in _WHAT:
        sys.exit(f"{__doc__}\n{', '.join(_WHAT)}")
    _WHAT[sys.argv[1]](*sys.argv[2:])
