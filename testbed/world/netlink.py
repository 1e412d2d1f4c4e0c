"""Links, addresses, routes, neighbours and queueing disciplines, by rtnetlink.

The messages are pyroute2's; nothing else imports it. `import pyroute2` would import all of it, which takes
longer than building a world: its package is therefore entered without its `__init__`, and only what describes
these messages is imported. Its sockets wait for each request; here many go to the kernel in one system call.
"""

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from ipaddress import ip_address, ip_network
from typing import Any, Final

from testbed.errors import InvalidRunError, UnsupportedError


@contextmanager
def _without_init(package: str) -> Iterator[None]:
    """For the block, modules of `package` can be imported although it has not been itself."""
    if package in sys.modules:
        yield
        return
    spec = PathFinder.find_spec(package)
    if spec is None:
        raise UnsupportedError(f"the Python package {package} is missing; install what pyproject.toml lists")
    sys.modules[package] = module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[package]  # whoever imports it later gets the whole


with _without_init("pyroute2"):
    from pyroute2.netlink.rtnl.fibmsg import fibmsg
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
    from pyroute2.netlink.rtnl.ndmsg import ndmsg
    from pyroute2.netlink.rtnl.rtmsg import rtmsg

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

    def packed(self, **further: bytes) -> bytes:
        """As an interface message without header."""
        attributes = {
            "IFLA_IFNAME": self.name.encode() + b"\0",
            "IFLA_ADDRESS": _hardware(self.mac),
            "IFLA_NET_NS_FD": struct.pack("=I", self.namespace),
        }
        return _body(ifinfmsg, {**attributes, **further}, index=self.index)


def veth(a: LinkEnd, b: LinkEnd, what: str) -> Request:
    """A link between two interfaces; `what` names it in errors."""
    peer = _attributes(ifinfmsg.ifinfo.veth_data, {"VETH_INFO_PEER": b.packed()})
    kind = _attributes(ifinfmsg.ifinfo, {"IFLA_INFO_KIND": b"veth\0", "IFLA_INFO_DATA": peer})
    message = _message(_LINK, a.packed(IFLA_LINKINFO=kind))
    return Request(f"veth link {what}", message, lacking=errno.EOPNOTSUPP)


def up(index: int, name: str) -> Request:
    """An interface set up."""
    body = _body(ifinfmsg, {}, index=index, flags=_IFF_UP, change=_IFF_UP)
    return Request(f"{name} up", _message(_CHANGE_LINK, body))


def address(value: str, index: int) -> Request:
    """An address of an interface, alone in its network."""
    parsed = ip_address(value)
    fields = {"family": _FAMILY[parsed.version], "prefixlen": parsed.max_prefixlen, "index": index}
    if parsed.version == 6:
        fields["flags"] = _IFA_F_NODAD  # usable at once, also as the source of a route
    attributes = {"IFA_LOCAL": parsed.packed, "IFA_ADDRESS": parsed.packed}
    return Request(f"address {value}", _message(_ADDRESS, _body(ifaddrmsg, attributes, **fields)))


def neighbour(value: str, mac: str, index: int) -> Request:
    """A neighbour's hardware address, for good."""
    parsed = ip_address(value)
    attributes = {"NDA_DST": parsed.packed, "NDA_LLADDR": _hardware(mac)}
    fields = {"family": _FAMILY[parsed.version], "ifindex": index, "state": _NUD_PERMANENT}
    return Request(f"neighbour {value}", _message(_NEIGHBOUR, _body(ndmsg, attributes, **fields)))


def route(to: str, index: int = 0, via: str = "", source: str = "", table: int = MAIN) -> Request:
    """A route to the prefix `to` through an interface; without one, the prefix is unreachable.

    `via` is a next hop, which need not be in any network of the interface; `source` is the address that
    packets of this host get that have none yet; `table` is below 256.
    """
    prefix = ip_network(to)
    attributes = {}
    if prefix.prefixlen:
        attributes["RTA_DST"] = prefix.network_address.packed
    if index:
        attributes["RTA_OIF"] = struct.pack("=I", index)
    if via:
        attributes["RTA_GATEWAY"] = ip_address(via).packed
    if source:
        attributes["RTA_PREFSRC"] = ip_address(source).packed
    body = _body(
        rtmsg,
        attributes,
        family=_FAMILY[prefix.version],
        dst_len=prefix.prefixlen,
        table=table,
        proto=_BOOT,
        scope=_ON_LINK if index and not via and prefix.version == 4 else _UNIVERSE,
        type=_UNICAST if index else _UNREACHABLE,
        flags=_ONLINK if via else 0,
    )
    return Request(f"route {to}", _message(_ROUTE, body))


def lookup(arriving: str, table: int) -> list[Request]:
    """What arrives by the interface `arriving` is routed by `table`, in both IP versions."""
    attributes = {"FRA_IIFNAME": arriving.encode() + b"\0"}
    return [
        Request(
            f"rule for {arriving}",
            _message(_RULE, _body(fibmsg, attributes, family=family, table=table, action=_TO_TABLE)),
        )
        for family in _FAMILY.values()
    ]


def token_bucket(index: int, name: str, rate: float, burst: int, limit: int) -> Request:
    """A tbf qdisc at the root of an interface: `rate` in bit/s; `burst` and `limit`, its queue, in octets."""
    with _without_init("pyroute2"):  # imported where links have a rate: it takes as long as all the above
        from pyroute2.netlink.rtnl.tcmsg import sched_tbf, tcmsg

    message = tcmsg()
    message.update(index=index, parent=_TC_H_ROOT)
    parameters = sched_tbf.get_parameters({"rate": rate / 8, "burst": burst, "limit": limit})
    message["attrs"] = [("TCA_KIND", "tbf"), ("TCA_OPTIONS", parameters)]
    message.encode()
    return Request(
        f"qdisc tbf of {name}", _message(_QDISC, message.data[_HEADER.size :]), lacking=errno.ENOENT
    )


def no_token_bucket(index: int, name: str) -> Request:
    """The tbf qdisc at the root of an interface removed."""
    with _without_init("pyroute2"):
        from pyroute2.netlink.rtnl.tcmsg import tcmsg

    body = _body(tcmsg, {}, index=index, parent=_TC_H_ROOT)
    return Request(f"no qdisc at {name}", _message(_NO_QDISC, body, new=0))


# pyroute2's own encoder takes 30 times as long as what follows, which packs by its tables, and a world has
# hundreds of these messages.


def _message(kind: int, body: bytes, new: int = _NEW) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | new, 0, 0) + body


def _body(description: Any, attributes: Mapping[str, bytes], **fields: int) -> bytes:
    """A message without header: its fixed part, then its attributes."""
    head, names = _fixed_part(description)
    return head.pack(*(fields.get(name, 0) for name in names)) + _attributes(description, attributes)


def _attributes(description: Any, attributes: Mapping[str, bytes]) -> bytes:
    numbers = _numbers(description)
    packed = b""
    for name, value in attributes.items():
        packed += (
            _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), numbers[name]) + value + b"\0" * (-len(value) % 4)
        )
    return packed


@cache
def _fixed_part(description: Any) -> tuple[struct.Struct, tuple[str, ...]]:
    """How it is packed, and the names in it."""
    head = struct.Struct("=" + "".join(form for _, form in description.fields))
    return head, tuple(name for name, form in description.fields if "x" not in form)


@cache
def _numbers(description: Any) -> dict[str, int]:
    """The number of each attribute."""
    entries = enumerate(description.nla_map)  # each is (name, type), or (number, name, type)
    return {one[-2]: number if len(one) == 2 else one[0] for number, one in entries}


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
    batch = b"".join(_numbered(r.message, number, ack=number == last) for number, r in enumerate(requests))
    kernel.send(batch)
    answered = False
    while not answered:  # errors are always answered, in order; success only where it was asked for
        for number, code, text in _answers(kernel.recv(1 << 16)):
            if code:
                request = requests[number]
                reason = f"{text} ({os.strerror(code)})" if text else os.strerror(code)
                kind = UnsupportedError if code == request.lacking else InvalidRunError
                raise kind(f"building {where}: {request.what}: {reason}")
            answered = number == last


def _numbered(message: bytes, number: int, *, ack: bool) -> bytes:
    length, kind, flags, _, _ = _HEADER.unpack_from(message)
    return _HEADER.pack(length, kind, flags | (_ACK if ack else 0), number, 0) + message[_HEADER.size :]


def _answers(data: bytes) -> Iterator[tuple[int, int, str]]:
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
