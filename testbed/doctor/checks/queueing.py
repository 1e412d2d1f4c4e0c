"""NFQUEUE: how packets reach a censor or a delay line."""

import socket
import time

from testbed.doctor.checks.tools import run
from testbed.doctor.feature import Absent, Feature, Need
from testbed.errors import UnsupportedError
from testbed.world.linux import loopback_up
from testbed.world.queuerule import QueueingChain, queue_in

_MARK, _QUEUE, _GROUP = 1, 5, 6


def module() -> str:
    """Import the Python module."""
    try:
        # An exception to the layers: the doctor tries what it reports on.
        import netfilterqueue
    except ImportError as error:
        raise Absent(str(error)) from error
    return ".".join(map(str, netfilterqueue.VERSION))


def queue4() -> str:
    """A marked IPv4 packet is queued, accepted and delivered."""
    return _through_queue("ip", socket.AF_INET)


def queue6() -> str:
    """A marked IPv6 packet is queued, accepted and delivered."""
    return _through_queue("ip6", socket.AF_INET6)


def _through_queue(name: str, family: int) -> str:
    module()
    import netfilterqueue

    loopback_up()
    hook = f"type filter hook output priority 0; meta mark {_MARK} jump q;"
    run("nft", "-f", "-", stdin=f"table {name} t {{ chain q {{ }}; chain c {{ {hook} }}; }}")
    try:
        queue_in([QueueingChain(name, "t", "q", _QUEUE)])
    except UnsupportedError as error:
        raise Absent(str(error)) from error
    queued = []

    def verdict(packet: "netfilterqueue.Packet") -> None:
        queued.append(packet.get_payload_len())
        packet.accept()

    queue = netfilterqueue.NetfilterQueue()
    queue.bind(_QUEUE, verdict)
    with (
        socket.socket(family, socket.SOCK_DGRAM) as receiver,
        socket.socket(family, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        receiver.settimeout(0.5)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, _MARK)
        sender.sendto(b"through the queue", receiver.getsockname())
        until = time.monotonic() + 1.0
        while not queued and time.monotonic() < until:
            queue.run(block=False)
            time.sleep(0.001)
        if not queued:
            raise Absent("the packet was not queued")
        try:
            receiver.recv(100)
        except TimeoutError as error:
            raise Absent("the packet was accepted but not delivered") from error
    return "queued, accepted, delivered"


def copies() -> str:
    """A packet passes, and a copy of it can be read."""
    from testbed.middlebox.copies import Copies

    loopback_up()
    chain = f"type filter hook input priority 0; udp length 30 log group {_GROUP} queue-threshold 1"
    try:
        reader = Copies(_GROUP, 1 << 16)
    except UnsupportedError as error:
        raise Absent(str(error)) from error
    run("nft", "-f", "-", stdin=f"table ip t {{ chain c {{ {chain}; }}; }}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"one copy of this packet", ("127.0.0.1", 9))
        sender.sendto(b"and one of this packet", ("127.0.0.1", 9))
    found = [raw[28:] for raw, _ in reader.read()]
    if found != [b"and one of this packet"]:
        raise Absent(f"read {found}")
    return "copied before it goes on"


def statement() -> str:
    """nft's own queue statement."""
    run(
        "nft",
        "-f",
        "-",
        stdin="table inet t { chain c { type filter hook output priority 0; queue num 5; }; }",
    )
    return "nft queue statement"


_KERNEL = "use a kernel with CONFIG_NETFILTER_XT_TARGET_NFQUEUE and CONFIG_NFT_COMPAT"

FEATURES = (
    Feature(
        "netfilterqueue",
        "Python module netfilterqueue",
        Need.REQUIRED,
        "no censor and no delay line",
        "make setup (builds it; needs gcc, the Python headers and libnetfilter-queue-dev)",
        module,
        isolated=False,
    ),
    Feature(
        "nfqueue",
        "NFQUEUE in a chain of nftables",
        Need.REQUIRED,
        "no censor and no delay line",
        _KERNEL,
        queue4,
    ),
    Feature(
        "nfqueue6",
        "NFQUEUE for IPv6",
        Need.REQUIRED,
        "IPv6 is not censored",
        _KERNEL,
        queue6,
    ),
    Feature(
        "nflog",
        "copies of packets (NFLOG)",
        Need.REQUIRED,
        "no censor",
        "use a kernel with CONFIG_NETFILTER_NETLINK_LOG and CONFIG_NFT_LOG",
        copies,
    ),
    Feature(
        "nft-queue",
        "nft's own queue statement",
        Need.INFORMATION,
        "nothing: xtables' NFQUEUE is used",
        "a kernel with CONFIG_NFT_QUEUE",
        statement,
    ),
)
