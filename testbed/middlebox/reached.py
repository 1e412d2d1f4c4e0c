"""What subscribers exchange with servers that are not the world's sites or resolvers, counted by the kernel.

A tunnel that no rule meets leaves no event: that it was used at all is shown by this.
"""

import json
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from testbed.errors import InvalidRunError, UnsupportedError
from testbed.world.linux import program

_MOST = 4096  # servers and ports; our choice: what a port scan adds beyond them is not counted
_IP = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}


@dataclass(frozen=True, slots=True)
class Reached:
    """A port of a server, and the bytes to and from it, IP headers included."""

    subscriber: str
    address: str
    transport: str  # "tcp" or "udp"
    port: int
    octets: int


class ReachedServers:
    """Counts in the namespace in which `begin` is called, until it is gone."""

    def begin(self, subscribers: Iterable[str], known: Iterable[str]) -> None:
        """Start nft, which counts what `subscribers` exchange with all addresses but the `known` ones."""
        ours, others = tuple(subscribers), tuple(known)
        nft = [program("nft", "nftables"), "-f", "-"]
        self._nft = subprocess.Popen(nft, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._nft.stdin is not None
        self._nft.stdin.write(_table(ours, others))
        self._nft.stdin.close()
        self._nft.stdin = None

    def wait(self) -> None:
        """Return once it counts. Errors: UnsupportedError with nft's words."""
        _, said = self._nft.communicate()
        if self._nft.returncode:
            raise UnsupportedError(f"counting what subscribers reach: nft: {said.strip()}")


def read_reached() -> tuple[Reached, ...]:
    """What was counted in the current namespace, most bytes first."""
    nft = [program("nft", "nftables"), "-j", "list", "table", "inet", "reached"]
    done = subprocess.run(nft, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InvalidRunError(f"reading what subscribers reached: nft: {done.stderr.strip()}")
    return tuple(sorted(_elements(json.loads(done.stdout)), key=lambda one: -one.octets))


def _elements(listed: dict[str, list[dict[str, dict[str, object]]]]) -> Iterator[Reached]:
    for entry in listed["nftables"]:
        found = entry.get("set", {})
        if str(found.get("name", "")).startswith("flows"):
            for element in found.get("elem", []):  # type: ignore[attr-defined]
                subscriber, address, transport, port = element["elem"]["val"]["concat"]
                octets = element["elem"]["counter"]["bytes"]
                yield Reached(subscriber, address, str(transport), int(port), octets)


def _table(subscribers: Sequence[str], known: Sequence[str]) -> str:
    sets, rules = [], []
    for version, (family, kind) in _IP.items():
        own = [address for address in subscribers if (":" in address) == (version == 6)]
        others = [address for address in known if (":" in address) == (version == 6)]
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
    chain = ["chain seen {", "type filter hook forward priority filter;", *rules, "}"]
    return "\n".join(["table inet reached {", *sets, *chain, "}", ""])


def _set(name: str, kind: str, addresses: Sequence[str]) -> str:
    elements = f" elements = {{ {', '.join(addresses)} }};" if addresses else ""
    return f"set {name} {{ type {kind};{elements} }}"
