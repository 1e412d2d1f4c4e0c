"""The rule that nft cannot write: xtables' NFQUEUE in a chain of nftables, by netlink.

nft's own `queue` statement needs a part of the kernel that not every distribution builds; this one is what
iptables-nft makes, by way of nft_compat. A chain that only queues may be jumped to from any rule of nft's.
"""

import os
import socket
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from testbed.errors import UnsupportedError
from testbed.world.netlink import answers, new_message, numbered, packed_attributes

# From linux/netlink.h, linux/netfilter/nfnetlink.h, nf_tables.h and nf_tables_compat.h:
_CREATE, _APPEND = 0x400, 0x800  # NLM_F_CREATE, NLM_F_APPEND
_NETFILTER: Final = 12  # NETLINK_NETFILTER
_BEGIN, _END = 0x10, 0x11  # NFNL_MSG_BATCH_BEGIN, …_END
_NFTABLES: Final = 10  # NFNL_SUBSYS_NFTABLES
_NEW_RULE: Final = _NFTABLES << 8 | 6  # NFT_MSG_NEWRULE
_TABLE, _CHAIN, _EXPRESSIONS = 1, 2, 4  # NFTA_RULE_…
_ELEMENT, _NAME, _DATA = 1, 1, 2  # NFTA_LIST_ELEM, NFTA_EXPR_NAME, NFTA_EXPR_DATA
_TARGET, _REVISION, _INFO = 1, 2, 3  # NFTA_TARGET_…
_NESTED: Final = 0x8000  # NLA_F_NESTED

_OF_NFNETLINK: Final = struct.Struct("!BBH")  # nfgenmsg: family, version, resource
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
    batch = b"".join(numbered(one, number, ack=number == last) for number, one in enumerate(messages))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETFILTER) as kernel:
        kernel.bind((0, 0))
        kernel.send(batch)
        answered = 0
        while answered != last:
            for answered, code, _ in answers(kernel.recv(1 << 16)):
                if code:
                    where = " ".join(chains[answered - 1][:3]) if answered else "the rules"
                    raise UnsupportedError(
                        f"{where}: the kernel refuses xtables' NFQUEUE ({os.strerror(code)}); it needs "
                        "CONFIG_NETFILTER_XT_TARGET_NFQUEUE and CONFIG_NFT_COMPAT (see testbed doctor)"
                    )


def _edge(kind: int) -> bytes:
    return new_message(kind, _OF_NFNETLINK.pack(socket.AF_UNSPEC, 0, _NFTABLES), new=0)


def _rule(one: QueueingChain) -> bytes:
    target = {_TARGET: b"NFQUEUE\0", _REVISION: bytes(4), _INFO: _QUEUE_INFO.pack(one.queue)}
    expression = {_NAME: b"target\0", _DATA | _NESTED: packed_attributes(target)}
    rule = {
        _TABLE: one.table.encode() + b"\0",
        _CHAIN: one.chain.encode() + b"\0",
        _EXPRESSIONS | _NESTED: packed_attributes({_ELEMENT | _NESTED: packed_attributes(expression)}),
    }
    body = _OF_NFNETLINK.pack(_FAMILY[one.family], 0, 0) + packed_attributes(rule)
    return new_message(_NEW_RULE, body, new=_CREATE | _APPEND)
