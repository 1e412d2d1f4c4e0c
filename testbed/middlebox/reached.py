"""What subscribers exchange with servers that are not the world's sites or resolvers, counted by the kernel.

A tunnel that no rule meets leaves no event: that it was used at all is shown by this. Of a few sites every
flow is noted: whether the subscriber itself had one with them.
"""

import json
import subprocess
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.errors import InvalidRunError, UnsupportedError
from testbed.world.linux import program

_MOST_FLOWS = 1 << 16  # our choice: every port of a subscriber once
_MOST = 4096  # servers and ports; our choice: what a port scan adds beyond them is not counted
_IP = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}


@dataclass(frozen=True, slots=True)
class Reached:
    """A port of a server, and the bytes to and from it: IP headers included, later fragments left out."""

    subscriber: str
    address: str
    transport: str  # "tcp" or "udp"
    port: int
    octets: int


@dataclass(frozen=True, slots=True)
class FlowsWith:
    """The flows of a subscriber with noted sites, as "tcp 10.0.0.2:40000 > 203.0.113.1:443"."""

    begun: frozenset[str] = frozenset()
    answered: frozenset[str] = frozenset()  # the site sent data: a handshake or a reset is no answer

    def since(self, earlier: "FlowsWith") -> frozenset[str]:
        """The answered ones that had not begun `earlier`, whose late packets are no new flow."""
        return self.answered - earlier.begun


class ReachedServers:
    """Counts in the namespace in which `begin` is called, until it is gone."""

    def begin(self, subscribers: Iterable[str], known: Iterable[str], noted: Iterable[str]) -> None:
        """Start nft, which counts what `subscribers` exchange with all addresses but the `known` ones.

        Flows with the `noted` ones are noted.
        """
        table = _table(tuple(subscribers), tuple(known), tuple(noted))
        nft = [program("nft", "nftables"), "-f", "-"]
        self._nft = subprocess.Popen(nft, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._nft.stdin is not None
        self._nft.stdin.write(table)
        self._nft.stdin.close()
        self._nft.stdin = None

    def wait(self) -> None:
        """Return once it counts. Errors: UnsupportedError with nft's words."""
        _, said = self._nft.communicate()
        if self._nft.returncode:
            raise UnsupportedError(f"counting what subscribers reach: nft: {said.strip()}")


def read_reached() -> tuple[Reached, ...]:
    """What was counted in the current namespace, most bytes first."""
    found = []
    for element in _elements("flows"):
        subscriber, address, transport, port = element["elem"]["val"]["concat"]
        octets = element["elem"]["counter"]["bytes"]
        found.append(Reached(subscriber, address, str(transport), int(port), octets))
    return tuple(sorted(found, key=lambda one: -one.octets))


def read_flows(subscribers: Collection[str], addresses: Collection[str]) -> FlowsWith:
    """The flows of `subscribers` with noted `addresses` until now, in the current namespace."""
    begun, answered = (
        frozenset(
            f"{transport} {near}:{own} > {far}:{port}"
            for near, far, transport, own, port in (one["concat"] for one in _elements(kind))
            if near in subscribers and far in addresses
        )
        for kind in ("begun", "answered")
    )
    return FlowsWith(begun, answered)


def _elements(kind: str) -> Iterator[dict[str, Any]]:
    """Of the sets whose name is `kind` and the version of IP."""
    nft = [program("nft", "nftables"), "-j", "list", "table", "inet", "reached"]
    done = subprocess.run(nft, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InvalidRunError(f"reading what subscribers reached: nft: {done.stderr.strip()}")
    for entry in json.loads(done.stdout)["nftables"]:
        found = entry.get("set", {})
        if str(found.get("name", ""))[:-1] == kind:
            yield from found.get("elem", [])


def _table(subscribers: Sequence[str], known: Sequence[str], noted: Sequence[str]) -> str:
    sets, rules = [], []
    for version, (family, kind) in _IP.items():
        own = [address for address in subscribers if (":" in address) == (version == 6)]
        others = [address for address in known if (":" in address) == (version == 6)]
        sites = [address for address in noted if (":" in address) == (version == 6)]
        key = f"{kind} . {kind} . inet_proto . inet_service"
        sets += [
            _set(f"own{version}", kind, own),
            _set(f"known{version}", kind, others),
            f"set flows{version} {{ type {key}; flags dynamic; size {_MOST}; }}",
        ]
        for near, far, port in (("saddr", "daddr", "dport"), ("daddr", "saddr", "sport")):
            fitting = f"{family} {near} @own{version} {family} {far} != @known{version}"
            flow = f"{family} {near} . {family} {far} . meta l4proto . th {port}"
            rules.append(f"{fitting} meta l4proto {{ tcp, udp }} update @flows{version} {{ {flow} counter }}")
        if sites:
            sets += [
                _set(f"noted{version}", kind, sites),
                *(
                    f"set {name}{version} {{ type {key} . inet_service; flags dynamic; size {_MOST_FLOWS}; }}"
                    for name in ("begun", "answered")
                ),
            ]
            up = f"{family} saddr @own{version} {family} daddr @noted{version}"
            down = f"{family} saddr @noted{version} {family} daddr @own{version}"
            to = f"{family} saddr . {family} daddr . meta l4proto . th sport . th dport"
            back = f"{family} daddr . {family} saddr . meta l4proto . th dport . th sport"
            rules += [
                f"{up} meta l4proto {{ tcp, udp }} update @begun{version} {{ {to} }}",
                f"{down} meta l4proto udp update @answered{version} {{ {back} }}",
                # The last segment of what is written has PSH (RFC 9293, 3.9.1); handshake and reset have not.
                f"{down} tcp flags & psh == psh update @answered{version} {{ {back} }}",
            ]
    # A later fragment has no ports: what is at their place is data.
    later = ["ip frag-off & 0x1fff != 0 return", "meta nfproto ipv6 frag frag-off != 0 return"]
    chain = ["chain seen {", "type filter hook forward priority filter;", *later, *rules, "}"]
    return "\n".join(["table inet reached {", *sets, *chain, "}", ""])


def _set(name: str, kind: str, addresses: Sequence[str]) -> str:
    elements = f" elements = {{ {', '.join(addresses)} }};" if addresses else ""
    return f"set {name} {{ type {kind};{elements} }}"
