"""Raw sockets with custom headers, by which a censor injects."""

import socket
import struct
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from testbed.doctor.checks.tools import run
from testbed.doctor.feature import Absent, Feature, Need
from testbed.errors import UnsupportedError
from testbed.evade.rawsend import require_raw
from testbed.world import hostsockets
from testbed.world.linux import loopback_up

_IPV6_HDRINCL = 36
_PAYLOAD = b"injected"


def raw4() -> str:
    """An IPv4 packet with a custom header arrives."""

    def packet(port: int) -> bytes:
        udp = struct.pack("!HHHH", 7, port, 8 + len(_PAYLOAD), 0) + _PAYLOAD
        addresses = socket.inet_aton("127.0.0.2") + socket.inet_aton("127.0.0.1")
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0) + addresses + udp

    with _raw(socket.AF_INET) as raw:
        return _arrives(raw, "127.0.0.1", packet)


def raw6() -> str:
    """An IPv6 packet with a custom header arrives."""

    def packet(port: int) -> bytes:
        length = 8 + len(_PAYLOAD)
        address = socket.inet_pton(socket.AF_INET6, "::1")
        pseudo = address * 2 + struct.pack("!II", length, 17)
        udp = struct.pack("!HHHH", 7, port, length, 0) + _PAYLOAD
        checksum = _checksum(pseudo + udp)
        udp = udp[:6] + struct.pack("!H", checksum) + _PAYLOAD
        return struct.pack("!IHBB", 6 << 28, length, 17, 64) + address * 2 + udp

    with _raw(socket.AF_INET6) as raw:
        raw.setsockopt(socket.IPPROTO_IPV6, _IPV6_HDRINCL, 1)
        return _arrives(raw, "::1", packet)


def _raw(family: int) -> socket.socket:
    try:
        return socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    except PermissionError as error:
        raise Absent(
            "not allowed to open one", "keep the capability NET_RAW (a container has it by default)"
        ) from error


def _arrives(raw: socket.socket, host: str, packet: Callable[[int], bytes]) -> str:
    loopback_up()
    with socket.socket(raw.family, socket.SOCK_DGRAM) as receiver:
        receiver.bind((host, 0))
        receiver.settimeout(0.5)
        raw.sendto(packet(receiver.getsockname()[1]), (host, 0))
        try:
            payload, sender = receiver.recvfrom(100)
        except TimeoutError as error:
            raise Absent("the packet was sent but did not arrive") from error
    if payload != _PAYLOAD:
        raise Absent(f"another packet arrived: {payload!r}")
    return f"a packet arrived from {sender[0]}"


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv6() -> str:
    """An added address, forwarding, and a datagram over IPv6."""
    loopback_up()
    run("ip", "-6", "address", "add", "fd00::1/128", "dev", "lo", "nodad")
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("fd00::1", 0))
        receiver.settimeout(0.02)
        _until_received(receiver)
    Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
    return "addresses and forwarding"


def _until_received(receiver: socket.socket) -> None:
    """Send to itself until it arrives: the kernel adds a new address's local route a moment later."""
    for _ in range(100):
        receiver.sendto(b"x", receiver.getsockname())
        try:
            receiver.recv(1)
        except TimeoutError:
            continue
        return
    raise Absent("datagrams to an own address do not arrive")


def diagnosed() -> str:
    """A socket with a file is listed with its inode."""
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as one:
        one.bind(f"{folder}/socket")
        one.listen()
        inode = Path(folder, "socket").stat().st_ino & 0xFFFFFFFF
        if not any(found.inode == inode for found in hostsockets.bound()):
            raise Absent("it is not listed")
    return "listed with its file"


def repaired() -> str:
    """A connection whose queues can be filled without sending, beside a raw socket."""
    try:
        require_raw()
    except UnsupportedError as error:
        raise Absent(str(error)) from error
    return "accepted"


FEATURES = (
    Feature(
        "ipv6",
        "IPv6",
        Need.REQUIRED,
        "no IPv6 in any world",
        "boot without ipv6.disable=1; use a kernel with CONFIG_IPV6",
        ipv6,
    ),
    Feature(
        "raw4",
        "raw IPv4 sockets",
        Need.REQUIRED,
        "no injected answers or resets",
        "use a kernel with CONFIG_INET",
        raw4,
    ),
    Feature(
        "raw6",
        "raw IPv6 sockets with own headers",
        Need.REQUIRED,
        "no injected IPv6 answers or resets",
        "use a kernel of 4.5 or newer (IPV6_HDRINCL)",
        raw6,
    ),
    Feature(
        "tcp-repair",
        "own packets on a connection",
        Need.OPTIONAL,
        "no decoys, disorder or overlaps of testbed.evade on the wire (docs/matrix.md)",
        "use a kernel with CONFIG_CHECKPOINT_RESTORE",
        repaired,
    ),
    Feature(
        "unix-diag",
        "a list of Unix sockets",
        Need.OPTIONAL,
        "a command may reach the machine's sockets outside /run, /tmp and your home (docs/security.md)",
        "modprobe unix_diag (CONFIG_UNIX_DIAG)",
        diagnosed,
        isolated=False,
    ),
)
