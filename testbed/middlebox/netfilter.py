"""What netfilter holds in the current network namespace, read by netlink: counters, elements, rules.

`nft list counters` reads every element of every set, which takes seconds once there are 100,000 flows
(nft 1.0.6 does so with --terse, too). The kernel is asked for what is needed, and nothing else.
"""

import os
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from testbed.errors import InvalidRunError

# From linux/netlink.h, linux/netfilter/nfnetlink.h and nf_tables.h:
_REQUEST, _DUMP, _INTERRUPTED = 0x1, 0x300, 0x10  # NLM_F_REQUEST, NLM_F_DUMP, NLM_F_DUMP_INTR
_ERROR, _DONE = 2, 3  # NLMSG_ERROR, NLMSG_DONE
_NETFILTER = 12  # NETLINK_NETFILTER
_GET_RULE, _GET_ELEMENTS, _GET_GENERATION, _GET_OBJECTS = (0x0A00 | number for number in (7, 13, 16, 19))
_NAME_OF_TABLE, _SECOND, _DATA, _ELEMENTS = 1, 2, 4, 3  # NFTA_OBJ_*, NFTA_SET_ELEM_LIST_*, NFTA_RULE_*
_OBJECT_TYPE, _COUNTER_TYPE = 3, 1  # NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER
_PACKETS = 2  # NFTA_COUNTER_PACKETS
_KEY, _EXPRESSION, _VALUE, _EXPRESSION_DATA = 1, 7, 1, 2  # NFTA_SET_ELEM_KEY, …_EXPR, NFTA_DATA_VALUE
_GENERATION = 1  # NFTA_GEN_ID

_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_OF_NFNETLINK: Final = struct.Struct("!BBH")  # nfgenmsg: family, version, resource
_ATTRIBUTE: Final = struct.Struct("=HH")  # nlattr: length, type
_TYPE_MASK: Final = 0x3FFF
_BUFFER: Final = 1 << 17  # bytes; the kernel fills what the reader offers, up to 32 KB
_NET: Final = Path("/proc/thread-self/net")
_TRIES: Final = 5  # a dump that a change of the rules interrupts is begun again

FAMILIES: Final = {
    "ip": socket.AF_INET,
    "ip6": socket.AF_INET6,
    "inet": 1,
    "arp": 3,
    "netdev": 5,
    "bridge": 7,
}


def counters(family: str, table: str) -> Counter[str]:
    """Packets seen by each named counter of a table."""
    found: Counter[str] = Counter()
    attributes = _text(_NAME_OF_TABLE, table) + _number(_OBJECT_TYPE, _COUNTER_TYPE)
    for message in _dump(_GET_OBJECTS, family, attributes):
        parts = _parts(message)
        if _string(parts[_NAME_OF_TABLE]) == table and _whole(parts[_OBJECT_TYPE]) == _COUNTER_TYPE:
            found[_string(parts[_SECOND])] += _packets(parts[_DATA])
    return found


def counted_elements(family: str, table: str, name: str) -> dict[bytes, int]:
    """Packets seen by the counter of each element of a set, by its key as the kernel keeps it."""
    found = {}
    for message in _dump(_GET_ELEMENTS, family, _text(_NAME_OF_TABLE, table) + _text(_SECOND, name)):
        for _, element in _each(_parts(message).get(_ELEMENTS, b"")):
            parts = _parts(element)
            if _EXPRESSION in parts:
                found[_parts(parts[_KEY])[_VALUE]] = _packets(_parts(parts[_EXPRESSION])[_EXPRESSION_DATA])
    return found


def rules() -> Counter[str]:
    """How many rules each chain has, by "family table chain"."""
    names = {number: name for name, number in FAMILIES.items()}
    found: Counter[str] = Counter()
    for message in _dump(_GET_RULE, "", b"", whole=True):
        parts = _parts(message[_OF_NFNETLINK.size :])
        family = names.get(message[0], str(message[0]))
        found[f"{family} {_string(parts[_NAME_OF_TABLE])} {_string(parts[_SECOND])}"] += 1
    return found


def described() -> list[str]:
    """The rules of this namespace in words, the older iptables' too: "ip filter OUTPUT (2 rules)"."""
    found = [f"{chain} ({count} rule{'s' * (count != 1)})" for chain, count in rules().items()]
    for version, names in (("ip", "ip_tables_names"), ("ip6", "ip6_tables_names")):
        with suppress(OSError):  # not loaded, or not readable
            tables = (_NET / names).read_text("ascii").split()
            found += [f"{version}tables-legacy, table {table}" for table in tables]
    return found


def generation() -> int:
    """The number of the rule set: every change by anybody counts it up; what packets do to sets does not."""
    [message] = _dump(_GET_GENERATION, "", b"", flags=0)
    return _whole(_parts(message)[_GENERATION])


def _dump(
    kind: int, family: str, attributes: bytes, *, flags: int = _DUMP, whole: bool = False
) -> list[bytes]:
    """The attributes of each message of the answer, with the nfnetlink header if `whole`."""
    for _ in range(_TRIES):
        found, interrupted = [], False
        for answered, message in _ask(kind, family, attributes, flags):
            interrupted |= bool(answered & _INTERRUPTED)
            found.append(message if whole else message[_OF_NFNETLINK.size :])
        if not interrupted:
            return found
    raise InvalidRunError("netfilter's rules change all the time; what was done cannot be proven")


def _ask(kind: int, family: str, attributes: bytes, flags: int) -> Iterator[tuple[int, bytes]]:
    body = _OF_NFNETLINK.pack(FAMILIES.get(family, 0), 0, 0) + attributes
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETFILTER) as kernel:
        kernel.bind((0, 0))
        kernel.send(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, 1, 0) + body)
        while True:
            data = kernel.recv(_BUFFER)
            at = 0
            while at < len(data):
                length, answer, answered, _, _ = _HEADER.unpack_from(data, at)
                message = data[at + _HEADER.size : at + length]
                at += length + 3 & ~3
                if answer == _DONE:
                    return
                if answer == _ERROR:
                    code = -int.from_bytes(message[:4], "little", signed=True)
                    raise InvalidRunError(f"netfilter: {os.strerror(code)}; what was done cannot be proven")
                yield answered, message
            if not flags & _DUMP:
                return


def _each(data: bytes) -> Iterator[tuple[int, bytes]]:
    at, end = 0, len(data)
    while end - at >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        yield kind & _TYPE_MASK, data[at + _ATTRIBUTE.size : at + length]
        at += max(length, _ATTRIBUTE.size) + 3 & ~3


def _parts(data: bytes) -> dict[int, bytes]:
    return dict(_each(data))


def _packets(counter: bytes) -> int:
    return _whole(_parts(counter)[_PACKETS])


def _whole(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _string(data: bytes) -> str:
    return data.rstrip(b"\0").decode()


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("!I", value))


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)
