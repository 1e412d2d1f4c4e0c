"""One DNS lookup, sent directly to a given resolver and logged (df-002)."""

import select
import socket
import struct
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype

from testbed.measurement.ooni import DnsAnswer, Query
from testbed.measurement.target import endpoint_text
from testbed.probe import failure
from testbed.probe.connection import TcpConnection
from testbed.probe.failure import MeasurementError
from testbed.probe.log import TRANSACTION, MeasurementLog

_TRIES = 2  # per resolver; our choice, stub resolvers send two to four times
_LATE = 0.2  # s; how long a dns:// target waits for more answers. Our choice: longer than an RTT
_MOST_LATE = 16  # bounds what a flood of answers can use
_RCODES = {
    dns.rcode.NXDOMAIN: "dns_nxdomain_error",
    dns.rcode.SERVFAIL: "dns_servfail_error",
    dns.rcode.REFUSED: "dns_refused_error",
}
_MALFORMED = "dns_server_misbehaving"
ReadAnswer = tuple[str | None, tuple[DnsAnswer, ...], int | None]  # what is wrong, answers, RCODE


def endpoint(resolver: str, default_port: int = 53) -> tuple[str, int]:
    """Address and port of "8.8.8.8", "8.8.8.8:5353", "2001:db8::1" or "[2001:db8::1]:5353"."""
    if resolver.startswith("["):
        host, _, port = resolver[1:].partition("]")
        return host, int(port[1:] or default_port)
    host, colon, port = resolver.partition(":")
    return (host, int(port)) if colon and ":" not in port else (resolver, default_port)


def system_resolvers(path: Path = Path("/etc/resolv.conf")) -> tuple[str, ...]:
    """The name servers of this process's resolv.conf."""
    lines = path.read_text().splitlines() if path.exists() else []
    return tuple(line.split()[1] for line in lines if line.startswith("nameserver") and len(line.split()) > 1)


def resolve(log: MeasurementLog, name: str, resolvers: Sequence[str], ipv: int, timeout: float) -> list[str]:
    """The addresses of `name` from the first resolver that answers at all; MeasurementError if none does.

    `timeout` (seconds) is shared by all resolvers, so that a dropped answer costs no more than that.
    """
    log.mark("resolve_start")
    try:
        for resolver in resolvers:
            lookup = Lookup(log, name, endpoint(resolver), ipv)
            try:
                return lookup.over_udp(timeout / len(resolvers))
            except MeasurementError as error:
                if str(error) != failure.TIMEOUT or resolver == resolvers[-1]:
                    raise
            finally:
                lookup.close()
    finally:
        log.mark("resolve_done")
    raise MeasurementError("dns_non_recoverable_failure")


class Lookup:
    """One question to one resolver."""

    def __init__(
        self, log: MeasurementLog, name: str, resolver: tuple[str, int], ipv: int, kind: str = ""
    ) -> None:
        """`kind` is the type of record: A, AAAA or HTTPS (RFC 9460); "" is that of the IP version."""
        self.log, self.name, self.resolver = log, name, resolver
        self.kind = kind or ("AAAA" if ipv == 6 else "A")
        self.query = self._question()
        self._sock: socket.socket | None = None
        self.where = endpoint_text(*resolver)

    def _question(self) -> dns.message.Message:
        return dns.message.make_query(self.name, self.kind)

    def over_udp(self, timeout: float) -> list[str]:
        """Ask, ask once more, give up after `timeout` seconds; MeasurementError with the df-007 string."""
        begun, raw, problem = self.log.now(), None, failure.TIMEOUT
        self.log.mark("dns_round_trip_start")
        self._sock = socket.socket(
            socket.AF_INET6 if ":" in self.resolver[0] else socket.AF_INET, socket.SOCK_DGRAM
        )
        try:
            self._sock.connect(self.resolver)
            self.log.flow(self._sock, self.where)
            self.log.event("connect", begun, address=self.where, proto="udp")
            for _ in range(_TRIES):
                asked = self.log.now()
                size = self._sock.send(self.query.to_wire())
                self.log.event("write", asked, address=self.where, proto="udp", size=size)
                asked = self.log.now()
                if (raw := self._answer(timeout / _TRIES)) is not None:
                    break
                self.log.event("read", asked, address=self.where, proto="udp", failure=problem)
        except OSError as error:
            problem = failure.of(error)
            self.log.event("read", begun, address=self.where, proto="udp", failure=problem)
        return self.settle("udp", raw, problem, begun)

    def over_tcp(self, timeout: float) -> list[str]:
        """The same question over TCP; one try, the kernel retransmits."""
        tcp, begun, raw = TcpConnection(self.log, self.resolver, timeout), self.log.now(), b""
        self.log.mark("dns_round_trip_start")
        try:
            tcp.connect()
            begun = self.log.now()
            tcp.allow(timeout)
            wire = self.query.to_wire()
            tcp.send(struct.pack("!H", len(wire)) + wire)
            while len(raw) < 2 or len(raw) < 2 + struct.unpack_from("!H", raw)[0]:
                if not (more := tcp.receive()):
                    return self.settle("tcp", None, failure.EOF, begun)
                raw += more
        except OSError as error:
            if not (self.log.tcp_connect and self.log.tcp_connect[-1].status.success):
                raise
            return self.settle("tcp", None, failure.of(error), begun)
        finally:
            tcp.close()
        return self.settle("tcp", raw[2:], None, begun)

    def wait_for_late_replies(self) -> None:
        """Wait a moment for more answers: if the first one was forged, the true one still comes."""
        begun, until, late = self.log.now(), time.monotonic() + _LATE, list[Query]()
        self.log.late_replies = late
        while (raw := self._answer(until - time.monotonic())) is not None and len(late) < _MOST_LATE:
            late.append(self._query("udp", raw, None, begun))

    def close(self) -> None:
        """Close the UDP socket."""
        if self._sock is not None:
            self._sock.close()

    def _answer(self, seconds: float) -> bytes | None:
        assert self._sock is not None
        begun, until = self.log.now(), time.monotonic() + seconds
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        while (left := until - time.monotonic()) > 0:
            if poll.poll(left * 1000):
                raw = self._sock.recv(65535)
                self.log.event("read", begun, address=self.where, proto="udp", size=len(raw))
                if raw[:2] == self.query.id.to_bytes(2, "big"):
                    return raw
        return None

    def settle(self, engine: str, raw: bytes | None, problem: str | None, begun: float) -> list[str]:
        """Log the answer `raw`, or the `problem` that there is none; its addresses, or MeasurementError."""
        query = self._query(engine, raw, problem, begun)
        self.log.queries.append(query)
        self.log.mark("dns_round_trip_done")
        if isinstance(query.failure, str):
            raise MeasurementError(query.failure)
        return [one.ipv4 or one.ipv6 or "" for one in query.answers if one.answer_type == self.kind]

    def _query(self, engine: str, raw: bytes | None, problem: str | None, begun: float) -> Query:
        """The record of a question with its answer `raw`, or with the `problem` that there is none."""
        answers: tuple[DnsAnswer, ...] = ()
        rcode = None
        if raw is not None:
            problem, answers, rcode = self._read(raw)
        return Query(
            engine=engine,
            hostname=self.name,
            query_type=self.kind,
            resolver_address=self.where,
            failure=problem,
            rcode=rcode,
            answers=tuple(map(self._announced, answers)),
            raw_response=b64encode(raw).decode() if raw else None,
            t0=begun,
            t=self.log.now(),
            transaction_id=TRANSACTION,
        )

    def _announced(self, answer: DnsAnswer) -> DnsAnswer:
        owner = self.log.place.routes.lookup(answer.ipv4 or answer.ipv6 or "")
        return replace(answer, asn=owner.number or None, as_org_name=owner.name or None)

    def _read(self, raw: bytes) -> ReadAnswer:
        return read_answer(raw, self.kind)


def read_answer(raw: bytes, kind: str) -> ReadAnswer:
    """What an answer to a question of this kind says."""
    try:
        message = dns.message.from_wire(raw)
    except dns.exception.DNSException:
        return _MALFORMED, (), None
    if message.rcode() != dns.rcode.NOERROR:
        return _RCODES.get(message.rcode(), _MALFORMED), (), int(message.rcode())
    answers = [_answer_of(record, rrset.ttl) for rrset in message.answer for record in rrset]
    usable = tuple(answer for answer in answers if answer is not None)
    found = any(answer.answer_type == kind for answer in usable)
    return None if found else "dns_no_answer", usable, 0


def _answer_of(record: Any, ttl: int) -> DnsAnswer | None:
    kind = dns.rdatatype.to_text(record.rdtype)
    if kind == "CNAME":
        return DnsAnswer(kind, hostname=record.target.to_text(omit_final_dot=True), ttl=ttl)
    if kind == "A":
        return DnsAnswer(kind, ipv4=record.address, ttl=ttl)
    if kind == "HTTPS":
        return DnsAnswer(kind, text=record.to_text(), ttl=ttl)
    return DnsAnswer(kind, ipv6=record.address, ttl=ttl) if kind == "AAAA" else None
