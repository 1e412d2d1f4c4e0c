"""The names of the emulated Internet and the truthful answers about them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import count
from zlib import crc32

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from testbed.internet.services.ech import EchFront
from testbed.model import DnsAnswers, Host, Site, World
from testbed.model.addressing import addresses_of
from testbed.model.parsed import parsed_address

MAX_MESSAGE = 65535  # bytes
TTL = 300  # seconds, for every record: our choice
HEADER = 12  # bytes; without them there is no identifier to answer to (RFC 1035 4.1.1)
UDP_PLAIN = 512  # bytes, without EDNS (RFC 1035 4.2.1)
UDP_EDNS = 1232  # bytes, as the resolvers agreed on DNS flag day 2020

# Names that answer with the address from which the resolver asks; detectors find their resolver with them.
WHOAMI = ("whoami.v4.powerdns.org", "whoami.akamai.net")


@dataclass(frozen=True)
class Zone:
    """Every name with its addresses. Names are lower case, without the final dot."""

    addresses: Mapping[str, tuple[str, ...]]  # name -> IPv4 and IPv6 addresses
    pointers: Mapping[str, str] = field(default_factory=dict)  # "1.0.0.127.in-addr.arpa" -> name
    services: Mapping[str, str] = field(default_factory=dict)  # name -> its HTTPS record (RFC 9460)
    delegations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # zone -> its server's addresses
    answers: Mapping[str, DnsAnswers] = field(default_factory=dict)  # name -> which addresses, if not all
    asked: Iterator[int] = field(default_factory=count, compare=False)  # numbers the answers that rotate
    egress: str = ""  # IPv4 address of the resolver that answers, for `WHOAMI`; "" leaves them out

    @cached_property
    def parents(self) -> frozenset[str]:
        """Names that exist only because something is below them."""
        names = [*self.addresses, *self.pointers]
        parents = {name[at + 1 :] for name in names for at, char in enumerate(name) if char == "."}
        return frozenset(parents | {""})

    @classmethod
    def from_world(cls, world: World) -> "Zone":
        """Names of sites, public resolvers and hosts, forward and reverse (by the main name)."""
        owners: list[tuple[tuple[str, ...], tuple[str, ...]]]
        listed = [site for site in world.sites if site.in_dns]
        owners = [(site.names, site.addresses) for site in listed]
        owners += [(each.names, (*each.ipv4, *each.ipv6)) for each in world.resolvers]
        owners += [(host.names, addresses_of(host, world)) for host in world.hosts if host.names]
        addresses = {name.lower(): owned for names, owned in owners for name in names}
        pointers = {_pointer(address): names[0] for names, owned in owners for address in owned}
        servers: list[tuple[Site | Host, tuple[str, ...]]]
        servers = [(site, site.addresses) for site in listed]
        servers += [(host, addresses_of(host, world)) for host in world.hosts]
        services = {
            name.lower(): _service(server.https_record, addresses, ech)
            for server, addresses in servers
            if (ech := server.ech or _own_ech(server)) or server.https_record
            for name in server.names
        }
        delegations = {zone: addresses_of(host, world) for host in world.hosts for zone in host.zones}
        answers = {
            name.lower(): site.answers for site in listed if site.answers != "all" for name in site.names
        }
        return cls(addresses, pointers, services, delegations, answers=answers)

    def seen_from(self, egress: str) -> "Zone":
        """The same zone for the resolver that asks from `egress`, and never itself; it counts for itself."""
        others = {zone: servers for zone, servers in self.delegations.items() if egress not in servers}
        return replace(self, egress=egress, delegations=others, asked=count())

    def records(self, name: str, kind: dns.rdatatype.RdataType) -> tuple[dns.rdata.Rdata, ...] | None:
        """The records of one kind that `name` has, () if none of that kind, None if there is no such name."""
        if kind == dns.rdatatype.PTR and name in self.pointers:
            return (_rdata(kind, self.pointers[name] + "."),)
        owned = (self.egress,) if self.egress and name in WHOAMI else self.addresses.get(name)
        if owned is None:
            return () if name in self.parents or name in self.pointers else None
        if kind == dns.rdatatype.HTTPS and name in self.services:
            return (_rdata(kind, self.services[name]),)
        if kind not in {dns.rdatatype.A, dns.rdatatype.AAAA}:
            return ()
        fitting = [address for address in owned if (":" in address) == (kind == dns.rdatatype.AAAA)]
        return tuple(_rdata(kind, address) for address in self._chosen(name, fitting))

    def _chosen(self, name: str, addresses: list[str]) -> list[str]:
        """Those of a name's addresses that the resolver is given, in their order."""
        how = self.answers.get(name, "all")
        if how == "all" or not addresses:
            return addresses
        if how == "by resolver":
            return [addresses[crc32(self.egress.encode()) % len(addresses)]]
        first = next(self.asked) % len(addresses)
        return addresses[first:] + addresses[:first]


@lru_cache(4096)
def _pointer(address: str) -> str:
    """The name under which an address is looked up, "1.0.0.127.in-addr.arpa"."""
    return parsed_address(address).reverse_pointer


def _own_ech(server: Site | Host) -> str:
    """The ECHConfigList of a host that serves ECH itself; "" for any other."""
    services = server.services if isinstance(server, Host) else ()
    return next((one.published() for one in services if isinstance(one, EchFront)), "")


def _service(protocols: Sequence[str], addresses: Sequence[str], ech: str) -> str:
    """An HTTPS record of the name itself, with its protocols, addresses and ECHConfigList."""
    four = ",".join(address for address in addresses if ":" not in address)
    six = ",".join(address for address in addresses if ":" in address)
    alpn = f'alpn="{",".join(protocols)}" ' if protocols else ""
    return f"1 . {alpn}ipv4hint={four} ipv6hint={six}" + (f" ech={ech}" if ech else "")


def answer(query: bytes, zone: Zone) -> bytes | None:
    """The truthful reply to any datagram; None if there is none to give (no header, or itself a reply).

    Never raises on what a client may send. The reply is whole; `for_udp` cuts it to size.
    """
    if len(query) < HEADER or query[2] & 0x80:
        return None
    if query[2] & 0x78:  # any opcode but QUERY
        return _refusal(query, dns.rcode.NOTIMP)
    try:
        request = dns.message.from_wire(query)
    except (dns.exception.DNSException, ValueError):
        return _refusal(query, dns.rcode.FORMERR)
    if len(request.question) != 1:
        return _refusal(query, dns.rcode.FORMERR)
    return _reply(request, zone).to_wire(max_size=MAX_MESSAGE)  # without it, what the client takes over UDP


def _reply(request: dns.message.Message, zone: Zone) -> dns.message.Message:
    reply = dns.message.make_response(request, recursion_available=True, our_payload=UDP_EDNS)
    asked = request.question[0]
    if request.edns > 0:
        reply.use_edns(0, payload=UDP_EDNS)
        reply.set_rcode(dns.rcode.BADVERS)
    elif asked.rdclass != dns.rdataclass.IN:
        reply.set_rcode(dns.rcode.REFUSED)
    elif dns.rdatatype.is_metatype(asked.rdtype):  # ANY, AXFR and the like
        reply.set_rcode(dns.rcode.NOTIMP)
    else:
        name = asked.name.to_text(omit_final_dot=True).lower().removesuffix(".")
        found = zone.records(name, asked.rdtype)
        if found:
            # One set per record: dnspython shuffles a set, and the same question must get the same answer.
            reply.answer += [dns.rrset.from_rdata_list(asked.name, TTL, (record,)) for record in found]
        else:
            reply.set_rcode(dns.rcode.NXDOMAIN if found is None else dns.rcode.NOERROR)
            reply.authority.append(_authority_of(asked.name))
    return reply


def for_udp(query: bytes, reply: bytes) -> bytes:
    """`reply` cut to what `query` allows over UDP, with TC set when something was left out."""
    if len(reply) <= UDP_PLAIN:
        return reply
    request = dns.message.from_wire(query)
    limit = min(max(request.payload, UDP_PLAIN), UDP_EDNS) if request.edns >= 0 else UDP_PLAIN
    if len(reply) <= limit:
        return reply
    return dns.message.from_wire(reply).to_wire(max_size=limit, prefer_truncation=True)


def _refusal(query: bytes, rcode: dns.rcode.Rcode) -> bytes:
    reply = dns.message.Message(id=int.from_bytes(query[:2], "big"))
    reply.flags = dns.flags.QR | dns.flags.RA | (dns.flags.RD if query[2] & 1 else 0)
    reply.set_opcode(dns.opcode.Opcode((query[2] >> 3) & 0xF))
    reply.set_rcode(rcode)
    return reply.to_wire()


def _authority_of(name: dns.name.Name) -> dns.rrset.RRset:
    """An SOA as the top-level domain of `name` would give it; the values are our choice."""
    top = dns.name.Name(name.labels[-2:]) if len(name.labels) > 1 else dns.name.root
    suffix = "." if top == dns.name.root else f".{top.to_text().lower()}"
    soa = f"a.nic{suffix} hostmaster.nic{suffix} 2022030401 1800 900 604800 {TTL}"
    return dns.rrset.from_rdata_list(top, TTL, (_rdata(dns.rdatatype.SOA, soa),))


@lru_cache(maxsize=4096)
def _rdata(kind: dns.rdatatype.RdataType, text: str) -> dns.rdata.Rdata:
    return dns.rdata.from_text(dns.rdataclass.IN, kind, text)
