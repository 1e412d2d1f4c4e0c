"""What is on the other side of the censors: resolvers and the servers of the world, as far as they answer.

Pages are those of the real servers (`testbed.internet.pages`), and so are the answers of honest resolvers.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from ipaddress import ip_address
from random import Random
from typing import Any, Final, Literal

from testbed.censor.decision import Direction
from testbed.censor.inspect import Content, Kind
from testbed.censor.match import CompiledRule
from testbed.censor.packet import ACK, RST, SYN, TCP, UDP, Packet
from testbed.censor.parsers.dns import Question, question
from testbed.censor.units import Seconds
from testbed.censor.wire import Endpoints, IpForm, icmp_unreachable, reset_sender, udp
from testbed.dryrun.packedaddress import address_text
from testbed.dryrun.quicpeer import QuicPeer, hidden
from testbed.dryrun.tcppeer import TcpPeer, announced_mss
from testbed.dryrun.way import WAKES, DryAct, Way, read
from testbed.internet.behaviour import behaving
from testbed.internet.doh import resolver_pages
from testbed.internet.hosts import by_address, far_hosts, surroundings
from testbed.internet.pages import Application, host_pages
from testbed.internet.services.tunnel import Tunnel
from testbed.internet.zone import Zone, answer, for_udp
from testbed.model import OUTSIDE, Host, Placement, World
from testbed.model.addressing import addresses_of, is_domestic

CHAIN: Final = 1900  # bytes of a server's encrypted flight: two ECDSA certificates and the rest; our choice
_START: Final = 5_000_000  # initial sequence number of servers
_SERVER_HELLO: Final = b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(116)
_CHANGE: Final = b"\x14\x03\x03\x00\x01\x01"
_KEPT: Final = 256  # answers of a world's servers that are kept; our choice
_PACE: Final = 0.1  # seconds between two pieces of a paced body, as `testbed.internet.behaviour`


class FarWorld:
    """The servers of a world, by address."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.hosts: dict[str, Host] = {}
        for host in (*far_hosts(world), *world.hosts):
            for text in addresses_of(host, world) if host.at else (*host.ipv4, *host.ipv6):
                self.hosts.setdefault(str(ip_address(text)), host)
        self.resolvers = {
            address: operator.key
            for operator in world.operators
            for address in (operator.resolver4, operator.resolver6)
        }
        self.rotates = any(site.answers == "rotating" for site in world.sites)  # no two answers are alike
        self.country_of = surroundings(world).country_of
        self._zones: dict[str, Zone] = {}
        self._told = lru_cache(_KEPT)(self._answered)
        self._pages = lru_cache(_KEPT)(self._fetched)

    def hops(self, vantage: str, address: str) -> int:
        """How far an address is from a vantage, in hops: the first router is 1."""
        if vantage == OUTSIDE:
            return 1  # no censor is on the way
        hops, host = self.world.operator(vantage).hops, self.hosts.get(address)
        if self.resolvers.get(address) == vantage:
            return hops + 1
        if host is not None and host.at not in ("", OUTSIDE):
            return hops + 1 + self.world.operator(host.at).hops + 1
        at_home = host is not None and not host.at and is_domestic(host.country, self.world)
        return hops + 1 + (0 if at_home else self.world.transit) + 1

    @cached_property
    def zone(self) -> Zone:
        """The names of the world."""
        return Zone.from_world(self.world)

    def zone_seen_from(self, resolver: str) -> Zone:
        """The names as the resolver at this address answers about them."""
        if resolver not in self._zones:
            self._zones[resolver] = self.zone.seen_from(resolver)
        return self._zones[resolver]

    def answered(self, resolver: str, query: bytes) -> bytes | None:
        """What an honest resolver answers. The same question, whatever its number, gets the same answer."""
        zone = self.zone_seen_from(resolver)
        if zone.answers or len(query) < 2:
            return answer(query, zone)
        reply = self._told(resolver, query[2:])
        return reply and query[:2] + reply[2:]

    def _answered(self, resolver: str, rest: bytes) -> bytes | None:
        return answer(b"\0\0" + rest, self.zone_seen_from(resolver))

    def fetched(self, address: str, client: str, head: bytes, body: bytes) -> tuple[bytes, bytes]:
        """Head and body of a server's answer to a request (its head as HTTP/1.1 has it)."""
        same = not body and not self.zone.answers
        return self._pages(address, client, head) if same else self._fetched(address, client, head, body)

    def _fetched(self, address: str, client: str, head: bytes, body: bytes = b"") -> tuple[bytes, bytes]:
        line, _, rest = head.partition(b"\r\n")
        words = line.split(b" ")
        if len(words) != 3:
            return b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", b""
        path, _, query = words[1].partition(b"?")
        headers = [tuple(map(bytes.strip, one.split(b":", 1))) for one in rest.split(b"\r\n") if b":" in one]
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": words[0].decode("latin-1"),
            "path": path.decode("latin-1"),
            "query_string": query,
            "headers": [(name.lower(), value) for name, value in headers],
            "client": (client, 40000),
        }
        status, sent, content = _carried_out(self.pages_of(self.hosts[address], (address,)), scope, body)
        lines = [f"HTTP/1.1 {status} OK".encode(), *(name + b": " + value for name, value in sent)]
        return b"\r\n".join([*lines, b"connection: close", b"", b""]), content

    def pages_of(self, host: Host, addresses: Sequence[str]) -> Application:
        """What its web server answers, without the delays, which are counted apart."""
        quick = replace(host, behaviour=replace(host.behaviour, wait=Seconds(0.0), pace=None))
        if any(service.key == "doh" for service in host.services):
            zone = self.zone_seen_from(addresses[0])
            answers = resolver_pages((*host.names, *addresses)[0], lambda query: answer(query, zone))
            return behaving(answers, quick, self.country_of)
        return behaving(host_pages(quick, addresses), quick, self.country_of)


PLAYED: Final = frozenset({"dns", "doh", "dot", "http3", "tunnel", "web"})
"""Services whose answers are known without running them; of others only that they listen."""


class FarSide:
    """The far end of a way: receives what has come through, and answers."""

    def __init__(
        self, far: FarWorld, way: Way, lying: Mapping[str, Placement], flight: int = 1, seed: int = 0
    ) -> None:
        """`lying`: resolvers with rules, by operator. `flight`: datagrams of a client's first flight.

        `seed`: of what overloaded servers do to a connection.
        """
        self.drawn = False  # whether the seed has had a say
        self._chance = Random(seed)
        self._far, self._way, self._lying, self._flight = far, way, lying, flight
        self._connections: dict[Endpoints, TcpPeer] = {}
        self._quic: dict[Endpoints, tuple[QuicPeer, set[bytes]]] = {}
        self._ignored: set[Endpoints] = set()  # QUIC that an overloaded server does not answer
        way.to_server = self.receive

    def receive(self, raw: bytes) -> None:
        """A packet that came through."""
        packet = read(raw)
        if packet is None:
            return
        if packet.protocol == TCP:
            self._segment(packet)
        elif packet.protocol == UDP:
            self._datagram(packet)

    # -- TCP

    def _segment(self, packet: Packet) -> None:
        ends = Endpoints.replying_to(packet)
        peer = self._connections.get(ends)
        opens = packet.flags & (SYN | ACK) == SYN
        if peer is not None and (not opens or not peer.open):
            peer.receive(packet)
            if not peer.failure:
                return
            del self._connections[ends]
            return
        if packet.flags & RST:
            return
        address = address_text(packet.destination)
        serve = self._tcp_service(address, packet)
        if serve is None:
            if address in self._far.hosts or address in self._far.resolvers:
                self._way.down(reset_sender(packet, IpForm(dont_fragment=True)))
        elif opens:
            host = self._far.hosts.get(address)
            given = host.behaviour if host else None
            window = (given and given.window) or 65535
            peer = TcpPeer(
                self._way.agenda, self._way.down, ends, _START, window=window, mss=(given and given.mss) or 0
            )
            self._connections[ends] = peer
            fate = self._fate(host)
            if fate == "reset":
                peer.on_open = peer.abort
            elif fate == "served":
                serve(peer)
            peer.accept(packet, announced_mss(packet))
        else:
            self._way.down(reset_sender(packet, IpForm(dont_fragment=True)))

    def _fate(self, host: Host | None) -> Literal["served", "reset", "silent"]:
        """What becomes of a connection, or of a flow: an overloaded server's choice (`internet.overload`)."""
        if host is None or not (host.behaviour.resets or host.behaviour.silent):
            return "served"
        self.drawn, drawn = True, self._chance.random()
        if drawn < host.behaviour.resets:
            return "reset"
        return "silent" if drawn < host.behaviour.resets + host.behaviour.silent else "served"

    def _tcp_service(self, address: str, packet: Packet) -> Callable[[TcpPeer], None] | None:
        if address in self._far.resolvers:
            return self._dns_over_tcp(self._answer(address)) if packet.dport == 53 else None
        host = self._far.hosts.get(address)
        for service in host.services if host else ():
            if ("tcp", packet.dport) in (*service.ports(), *service.shown_by()):
                assert host is not None
                if service.key == "dns":
                    return self._dns_over_tcp(self._answer(address))
                if service.key == "dot":
                    return lambda peer: _DotConversation(self, peer, host, address, "", secure=True).begin()
                if service.key in ("web", "doh", "ech"):
                    client = address_text(packet.source)
                    secure = packet.dport == getattr(service, "https", packet.dport)
                    return lambda peer: _WebConversation(
                        self, peer, host, address, client, secure=secure
                    ).begin()
                return lambda _: None
        return None

    def _dns_over_tcp(self, respond: Callable[[bytes], bytes | None]) -> Callable[[TcpPeer], None]:
        def serve(peer: TcpPeer) -> None:
            def come() -> None:
                if peer.failure:
                    return
                data = bytes(peer.received)
                size = int.from_bytes(data[:2], "big")
                if len(data) >= 2 + size > 2:
                    peer.take()
                    reply = respond(data[2 : 2 + size])
                    if reply is not None:
                        peer.put(len(reply).to_bytes(2, "big") + reply)

            peer.on_data = lambda: self.wakes(come)

        return serve

    # -- UDP

    def _datagram(self, packet: Packet) -> None:
        address = address_text(packet.destination)
        if packet.dport == 53 and (address in self._far.resolvers or self._has(address, "udp", 53)):
            reply = self._answer(address)(packet.payload)
            if reply is not None:
                cut = for_udp(packet.payload, reply)
                self._way.down(udp(Endpoints.replying_to(packet), cut, IpForm()))
        elif self._has(address, "udp", packet.dport):
            services = self._far.hosts[address].services
            tunnels = [
                one for one in services if ("udp", packet.dport) in one.ports() and isinstance(one, Tunnel)
            ]
            if tunnels:
                reply = tunnels[0].answer(packet.dport, packet.payload)
                self._way.down(udp(Endpoints.replying_to(packet), reply, IpForm()))
            elif any(one.key in ("http3", "doh") for one in self._far.hosts[address].services):
                self._quic_datagram(address, packet)
        elif address in self._far.hosts:
            self._way.down(icmp_unreachable(packet, "port-unreachable", IpForm()))

    def _has(self, address: str, transport: str, port: int) -> bool:
        host = self._far.hosts.get(address)
        return host is not None and any(
            (transport, port) in (*service.ports(), *service.shown_by()) for service in host.services
        )

    def _quic_datagram(self, address: str, packet: Packet) -> None:
        ends = Endpoints.replying_to(packet)
        if ends not in self._quic:
            peer = QuicPeer(self._way.agenda, lambda data: self._way.down(udp(ends, data, IpForm())))
            self._quic[ends] = peer, set()
            silent = self._far.hosts[address].behaviour.silent
            if silent:
                self.drawn = True
                if self._chance.random() < silent:
                    self._ignored.add(ends)
        peer, initials = self._quic[ends]
        if ends in self._ignored:
            return
        if packet.payload[0] & 0xF0 == 0xC0 and len(packet.payload) >= 1200:
            fresh = packet.payload not in initials
            initials.add(packet.payload)
            if fresh and len(initials) == self._flight:
                host, client = self._far.hosts[address], address_text(packet.source)
                _QuicConversation(self, peer, host, address, client).begin()
        elif len(initials) >= self._flight:
            peer.receive(packet.payload)

    # -- answers

    def _answer(self, resolver: str) -> Callable[[bytes], bytes | None]:
        lying = self._lying.get(self._far.resolvers.get(resolver, ""))

        def respond(query: bytes) -> bytes | None:
            asked = question(query) if lying else None
            if lying and isinstance(asked, Question):
                shown = Content(Kind.DNS, asked.name, qtype=asked.kind)
                for rule in lying.policy.rules:
                    if CompiledRule(rule.match).content_fits(shown):
                        reply = rule.action.resolver_reply(query)
                        if reply.true:
                            break
                        self._note(f"{lying.name}/{rule.name}", "inject" if reply.message else "drop")
                        return reply.message or None
            return self._far.answered(resolver, query)

        return respond

    def zone_of(self, resolver: str) -> Zone:
        """What the resolver at this address knows."""
        return self._far.zone_seen_from(resolver)

    def wakes(self, program: Callable[[], None]) -> None:
        """Let a server's program run that a packet has woken."""
        self._way.agenda.after(WAKES, program)

    def _note(self, rule: str, what: str) -> None:
        self._way.acts.append(DryAct(rule, Direction.DOWN, what, self._way.agenda.now))

    def fetched(self, address: str, client: str, head: bytes, body: bytes) -> tuple[bytes, bytes]:
        """Head and body of the answer to a request (its head as HTTP/1.1 has it)."""
        return self._far.fetched(address, client, head, body)

    def paced(
        self, host: Host, put: Callable[[bytes], None], head: bytes, body: bytes, then: Callable[[], None]
    ) -> None:
        """Send an answer as the server does: after its wait, at its pace."""
        given, agenda = host.behaviour, self._way.agenda

        def go() -> None:
            put(head)  # in a write of its own, and so in a record of its own
            if not given.pace:
                put(body)
                return then()
            size = max(round(given.pace / 8 * _PACE), 1)
            for number, at in enumerate(range(0, len(body), size)):
                agenda.after(number * _PACE, lambda piece=body[at : at + size]: put(piece))  # type: ignore[misc]
            return agenda.after(_PACE * (len(body) // size + 1), then)

        agenda.after(given.wait, go)


def _carried_out(
    pages: Application, scope: Mapping[str, Any], body: bytes
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body that an application sends. It must wait for nothing else than its request."""
    sent: list[dict[str, Any]] = []

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    task = pages(scope, receive, send)
    try:
        task.send(None)  # type: ignore[attr-defined]
    except StopIteration:
        pass
    else:
        raise RuntimeError("a server's pages wait for something")
    start = next(one for one in sent if one["type"] == "http.response.start")
    return start["status"], start["headers"], b"".join(one.get("body", b"") for one in sent)


def shown(host: Host) -> bytes:
    """What a client learns of a server's certificate."""
    addresses = [*host.ipv4, *host.ipv6] if by_address(host) else []
    found = {"certificate": host.certificate, "names": [*host.names], "addresses": addresses}
    return json.dumps(found).encode()


class _Conversation:
    """A web server's side of one connection."""

    def __init__(self, far: FarSide, host: Host, address: str, client: str) -> None:
        self._far, self._host, self._address, self._client = far, host, address, client
        self._request = b""
        self._answered = False

    def _asked(self, data: bytes) -> tuple[bytes, bytes] | None:
        """The answer once the request is whole."""
        self._request += data
        head, end, body = self._request.partition(b"\r\n\r\n")
        if not end or self._answered:
            return None
        lengths = [one for one in head.lower().split(b"\r\n") if one.startswith(b"content-length:")]
        early = bool(self._host.behaviour.early_answer)
        if lengths and not early and len(body) < int(lengths[0].partition(b":")[2]):
            return None
        self._answered = True
        return self._far.fetched(self._address, self._client, head, body)


class _WebConversation(_Conversation):
    """Over TCP, with TLS or without."""

    def __init__(
        self, far: FarSide, peer: TcpPeer, host: Host, address: str, client: str, *, secure: bool
    ) -> None:
        super().__init__(far, host, address, client)
        self._peer, self._secure = peer, secure
        self._greeted = self._finished = False
        self._records = b""

    def begin(self) -> None:
        """Serve what comes."""
        self._peer.on_data = lambda: self._far.wakes(self._come)

    def _come(self) -> None:
        if self._peer.failure:
            return
        data = self._peer.take()
        self._decrypted(data) if self._secure else self._plain(data)
        if self._peer.ended and not self._answered:
            self._peer.finish()

    def _plain(self, data: bytes) -> None:
        if (found := self._asked(data)) is not None:
            self._far.paced(self._host, self._peer.put, *found, self._peer.finish)

    def _decrypted(self, data: bytes) -> None:
        self._records += data
        while len(self._records) >= 5:
            kind, size = self._records[0], int.from_bytes(self._records[3:5], "big")
            if kind not in (0x14, 0x15, 0x16, 0x17):
                return self._peer.finish()
            if len(self._records) < 5 + size:
                return None
            content, self._records = self._records[5 : 5 + size], self._records[5 + size :]
            if kind == 0x16 and not self._greeted:
                self._greeted = True
                proof = sealed(shown(self._host).ljust(CHAIN, b" "))
                self._peer.put(_SERVER_HELLO + _CHANGE + proof)
            elif kind == 0x17 and not self._finished:
                self._finished = True
            elif kind == 0x17 and (found := self._asked(hidden(content))) is not None:
                self._far.paced(self._host, self._put, *found, self._peer.finish)
        return None

    def _put(self, body: bytes) -> None:
        self._peer.put(sealed(body))


class _DotConversation(_WebConversation):
    """A resolver's side of DNS over TLS: one question."""

    def _asked(self, data: bytes) -> tuple[bytes, bytes] | None:
        self._request += data
        size = int.from_bytes(self._request[:2], "big")
        if self._answered or not 2 < 2 + size <= len(self._request):
            return None
        self._answered = True
        zone = self._far.zone_of(self._address)
        reply = answer(self._request[2 : 2 + size], zone) or b""
        return len(reply).to_bytes(2, "big"), reply


class _QuicConversation(_Conversation):
    """Over QUIC."""

    def __init__(self, far: FarSide, peer: QuicPeer, host: Host, address: str, client: str) -> None:
        super().__init__(far, host, address, client)
        self._peer = peer

    def begin(self) -> None:
        """DryAnswer the first flight."""
        self._peer.on_data = self._come
        self._peer.put(shown(self._host).ljust(CHAIN + 600, b" "))  # TLS's flight, its ServerHello included

    def _come(self) -> None:
        if (found := self._asked(self._peer.take())) is not None:
            self._peer.established = True
            self._far.paced(self._host, self._peer.put, *found, lambda: None)


def sealed(data: bytes) -> bytes:
    """Application data in TLS records of 16 KiB at most; nobody finds in them what is in `data`."""
    size = 16384
    pieces = [hidden(data[at : at + size]) for at in range(0, len(data), size)]
    return b"".join(b"\x17\x03\x03" + len(one).to_bytes(2, "big") + one for one in pieces)
