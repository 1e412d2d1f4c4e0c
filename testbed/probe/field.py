"""The field instrument: one name, looked at with every instrument, beside a name that is not filtered.

Each instrument is a function from a `FieldSite` to findings. None reads a policy.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from testbed.errors import InputError, nearest
from testbed.measurement.kinds import parse
from testbed.measurement.kinds.dns import OWN_RESOLVER, question
from testbed.measurement.ooni import Measurement, TransferSpeed
from testbed.measurement.passage import Passage
from testbed.measurement.target import Target, is_address
from testbed.probe import failure, headers, hopsearch, lingering, lookup
from testbed.probe.clientshapes import ShapeAnswer, try_shape
from testbed.probe.failure import MeasurementError
from testbed.probe.log import MeasurementLog
from testbed.probe.measure import measure
from testbed.probe.otherdns import resolve_at
from testbed.probe.provoke import Lure, provoke
from testbed.probe.speed import SLOW_SHARE
from testbed.shapes.known import SHAPES, shape_of

CONTROL: Final = "example.com"
RESOLVERS: Final = ("tls://dns.google", "https://dns.google/dns-query")  # beside the system's; our choice
TYPES: Final = ("A", "AAAA", "HTTPS")
BULK: Final = 400_000  # bytes of a transfer; the probe ends it after some seconds
_PAGE: Final = 65_536  # bytes; longer than any freeze that was reported (14-34 KB, DPID)
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

    @property
    def name(self) -> str:
        """Its host."""
        return self.target.host

    def measured(self, scheme: str, path: str = "/", *, name: str = "") -> Measurement:
        """One measurement by the probe."""
        plan = self.plan
        return measure(
            parse(f"{scheme}://{name or self.name}{path}"),
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

    def lure(self) -> Lure:
        """What provokes a box on this site's connections: its ClientHello, or its request for http://."""
        shape = shape_of(self.plan.client).hello
        assert shape is not None
        if self.target.kind.scheme in ("http", "put+http"):
            said = [_REQUEST.format(name).encode() for name in (self.name, self.plan.control)]
        else:
            said = [shape(name, 0) for name in (self.name, self.plan.control)]
        return Lure(self.address(), self.target.port, *said)


Instrument = Callable[[FieldSite], Iterator[FieldFinding]]


def dns(site: FieldSite) -> Iterator[FieldFinding]:
    """Every transport and type: the system's resolver over UDP and TCP, others over TLS and HTTPS."""
    plan = site.plan
    own = (plan.resolver or lookup.system_resolvers())[:1]
    text = [f"[{one}]" if ":" in one and "[" not in one else one for one in own]
    asked = [*(f"udp://{one}" for one in text), *(f"tcp://{one}" for one in text), *plan.encrypted]
    answers: dict[str, set[str]] = {}
    found = []
    for resolver in asked:
        where = Passage(resolver=resolver).resolver_at
        assert where is not None
        for kind in TYPES:
            log, problem = MeasurementLog(), None
            try:
                resolve_at(
                    log, site.name, where, plan.resolver or lookup.system_resolvers(), ipv=plan.ipv,
                    timeout=plan.timeout, ca_file=plan.ca_file, kind=kind,
                )  # fmt: skip
            except (MeasurementError, OSError, EOFError) as error:
                problem = failure.of(error)
            given = [
                one.ipv4 or one.ipv6 or one.text or ""
                for query in log.queries[-1:] if not problem
                for one in query.answers if one.answer_type == kind
            ]  # fmt: skip
            if kind == "A":
                answers[resolver] = set(given)
            found.append((resolver, where.scheme, kind, given, problem))
    trusted = set().union(*(answers[one] for one in plan.encrypted if one in answers))
    for resolver, scheme, kind, given, problem in found:
        other = kind == "A" and bool(given) and bool(trusted) and trusted.isdisjoint(given)
        odd = other or (problem is not None and problem != "dns_no_answer")
        words = ", ".join(given) or problem or "nothing"
        if other:
            words += f"; the encrypted resolvers say {', '.join(sorted(trusted))}"
        yield FieldFinding(
            "dns", f"{_DNS[scheme]} {kind}", words, problem, odd, {"resolver": resolver, "answers": given}
        )


_DNS: Final = {"udp": "UDP", "tcp": "TCP", "tls": "DoT", "https": "DoH"}


def web(site: FieldSite) -> Iterator[FieldFinding]:
    """TCP, TLS, HTTP/1.1 with and without TLS, HTTP/2, QUIC and HTTP/3."""
    secure = site.measured("https")
    keys = secure.test_keys
    for layer, tried in (("TCP", keys.tcp_connect), ("TLS", keys.tls_handshakes)):
        for one in tried[-1:]:
            problem = one.failure if isinstance(one.failure, str) else None
            took = f"{1000 * ((one.t or 0) - (one.t0 or 0)):.0f} ms"
            yield FieldFinding("web", layer, problem or took, problem, problem is not None)
    for what, measured in (("HTTP/1.1 over TLS", secure), ("HTTP/1.1", site.measured("http"))):
        yield _page(what, measured)
    yield _page("HTTP/2", site.measured("h2"))
    over_quic = site.measured("h3")
    for one in over_quic.test_keys.tls_handshakes[-1:]:
        problem = one.failure if isinstance(one.failure, str) else None
        yield FieldFinding("web", "QUIC", problem or one.tls_version or "done", problem, problem is not None)
    yield _page("HTTP/3", over_quic)


def _page(what: str, measured: Measurement) -> FieldFinding:
    problem = measured.failure if isinstance(measured.failure, str) else None
    if problem:
        words = f"{measured.test_keys.failed_step}: {problem}"
        return FieldFinding(
            "web", what, words, problem, odd=True, values={"step": measured.test_keys.failed_step}
        )
    response = measured.test_keys.requests[0].response
    assert response is not None
    where = response.header("location")
    words = f"{response.code}, {response.body_bytes} bytes" + (f", to {where}" if where else "")
    return FieldFinding("web", what, words, values={"code": response.code, "location": where})


def speed(site: FieldSite) -> Iterator[FieldFinding]:
    """Throughput each way beside the control's."""
    secure = "" if site.target.kind.scheme in ("http", "put+http") else "s"
    for way, scheme, path in (
        ("down", f"http{secure}", f"/bytes/{BULK}"),
        ("up", f"put+http{secure}", f"/upload?bytes={BULK}"),
    ):
        mine, its = (site.measured(scheme, path, name=name) for name in ("", site.plan.control))
        rate, other = _rate(mine), _rate(its)
        problem = mine.failure if isinstance(mine.failure, str) else None
        slow = rate is not None and other is not None and rate < SLOW_SHARE * other
        words = f"{_kbit(rate)}; {site.plan.control} {_kbit(other)}" + (", throttled" if slow else "")
        yield FieldFinding(
            "speed", way, words, problem, slow or problem is not None, {"rate": rate, "control_rate": other}
        )


def _rate(measured: Measurement) -> float | None:
    found: TransferSpeed | None = measured.test_keys.speed
    return found.bits_per_second if found else None


def _kbit(rate: float | None) -> str:
    return "nothing measured" if rate is None else f"{rate / 1000:,.0f} kbit/s"


def hop(site: FieldSite) -> Iterator[FieldFinding]:
    """The router at which the interference is."""
    plan, scheme = site.plan, site.target.kind.scheme
    if scheme in ("dns", "h3"):
        yield _hop_of_datagrams(site)
        return
    lure = site.lure()
    send = hopsearch.syn(lure.address, lure.port, plan.wait)
    met = provoke(lure, wait=plan.wait)
    if met.broken in ("no connection", "refused"):
        far = hopsearch.distance_of(hopsearch.syn(site.address(plan.control), lure.port, plan.wait))
        yield _hop("SYN", hopsearch.hop_of_packets(send, far))
    elif met.broken:
        what = "request" if scheme.endswith("http") else "ClientHello"
        yield _hop(what, hopsearch.hop_on_connection(lure, wait=plan.wait))
    else:
        yield FieldFinding("hop", "", "nothing interferes with the connection", values={"hop": None})


def _hop_of_datagrams(site: FieldSite) -> FieldFinding:
    plan = site.plan
    said: list[tuple[bytes, ...]]
    if site.target.kind.scheme == "dns":
        place, queries = _queries(site)
        what, said = "query", [(one,) for one in queries]
    else:
        flight = SHAPES["aioquic"].flight
        assert flight is not None
        said = [flight(one, 0) for one in (site.name, plan.control)]
        what, place = "Initial", (site.address(), site.target.port)
    forged = what == "query"
    mine, its = (hopsearch.datagram(*place, *one, wait=plan.wait, forged=forged) for one in said)
    far = hopsearch.distance_of(its)
    met = mine(hopsearch.MOST_HOPS)[0]
    if met == "answered" and forged:  # somebody nearer than the resolver answers
        near = hopsearch.distance_of(mine)
        hop = near - 1 if near and far and near < far else None
        return _hop(what, hopsearch.HopFinding(hop, (), "answered", far))
    if met == "answered" and what == "Initial":
        return FieldFinding("hop", what, "nothing interferes with it", values={"hop": None})
    return _hop(what, hopsearch.hop_of_packets(mine, far))


def _hop(what: str, found: hopsearch.HopFinding) -> FieldFinding:
    values = {"hop": found.hop, "routers": list(found.routers), "distance": found.distance}
    if found.hop is None:
        return FieldFinding("hop", what, "nothing interferes before the far end", values=values)
    behind = f" ({found.routers[-1]})" if found.routers and found.routers[-1] else ""
    words = f"{found.hop}{behind}: {found.how} from hop limit {found.hop + 1} on"
    return FieldFinding("hop", what, words, None, odd=True, values=values)


def injected(site: FieldSite) -> Iterator[FieldFinding]:
    """Packets of another machine in one connection, beside the server's own."""
    if site.target.kind.scheme == "dns":
        yield from _forged_answers(site)
        return
    met = provoke(site.lure(), wait=site.plan.wait)
    if met.flow is None:
        yield FieldFinding("injected", "", f"no connection to look at: {met.broken}")
        return
    own = headers.fields_of(met.flow.synack)
    yield FieldFinding("injected", "server", _fields(own), values={"header": own})
    found = headers.suspects(met.packets)
    for one, times in headers.alike(found):
        header = one.to_json()
        values = {"header": header, "times": times}
        yield FieldFinding(
            "injected",
            "suspect",
            f"{times} × {_fields(header)}: {'; '.join(one.odd)}",
            odd=True,
            values=values,
        )
    if not found:
        yield FieldFinding("injected", "suspect", "none")


def _forged_answers(site: FieldSite) -> Iterator[FieldFinding]:
    """Every answer to one query: whoever forges one does not stop the other."""
    place, (query, _) = _queries(site)
    came = hopsearch.answers_to(*place, query, wait=2 * site.plan.wait)
    for number, one in enumerate(came, 1):
        header = headers.fields_of(one)
        words = f"hop limit {one.ttl}, IP-ID {one.ip_id}, {len(one.payload)} bytes"
        odd = len(came) > 1
        yield FieldFinding("injected", f"answer {number}", words, odd=odd, values={"header": header})
    if not came:
        yield FieldFinding("injected", "", "no answer to look at")


def _queries(site: FieldSite) -> tuple[tuple[str, int], tuple[bytes, bytes]]:
    """The resolver of a dns:// target, and a query for its name and for the control's."""
    import dns.message  # slow

    resolver = site.name
    if resolver == OWN_RESOLVER:
        resolver = lookup.endpoint((site.plan.resolver or lookup.system_resolvers())[0])[0]
    name, harmless = (
        dns.message.make_query(one, "A").to_wire() for one in (question(site.target), site.plan.control)
    )
    return (resolver, site.target.port), (name, harmless)


def _fields(header: Mapping[str, Any]) -> str:
    size = f", {header['payload']} bytes" if header["payload"] else ""
    number = "" if header["ip_id"] is None else f", IP-ID {header['ip_id']}"
    return f"{header['flags']}, hop limit {header['ttl']}{number}, window {header['window']}{size}"


def residual(site: FieldSite) -> Iterator[FieldFinding]:
    """How long the 4-tuple stays blocked, and how long other ports do."""
    plan, lure = site.plan, site.lure()
    met = provoke(lure, wait=plan.wait)
    where = hopsearch.HopFinding(None)
    if met.broken and met.flow:
        where = hopsearch.hop_on_connection(lure, wait=plan.wait)
    if where.hop is None:
        yield FieldFinding("residual", "4-tuple", "nothing interferes", values={"residual": None})
        return
    found = lingering.residual_times(lure, plan.residual, ttl=where.hop + 1, wait=plan.wait)
    for what, one in zip(("4-tuple", "other ports"), found, strict=True):
        values = {
            "residual": one.middle,
            "shortest": round(one.shortest, 2),
            "longest": one.longest and round(one.longest, 2),
        }
        yield FieldFinding("residual", what, _lasting(one), odd=bool(one.shortest), values=values)


def _lasting(found: lingering.ResidualFinding) -> str:
    if not found.looks:
        return "unknown: no connection could be opened"
    if not found.shortest:
        return "none" if found.longest is None else f"none: after {found.longest:.1f} s it is free"
    if found.longest is None:
        return f"more than {found.shortest:.0f} s"
    return f"{found.shortest:.1f} to {found.longest:.1f} s"


def connections(site: FieldSite) -> Iterator[FieldFinding]:
    """How many connections side by side work before one does not."""
    found = lingering.connection_count(site.lure(), site.plan.connections, wait=site.plan.wait)
    values = {"connections": found.limit, "tried": found.tried}
    if found.limit is None:
        words = f"all {found.tried} work"
    elif not found.limit:
        words = "not even the first one works"
    else:
        words = f"{found.limit} work, the next one does not"
    yield FieldFinding("connections", "", words, odd=found.limit is not None, values=values)


def freeze(site: FieldSite) -> Iterator[FieldFinding]:
    """How much of a page comes before nothing more does."""
    from testbed.probe.frozen import arrival  # it captures

    secure = "" if site.target.kind.scheme == "http" else "s"
    made, came = arrival(lambda: site.measured(f"http{secure}", f"/bytes/{_PAGE}"))
    problem = made.failure if isinstance(made.failure, str) else None
    response = made.test_keys.requests[0].response if made.test_keys.requests else None
    values = {"received": came.octets, "packets": came.packets, "ip_octets": came.ip_octets}
    size = f"{came.octets:,} bytes in {came.packets} packets of both directions"
    if problem != failure.TIMEOUT or not came.octets:
        yield FieldFinding("freeze", "", f"no freeze: {problem or 'the page came'}, {size}", values=values)
        return
    began = response is not None and bool(response.code or came.octets)
    yield FieldFinding("freeze", "", f"silence after {size}", problem, odd=began, values=values)


def clients(site: FieldSite) -> Iterator[FieldFinding]:
    """What clients of other shapes meet: how their ClientHellos are answered."""
    plan, address = site.plan, site.address()
    port = 443 if site.target.kind.scheme in ("http", "put+http") else site.target.port
    for key in plan.shapes:
        shape = shape_of(key)
        answers: list[ShapeAnswer] = [
            try_shape(shape, site.name, address, port, draw, plan.timeout)
            for draw in range(plan.draws if shape.varies else 1)
        ]
        good = sum(one == "ServerHello" for one in answers)
        words = answers[0] if len(set(answers)) == 1 else ", ".join(answers)
        values = {"client": key, "answers": answers}
        yield FieldFinding("clients", key, words, odd=good < len(answers), values=values)


INSTRUMENTS: Final[Mapping[str, Instrument]] = {
    "dns": dns,
    "web": web,
    "hop": hop,
    "injected": injected,
    "clients": clients,
    "freeze": freeze,
    "connections": connections,
    "speed": speed,
    "residual": residual,
}
QUICK: Final = ("dns", "web", "hop", "injected")
"""Without a choice: the others take many seconds, or many connections."""


def look(site: FieldSite, instruments: tuple[str, ...]) -> Iterator[FieldFinding]:
    """Look with these instruments, in order. What an instrument cannot do is a finding of its own."""
    for name in instruments:
        try:
            yield from INSTRUMENTS[name](site)
        except (MeasurementError, OSError, EOFError) as error:
            yield FieldFinding(name, "", f"not measured: {failure.of(error)}", failure.of(error))


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


def chosen_instruments(text: str) -> tuple[str, ...]:
    """The instruments that "hop,residual" names, in their order here; "" is `QUICK`, "all" is all."""
    if not text:
        return QUICK
    if text == "all":
        return tuple(INSTRUMENTS)
    asked = [one.strip() for one in text.split(",")]
    for one in asked:
        if one not in INSTRUMENTS:
            raise InputError.at("--with", f"there is no instrument {one!r}", nearest(one, INSTRUMENTS))
    return tuple(name for name in INSTRUMENTS if name in asked)


def site_of(text: str, plan: FieldPlan) -> FieldSite:
    """The site of a URL, or of a name, which means https. InputError for anything else."""
    return FieldSite(parse(text if "://" in text else f"https://{text}/"), plan)
