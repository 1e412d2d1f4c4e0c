"""Links, addresses, routes, neighbours and queueing disciplines, by rtnetlink.

The messages are of our own: a library that describes all of the kernel's takes as long to import as a world
takes to build. A test compares each with pyroute2's. Many go to the kernel in one system call.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from testbed.errors import InvalidRunError, UnsupportedError
from testbed.model.parsed import parsed_address, parsed_network

LOOPBACK: Final = 1  # the index of `lo` in every namespace
MAIN: Final = 254  # RT_TABLE_MAIN

# From linux/netlink.h, rtnetlink.h, if.h, neighbour.h and pkt_sched.h:
_REQUEST, _ACK, _NEW = 0x1, 0x4, 0x200 | 0x400  # NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL | NLM_F_CREATE
_LINK, _ADDRESS, _ROUTE, _NEIGHBOUR, _QDISC = 16, 20, 24, 28, 36  # RTM_NEW…
_RULE, _NO_QDISC = 32, 37  # RTM_NEWRULE, RTM_DELQDISC
_CHANGE_LINK = 19  # RTM_SETLINK
_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11  # answers without the request, but with a text
_ERROR, _HAS_TEXT, _TEXT = 2, 0x200, 1  # NLMSG_ERROR, NLM_F_ACK_TLVS, NLMSGERR_ATTR_MSG
_IFF_UP, _IFA_F_NODAD, _NUD_PERMANENT, _TC_H_ROOT = 1, 0x02, 0x80, 0xFFFFFFFF
_BOOT, _ONLINK = 3, 4  # RTPROT_BOOT, RTNH_F_ONLINK
_UNICAST, _UNREACHABLE = 1, 7  # RTN_…
_TO_TABLE = 1  # FR_ACT_TO_TBL
_UNIVERSE, _ON_LINK = 0, 253  # RT_SCOPE_…

# The same headers' attributes:
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 18, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_NDA_DST, _NDA_LLADDR = 1, 2
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC = 1, 4, 5, 7
_FRA_IIFNAME = 3
_TCA_KIND, _TCA_OPTIONS, _TCA_TBF_PARMS = 1, 2, 1


class _FixedPart(NamedTuple):
    """The beginning of a message of some kind."""

    packed: struct.Struct
    names: tuple[str, ...]


def _fixed_part(form: str, names: str) -> _FixedPart:
    return _FixedPart(struct.Struct("=" + form), tuple(names.split()))


_LINK_PART: Final = _fixed_part("BxHiII", "family type index flags change")  # ifinfomsg
_ADDRESS_PART: Final = _fixed_part("BBBBI", "family prefixlen flags scope index")  # ifaddrmsg
_NEIGHBOUR_PART: Final = _fixed_part("BxxxiHBB", "family ifindex state flags type")  # ndmsg
_ROUTE_PART: Final = _fixed_part("8BI", "family dst_len src_len tos table proto scope type flags")  # rtmsg
_RULE_PART: Final = _fixed_part("5BxxBI", "family dst_len src_len tos table action flags")  # fib_rule_hdr
_QDISC_PART: Final = _fixed_part("BxxxiIII", "family index handle parent info")  # tcmsg

# tc_tbf_qopt: tc_ratespec (cell_log, linklayer, overhead, cell_align, mpu, rate), peaks' own, limit, buffer …
_TOKEN_BUCKET: Final = struct.Struct("=BBHhHI 12x III")
_ETHERNET: Final = 1  # TC_LINKLAYER_ETHERNET
_TICKS: Final = 15.625  # of the packet scheduler's clock (PSCHED_SHIFT: 64 ns) in a microsecond

_TOGETHER: Final = 64  # requests in one system call; our choice: all their answers fit a socket's buffer
_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE: Final = struct.Struct("=HH")  # nlattr: length, type
_FAMILY: Final = {4: socket.AF_INET, 6: socket.AF_INET6}


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to be made in the namespace where it is sent."""

    what: str  # for errors: "route default"
    message: bytes
    lacking: int = 0  # the errno that means that this kernel does not have such things


@dataclass(frozen=True, slots=True)
class LinkEnd:
    """One end of a link to be made."""

    namespace: int  # descriptor
    index: int  # of the interface in it, not in use yet
    name: str
    mac: str

    def packed(self, kind: bytes = b"") -> bytes:
        """As an interface message without header; `kind`: what the interface is, as attributes."""
        attributes = {
            _IFLA_IFNAME: self.name.encode() + b"\0",
            _IFLA_ADDRESS: _hardware(self.mac),
            _IFLA_NET_NS_FD: struct.pack("=I", self.namespace),
        }
        return _body(_LINK_PART, attributes | ({_IFLA_LINKINFO: kind} if kind else {}), index=self.index)


def veth(a: LinkEnd, b: LinkEnd, what: str) -> Request:
    """A link between two interfaces; `what` names it in errors."""
    peer = packed_attributes({_VETH_INFO_PEER: b.packed()})
    kind = packed_attributes({_IFLA_INFO_KIND: b"veth\0", _IFLA_INFO_DATA: peer})
    message = new_message(_LINK, a.packed(kind))
    return Request(f"veth link {what}", message, lacking=errno.EOPNOTSUPP)


def up(index: int, name: str) -> Request:
    """An interface set up."""
    body = _body(_LINK_PART, {}, index=index, flags=_IFF_UP, change=_IFF_UP)
    return Request(f"{name} up", new_message(_CHANGE_LINK, body))


def address(value: str, index: int) -> Request:
    """An address of an interface, alone in its network."""
    parsed = parsed_address(value)
    fields = {"family": _FAMILY[parsed.version], "prefixlen": parsed.max_prefixlen, "index": index}
    if parsed.version == 6:
        fields["flags"] = _IFA_F_NODAD  # usable at once, also as the source of a route
    attributes = {_IFA_LOCAL: parsed.packed, _IFA_ADDRESS: parsed.packed}
    return Request(f"address {value}", new_message(_ADDRESS, _body(_ADDRESS_PART, attributes, **fields)))


def neighbour(value: str, mac: str, index: int) -> Request:
    """A neighbour's hardware address, for good."""
    parsed = parsed_address(value)
    attributes = {_NDA_DST: parsed.packed, _NDA_LLADDR: _hardware(mac)}
    fields = {"family": _FAMILY[parsed.version], "ifindex": index, "state": _NUD_PERMANENT}
    return Request(
        f"neighbour {value}", new_message(_NEIGHBOUR, _body(_NEIGHBOUR_PART, attributes, **fields))
    )


def route(to: str, index: int = 0, via: str = "", source: str = "", table: int = MAIN) -> Request:
    """A route to the prefix `to` through an interface; without one, the prefix is unreachable.

    `via` is a next hop, which need not be in any network of the interface; `source` is the address that
    packets of this host get that have none yet; `table` is below 256.
    """
    prefix = parsed_network(to)
    attributes = {}
    if prefix.prefixlen:
        attributes[_RTA_DST] = prefix.network_address.packed
    if index:
        attributes[_RTA_OIF] = struct.pack("=I", index)
    if via:
        attributes[_RTA_GATEWAY] = parsed_address(via).packed
    if source:
        attributes[_RTA_PREFSRC] = parsed_address(source).packed
    body = _body(
        _ROUTE_PART,
        attributes,
        family=_FAMILY[prefix.version],
        dst_len=prefix.prefixlen,
        table=table,
        proto=_BOOT,
        scope=_ON_LINK if index and not via and prefix.version == 4 else _UNIVERSE,
        type=_UNICAST if index else _UNREACHABLE,
        flags=_ONLINK if via else 0,
    )
    return Request(f"route {to}", new_message(_ROUTE, body))


def lookup(arriving: str, table: int) -> list[Request]:
    """What arrives by the interface `arriving` is routed by `table`, in both IP versions."""
    attributes = {_FRA_IIFNAME: arriving.encode() + b"\0"}
    return [
        Request(
            f"rule for {arriving}",
            new_message(_RULE, _body(_RULE_PART, attributes, family=family, table=table, action=_TO_TABLE)),
        )
        for family in _FAMILY.values()
    ]


def token_bucket(index: int, name: str, rate: float, burst: int, limit: int) -> Request:
    """A tbf qdisc at the root of an interface: `rate` in bit/s; `burst` and `limit`, its queue, in octets."""
    filling = int(1_000_000 * burst / (rate / 8))  # microseconds
    parameters = _TOKEN_BUCKET.pack(0, _ETHERNET, 0, 0, 0, int(rate / 8), limit, int(filling * _TICKS), 0)
    options = packed_attributes({_TCA_TBF_PARMS: parameters})
    attributes = {_TCA_KIND: b"tbf\0", _TCA_OPTIONS: options}
    body = _body(_QDISC_PART, attributes, index=index, parent=_TC_H_ROOT)
    return Request(f"qdisc tbf of {name}", new_message(_QDISC, body), lacking=errno.ENOENT)


def no_token_bucket(index: int, name: str) -> Request:
    """The tbf qdisc at the root of an interface removed."""
    body = _body(_QDISC_PART, {}, index=index, parent=_TC_H_ROOT)
    return Request(f"no qdisc at {name}", new_message(_NO_QDISC, body, new=0))


def new_message(kind: int, body: bytes, new: int = _NEW) -> bytes:
    """A request of some kind, with these flags besides, and no number yet."""
    return _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | new, 0, 0) + body


def _body(part: _FixedPart, attributes: Mapping[int, bytes], **fields: int) -> bytes:
    """A message without header: its fixed part, then its attributes."""
    return part.packed.pack(*(fields.get(name, 0) for name in part.names)) + packed_attributes(attributes)


def packed_attributes(attributes: Mapping[int, bytes]) -> bytes:
    """Each with its length and number, in their order."""
    packed = b""
    for number, value in attributes.items():
        packed += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), number) + value + b"\0" * (-len(value) % 4)
    return packed


def _hardware(address: str) -> bytes:
    return bytes.fromhex(address.replace(":", ""))


def send(requests: Sequence[Request], where: str) -> None:
    """Have the kernel carry out `requests`, in this order, in the network namespace of the calling thread.

    Errors: InvalidRunError that names `where`, the first request that was refused, and why; UnsupportedError
    if the kernel lacks the feature.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as kernel:
        kernel.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
        kernel.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
        kernel.bind((0, 0))
        for start in range(0, len(requests), _TOGETHER):
            _send(kernel, requests[start : start + _TOGETHER], where)


def _send(kernel: socket.socket, requests: Sequence[Request], where: str) -> None:
    last = len(requests) - 1
    batch = b"".join(numbered(r.message, number, ack=number == last) for number, r in enumerate(requests))
    kernel.send(batch)
    answered = False
    while not answered:  # errors are always answered, in order; success only where it was asked for
        for number, code, text in answers(kernel.recv(1 << 16)):
            if code:
                request = requests[number]
                reason = f"{text} ({os.strerror(code)})" if text else os.strerror(code)
                kind = UnsupportedError if code == request.lacking else InvalidRunError
                raise kind(f"building {where}: {request.what}: {reason}")
            answered = number == last


def numbered(message: bytes, number: int, *, ack: bool) -> bytes:
    """The request with its number among those that are sent together; `ack` asks for an answer to success."""
    length, kind, flags, _, _ = _HEADER.unpack_from(message)
    return _HEADER.pack(length, kind, flags | (_ACK if ack else 0), number, 0) + message[_HEADER.size :]


def answers(data: bytes) -> Iterator[tuple[int, int, str]]:
    """(number of the request, errno or 0, the kernel's words) of each answer."""
    while data:
        length, kind, flags, number, _ = _HEADER.unpack_from(data)
        if kind == _ERROR:
            (code,) = struct.unpack_from("=i", data, _HEADER.size)
            details = data[2 * _HEADER.size + 4 : length] if flags & _HAS_TEXT else b""
            yield number, -code, _text(details)
        data = data[length + 3 & ~3 :]


def _text(attributes: bytes) -> str:
    while len(attributes) >= 4:
        length, kind = struct.unpack_from("=HH", attributes)
        if kind == _TEXT:
            return attributes[4:length].rstrip(b"\0").decode(errors="replace")
        attributes = attributes[max(length, 4) + 3 & ~3 :]
    return ""
