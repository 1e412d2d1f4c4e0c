"""The rule that nft cannot write: xtables' NFQUEUE in a chain of nftables, by netlink.

nft's own `queue` statement needs a part of the kernel that not every distribution builds; this one is what
iptables-nft makes, by way of nft_compat. A chain that only queues may be jumped to from any rule of nft's.
"""

import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from testbed.errors import UnsupportedError

# From linux/netlink.h, linux/netfilter/nfnetlink.h, nf_tables.h and nf_tables_compat.h:
_REQUEST, _ACK, _CREATE, _APPEND = 0x1, 0x4, 0x400, 0x800  # NLM_F_…
_ERROR: Final = 2  # NLMSG_ERROR
_NETFILTER: Final = 12  # NETLINK_NETFILTER
_BEGIN, _END = 0x10, 0x11  # NFNL_MSG_BATCH_BEGIN, …_END
_NFTABLES: Final = 10  # NFNL_SUBSYS_NFTABLES
_NEW_RULE: Final = _NFTABLES << 8 | 6  # NFT_MSG_NEWRULE
_TABLE, _CHAIN, _EXPRESSIONS = 1, 2, 4  # NFTA_RULE_…
_ELEMENT, _NAME, _DATA = 1, 1, 2  # NFTA_LIST_ELEM, NFTA_EXPR_NAME, NFTA_EXPR_DATA
_TARGET, _REVISION, _INFO = 1, 2, 3  # NFTA_TARGET_…
_NESTED: Final = 0x8000  # NLA_F_NESTED

_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_OF_NFNETLINK: Final = struct.Struct("!BBH")  # nfgenmsg: family, version, resource
_ATTRIBUTE: Final = struct.Struct("=HH")  # nlattr: length, type
_QUEUE_INFO: Final = struct.Struct("=H6x")  # xt_NFQ_info of revision 0, as long as xtables aligns it
_FAMILY: Final = {"ip": socket.AF_INET, "ip6": socket.AF_INET6}


class QueueingChain(NamedTuple):
    """A chain that there is, and the number of the queue to which its packets go."""

    family: str  # "ip" or "ip6"
    table: str
    chain: str
    queue: int


def queue_in(chains: Sequence[QueueingChain]) -> None:
    """End each of these chains of the current network namespace with a rule that queues every packet.

    Errors: UnsupportedError if the kernel refuses any; then none has changed.
    """
    if not chains:
        return
    last = len(chains)
    messages = [_edge(_BEGIN), *map(_rule, chains), _edge(_END)]
    # Errors are always answered; success of the last is asked for: answers for hundreds overflow the socket.
    batch = b"".join(_numbered(one, number, ack=number == last) for number, one in enumerate(messages))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETFILTER) as kernel:
        kernel.bind((0, 0))
        kernel.send(batch)
        answered = 0
        while answered != last:
            for answered, code in _answers(kernel.recv(1 << 16)):
                if code:
                    where = " ".join(chains[answered - 1][:3]) if answered else "the rules"
                    raise UnsupportedError(
                        f"{where}: the kernel refuses xtables' NFQUEUE ({os.strerror(code)}); it needs "
                        "CONFIG_NETFILTER_XT_TARGET_NFQUEUE and CONFIG_NFT_COMPAT (see testbed doctor)"
                    )


def _edge(kind: int) -> tuple[int, int, bytes]:
    return kind, _REQUEST, _OF_NFNETLINK.pack(socket.AF_UNSPEC, 0, _NFTABLES)


def _rule(one: QueueingChain) -> tuple[int, int, bytes]:
    target = _attributes({_TARGET: b"NFQUEUE\0", _REVISION: bytes(4), _INFO: _QUEUE_INFO.pack(one.queue)})
    expression = _attributes({_NAME: b"target\0", _DATA | _NESTED: target})
    body = _attributes(
        {
            _TABLE: one.table.encode() + b"\0",
            _CHAIN: one.chain.encode() + b"\0",
            _EXPRESSIONS | _NESTED: _attributes({_ELEMENT | _NESTED: expression}),
        }
    )
    return _NEW_RULE, _REQUEST | _CREATE | _APPEND, _OF_NFNETLINK.pack(_FAMILY[one.family], 0, 0) + body


def _numbered(message: tuple[int, int, bytes], number: int, *, ack: bool) -> bytes:
    kind, flags, body = message
    return _HEADER.pack(_HEADER.size + len(body), kind, flags | (_ACK if ack else 0), number, 0) + body


def _attributes(values: Mapping[int, bytes]) -> bytes:
    packed = b""
    for kind, value in values.items():
        packed += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)
    return packed


def _answers(data: bytes) -> Iterator[tuple[int, int]]:
    """The number of the message, and errno or 0, of each answer."""
    while data:
        length, kind, _, number, _ = _HEADER.unpack_from(data)
        if kind == _ERROR:
            (code,) = struct.unpack_from("=i", data, _HEADER.size)
            yield number, -code
        data = data[length + 3 & ~3 :]
