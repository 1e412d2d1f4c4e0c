"""A site under test, and what to look at it with: what every instrument of `testbed.probe.field` is given."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from testbed.errors import InputError
from testbed.measurement.kinds import parse
from testbed.measurement.kinds.dns import OWN_RESOLVER, question, record_type
from testbed.measurement.ooni import Measurement
from testbed.measurement.passage import Passage
from testbed.measurement.target import Target, is_address
from testbed.probe import lookup
from testbed.probe.failure import MeasurementError
from testbed.probe.log import MeasurementLog
from testbed.probe.measure import measure
from testbed.probe.otherdns import resolve_at
from testbed.probe.provoke import Lure
from testbed.shapes.known import SHAPES, shape_of

CONTROL: Final = "example.com"
ITSELF: Final = "the target"
QUICK: Final = ("dns", "web", "hop", "injected")
"""Without a choice: the others take many seconds, or many connections."""
RESOLVERS: Final = ("tls://dns.google", "https://dns.google/dns-query")  # beside the system's; our choice
_REQUEST: Final = "GET / HTTP/1.1\r\nHost: {}\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n\r\n"


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """What to look with, and how long."""

    control: str = CONTROL
    resolver: tuple[str, ...] = ()  # (): those of /etc/resolv.conf
    encrypted: tuple[str, ...] = RESOLVERS
    client: str = "openssl"  # the shape of the hellos that provoke
    shapes: tuple[str, ...] = ("openssl", "chrome", "firefox", "go")
    draws: int = 3  # connections of a shape that varies
    residual: float = 120.0  # seconds, at most
    connections: int = 24  # at most: 12 to 24 were reported (N4P#546)
    timeout: float = 4.0
    wait: float = 1.0  # seconds without a packet that count as silence, between two packets
    ipv: int = 4
    ca_file: str | None = None
    instruments: tuple[str, ...] = QUICK


@dataclass(frozen=True, slots=True)
class FieldFinding:
    """What one instrument found. `values` are its numbers, for JSON."""

    instrument: str  # dns, http, hop, …
    what: str  # "udp A"
    words: str
    failure: str | None = None  # OONI's string (df-007)
    odd: bool = False  # whether it points to interference
    values: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        named = {"instrument": self.instrument, "what": self.what, "words": self.words}
        return {**named, "failure": self.failure, "odd": self.odd, **self.values}


@dataclass(frozen=True, slots=True)
class FieldSite:
    """The site under test, as its URL names it."""

    target: Target
    plan: FieldPlan
    addresses: tuple[str, ...] = ()  # of it, where they are known; else resolvers are asked

    @property
    def name(self) -> str:
        """Its host."""
        return self.target.host

    def measured(self, scheme: str, path: str = "/", *, name: str = "") -> Measurement:
        """One measurement of this site by the probe, over another scheme."""
        return self._measured(parse(f"{scheme}://{name or self.name}{path}"))

    def measured_itself(self) -> Measurement:
        """The target, measured by the probe."""
        return self._measured(self.target)

    def _measured(self, target: Target) -> Measurement:
        plan = self.plan
        return measure(
            target,
            resolver=plan.resolver or None,
            timeout=plan.timeout,
            ipv=plan.ipv,
            ca_file=plan.ca_file,
            passage=Passage(),
        )

    def address(self, name: str = "") -> str:
        """An address of it, from the first resolver whose answer has one: the encrypted ones first.

        MeasurementError if there is none.
        """
        host, plan = name or self.name, self.plan
        if is_address(host):
            return host
        if self.addresses and host == self.name:
            return self.addresses[0]
        for resolver in (*reversed(plan.encrypted), ""):
            try:
                return self._ask(host, resolver, "")[0]
            except (MeasurementError, OSError, EOFError):
                continue
        raise MeasurementError("dns_non_recoverable_failure")

    def _ask(self, host: str, resolver: str, kind: str) -> list[str]:
        log, plan = MeasurementLog(), self.plan
        system = plan.resolver or lookup.system_resolvers()
        if not resolver:
            return lookup.resolve(log, host, system, plan.ipv, plan.timeout)
        where = Passage(resolver=resolver).resolver_at
        assert where is not None
        return resolve_at(
            log, host, where, system, ipv=plan.ipv, timeout=plan.timeout, ca_file=plan.ca_file, kind=kind
        )

    @property
    def begins(self) -> str:
        """What of a client may provoke a box first: SYN, hello, request, initial or query; else ""."""
        return _BEGINS.get(self.target.kind.transport, "")

    def lure(self) -> Lure:
        """What provokes a box on a connection to this site: what the target's client says first.

        MeasurementError for a target of another kind.
        """
        control = self.plan.control
        if self.begins == "request":
            said = [_REQUEST.format(name).encode() for name in (self.name, control)]
        elif self.target.kind.transport == "dns/tcp":
            place, queries = self.queries()
            return Lure(*place, *(len(one).to_bytes(2, "big") + one for one in queries))
        elif self.begins in ("hello", "SYN"):
            shape = shape_of(self.plan.client).hello
            assert shape is not None
            said = [shape(name, 0) for name in (self.name, control)]
        else:
            raise MeasurementError(f"unknown_failure: nothing provokes a box on {self.target.kind.scheme}://")
        return Lure(self.address(), self.target.port, *said)

    def harmless_lure(self) -> Lure:
        """The same of the control: at its own address, or at the same resolver. See `lure`."""
        mine = self.lure()
        address = self.address(self.plan.control) if self.begins != "query" else mine.address
        return Lure(address, mine.port, mine.harmless, mine.harmless)

    def queries(self) -> tuple[tuple[str, int], tuple[bytes, bytes]]:
        """The resolver of a dns:// target, and a query for its name and for the control's."""
        import dns.message  # slow

        resolver = self.name
        if resolver == OWN_RESOLVER:
            resolver = lookup.endpoint((self.plan.resolver or lookup.system_resolvers())[0])[0]
        kind = record_type(self.target) or ("AAAA" if self.plan.ipv == 6 else "A")
        name, harmless = (
            dns.message.make_query(one, kind).to_wire() for one in (question(self.target), self.plan.control)
        )
        return (resolver, self.target.port), (name, harmless)

    def initials(self) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        """A client's first flight of QUIC, for its name and for the control's."""
        flight = SHAPES["aioquic"].flight
        assert flight is not None
        return flight(self.name, 0), flight(self.plan.control, 0)


_BEGINS: Final = {
    "tls": "hello", "dns/tls": "hello", "dns/https": "hello", "http": "request", "quic": "initial",
    "dns/udp": "query", "dns/tcp": "query", "tcp": "SYN",
}  # fmt: skip


def plan_of(*, shapes: str | None = None, **given: Any) -> FieldPlan:
    """The plan with these values; None keeps the default. `shapes`: names with commas between them."""
    known = {name: value for name, value in given.items() if value is not None}
    if shapes:
        known["shapes"] = tuple(shape_of(one.strip(), "--clients").key for one in shapes.split(","))
    plan = FieldPlan(ca_file=os.environ.get("SSL_CERT_FILE"), **known)
    for key in (plan.client, *plan.shapes):
        if shape_of(key).hello is None:
            raise InputError.at(
                "--client", f"{key} does not speak TLS over TCP", "take one that does: chrome"
            )
    return plan


def site_of(text: str, plan: FieldPlan) -> FieldSite:
    """The site of a URL, or of a name, which means https. InputError for anything else."""
    return FieldSite(parse(text if "://" in text else f"https://{text}/"), plan)
