"""The field instrument: one name, looked at with every instrument, beside a name that is not filtered.

Each instrument is a function from a `FieldSite` to findings. None reads a policy.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from testbed.errors import InputError, nearest
from testbed.measurement.kinds.dns import DnsKind, question, record_type
from testbed.measurement.ooni import Measurement, TransferSpeed
from testbed.measurement.passage import Passage
from testbed.measurement.target import endpoint_text
from testbed.probe import failure, headers, hopsearch, lingering, lookup, slowhop
from testbed.probe.clientshapes import ShapeAnswer, try_shape
from testbed.probe.failure import MeasurementError
from testbed.probe.fieldagain import look_again_at
from testbed.probe.fieldsite import ITSELF, QUICK, FieldFinding, FieldSite
from testbed.probe.log import MeasurementLog
from testbed.probe.otherdns import resolve_at
from testbed.probe.provoke import Lure, provoke
from testbed.probe.speed import SLOW_SHARE
from testbed.shapes.known import shape_of

TYPES: Final = ("A", "AAAA", "HTTPS")
BULK: Final = 400_000  # bytes of a transfer; the probe ends it after some seconds
_SPEED_TRIES: Final = 2  # a throttled flow is slow each time, a busy machine or line is not; our choice
_PAGE: Final = 65_536  # bytes; longer than any freeze that was reported (14-34 KB, DPID)

Instrument = Callable[[FieldSite], Iterator[FieldFinding]]


def dns(site: FieldSite) -> Iterator[FieldFinding]:
    """Every transport and type: the system's resolver over UDP and TCP, others over TLS and HTTPS.

    Of a target that is a lookup: that one, and the others beside it.
    """
    plan, target = site.plan, site.target
    system = plan.resolver or lookup.system_resolvers()
    if isinstance(target.kind, DnsKind):
        name, kinds = question(target), (record_type(target),) if record_type(target) else TYPES
        asked = [_url_of(site), *plan.encrypted]
    else:
        name, kinds = site.name, TYPES
        own = [endpoint_text(*lookup.endpoint(one)) for one in system[:1]]
        asked = [*(f"udp://{one}" for one in own), *(f"tcp://{one}" for one in own), *plan.encrypted]
    answers: dict[str, set[str]] = {}
    found = []
    for resolver in asked:
        where = Passage(resolver=resolver).resolver_at
        assert where is not None
        for kind in kinds:
            log, problem = MeasurementLog(), None
            try:
                resolve_at(
                    log, name, where, system, ipv=plan.ipv,
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
        trusted_say = {why for one, _, same, _, why in found if one in plan.encrypted and same == kind}
        gone = trusted_say == {"dns_nxdomain_error"}  # nobody has such a name
        other = kind == "A" and bool(given) and bool(trusted) and trusted.isdisjoint(given)
        odd = other or (problem not in (None, "dns_no_answer") and not (gone and problem in trusted_say))
        words = ", ".join(given) or problem or "nothing"
        if other:
            words += f"; the encrypted resolvers say {', '.join(sorted(trusted))}"
        yield FieldFinding(
            "dns", f"{_DNS[scheme]} {kind}", words, problem, odd, {"resolver": resolver, "answers": given}
        )


def _url_of(site: FieldSite) -> str:
    """The resolver of a target that is a lookup, as `Passage` has it."""
    target, scheme = site.target, _LOOKUPS[site.target.kind.transport]
    host, port = site.queries()[0] if site.begins == "query" else (target.host, target.port)
    return f"{scheme}://{endpoint_text(host, port)}" + ("/dns-query" if scheme == "https" else "")


_LOOKUPS: Final = {"dns/udp": "udp", "dns/tcp": "tcp", "dns/tls": "tls", "dns/https": "https"}
_DNS: Final = {"udp": "UDP", "tcp": "TCP", "tls": "DoT", "https": "DoH"}


def web(site: FieldSite) -> Iterator[FieldFinding]:
    """TCP, TLS, HTTP/1.1 with and without TLS, HTTP/2, QUIC and HTTP/3; of another target, itself."""
    if site.target.kind.scheme not in ("https", "http", "h2", "h3", "put+https", "put+http"):
        seen = site.measured_itself()
        problem = seen.failure if isinstance(seen.failure, str) else None
        step = seen.test_keys.failed_step
        words = f"{step}: {problem}" if problem else "done"
        yield FieldFinding("web", ITSELF, words, problem, problem is not None, {"step": step})
        return
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
        for _ in range(_SPEED_TRIES):
            mine, its = (site.measured(scheme, path, name=name) for name in ("", site.plan.control))
            rate, other = _rate(mine), _rate(its)
            slow = rate is not None and other is not None and rate < SLOW_SHARE * other
            if not slow:
                break
        problem = mine.failure if isinstance(mine.failure, str) else None
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
    plan = site.plan
    if site.begins == "initial" or site.target.kind.transport == "dns/udp":
        yield _hop_of_datagrams(site)
        return
    lure = site.lure()
    send = hopsearch.syn(lure.address, lure.port, plan.wait)
    met = provoke(lure, wait=plan.wait)
    if met.broken in ("no connection", "refused"):
        far = hopsearch.distance_of(hopsearch.syn(site.address(plan.control), 443, plan.wait))
        yield _hop("SYN", hopsearch.hop_of_packets(send, far))
    elif met.broken and site.begins != "SYN":
        what = "ClientHello" if site.begins == "hello" else site.begins
        far = hopsearch.distance_of(hopsearch.syn(lure.address, lure.port, plan.wait))
        yield _hop_or_portal(site, what, hopsearch.hop_on_connection(lure, wait=plan.wait, distance=far))
    elif site.begins == "hello":
        yield _hop_of_slowing(site)
    elif site.begins in ("request", "query"):
        yield _hop_or_portal(site, site.begins, hopsearch.hop_of_answers(lure, wait=plan.wait))
    else:
        yield FieldFinding("hop", "", "nothing interferes with the connection", values={"hop": None})


def _hop_or_portal(site: FieldSite, what: str, found: hopsearch.HopFinding) -> FieldFinding:
    """The box, unless it does the same to the control: a portal answers everybody's requests."""
    if found.hop is not None and site.begins in ("request", "query"):
        wait, harmless = site.plan.wait, site.harmless_lure()
        broken = provoke(harmless, wait=wait).broken
        if broken or hopsearch.hop_of_answers(harmless, wait=wait).hop is not None:
            return FieldFinding("hop", what, "the control meets the same", values={"hop": None})
    return _hop(what, found)


def _hop_of_slowing(site: FieldSite) -> FieldFinding:
    """Of a connection that works: whether it is slow behind the name, and from where on."""
    slow = slowhop.SlowLure(site.lure(), site.name, site.plan.control)
    found = slowhop.hop_of_slowing(slow, wait=site.plan.wait)
    if found.hop is None:
        words = "nothing interferes with the connection, nor slows it down"
        return FieldFinding("hop", "", words, values={"hop": None})
    return _hop("ClientHello", found)


def _hop_of_datagrams(site: FieldSite) -> FieldFinding:
    plan = site.plan
    said: list[tuple[bytes, ...]]
    if site.begins == "query":
        place, queries = site.queries()
        what, said = "query", [(one,) for one in queries]
    else:
        said = [*site.initials()]
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
    return FieldFinding("hop", what, words, None, odd=True, values=values | {"how": found.how})


def injected(site: FieldSite) -> Iterator[FieldFinding]:
    """Packets of another machine in one connection, beside the server's own."""
    if site.target.kind.transport == "dns/udp":
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
    place, (query, _) = site.queries()
    came = hopsearch.answers_to(*place, query, wait=2 * site.plan.wait)
    for number, one in enumerate(came, 1):
        header = headers.fields_of(one)
        words = f"hop limit {one.ttl}, IP-ID {one.ip_id}, {len(one.payload)} bytes"
        odd = len(came) > 1
        yield FieldFinding("injected", f"answer {number}", words, odd=odd, values={"header": header})
    if not came:
        yield FieldFinding("injected", "", "no answer to look at")


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
        yield _lasting("residual", what, one)


def _lasting(instrument: str, what: str, found: lingering.ResidualFinding) -> FieldFinding:
    values = {
        "residual": found.middle,
        "shortest": round(found.shortest, 2),
        "longest": found.longest and round(found.longest, 2),
    }
    return FieldFinding(instrument, what, _how_long(found), odd=bool(found.shortest), values=values)


def _how_long(found: lingering.ResidualFinding) -> str:
    if not found.looks:
        return "unknown: no connection could be opened"
    if not found.shortest:
        return "none" if found.longest is None else f"none: after {found.longest:.1f} s it is free"
    if found.longest is None:
        return f"more than {found.shortest:.0f} s"
    return f"{found.shortest:.1f} to {found.longest:.1f} s"


def connections(site: FieldSite) -> Iterator[FieldFinding]:
    """How many connections side by side work before one does not, and how long no new one does then."""
    lure, plan = site.lure(), site.plan
    found = lingering.connection_count(lure, plan.connections, wait=plan.wait)
    values = {"connections": found.limit, "tried": found.tried}
    if found.limit is None:
        words = f"all {found.tried} work"
    elif not found.limit:
        words = "not even the first one works"
    else:
        words = f"{found.limit} work, the next one does not"
    yield FieldFinding("connections", "", words, odd=found.limit is not None, values=values)
    if found.limit:
        trigger = Lure(lure.address, lure.port, lure.trigger, lure.trigger)
        lock = lingering.lock_time(
            lambda: lingering.exceed(trigger, found.tried, wait=plan.wait),
            lambda: lingering.interfered(trigger, plan.wait),
            plan.residual,
        )
        yield _lasting("connections", "other ports", lock)


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
    "speed": speed,
    "residual": residual,
    "connections": connections,  # last: who has opened too many may open no more for a while
}


def look(site: FieldSite) -> Iterator[FieldFinding]:
    """Look with the plan's instruments, in order; at a page whose speed counts, with that one, too.

    What an instrument cannot do is a finding of its own. A target that failed is measured again.
    """
    found: list[FieldFinding] = []
    for one in _look(site):
        found.append(one)
        yield one
    yield from look_again_at(site, found)


def _look(site: FieldSite) -> Iterator[FieldFinding]:
    chosen = site.plan.instruments
    speed = ("speed",) if site.target.bulk and "web" in chosen and "speed" not in chosen else ()
    for name in (*chosen, *speed):
        try:
            yield from INSTRUMENTS[name](site)
        except (MeasurementError, OSError, EOFError) as error:
            yield FieldFinding(name, "", f"not measured: {failure.of(error)}", failure.of(error))


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
