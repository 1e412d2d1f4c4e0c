"""One measurement as `classify` compares it: how each layer ended, in the order in which they were tried.

Entries that do not say how they ended prove nothing and are left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from ipaddress import ip_address
from re import DOTALL, IGNORECASE, search
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from testbed.measurement.codec import UNSAID, StepFailure
from testbed.measurement.ooni import HttpExchange, Measurement, Query, maybe_binary_bytes
from testbed.measurement.target import endpoint_text
from testbed.truth.arrivals import SeenTransfer, arrivals

_NAMELESS = "unknown_failure"  # a failure without a name (df-007)
_DIGITS = 13  # a Content-Length of more is none


class _Attempt(Protocol):
    """What the entries of all blocks have in common."""

    @property
    def failure(self) -> StepFailure: ...

    @property
    def t0(self) -> float | None: ...

    @property
    def t(self) -> float | None: ...


_AnyAttempt = TypeVar("_AnyAttempt", bound=_Attempt)


@dataclass(frozen=True)
class Layer:
    """How one layer ended. `failure` is None if at least one attempt succeeded."""

    tried: bool
    failure: str | None
    begun: float = 0.0  # of the last attempt, seconds since the measurement began
    ended: float = 0.0


@dataclass(frozen=True)
class SeenPage:
    """What an HTTP response shows of itself."""

    status: int
    host: str  # of the URL that was requested
    location: str
    title: str
    text: str  # the recorded beginning of the body
    size: int  # bytes of the body, as far as it came or was announced
    digest: str  # of the recorded beginning
    complete: bool
    sealed: bool  # it came over TLS


@dataclass(frozen=True)
class SeenLookup:
    """What one resolver said of one name."""

    name: str
    layer: Layer
    addresses: frozenset[str]  # in shortest form
    networks: frozenset[int] = frozenset()  # AS numbers of these, where the record has them
    texts: frozenset[str] = frozenset()  # HTTPS records, as in a zone file
    sealed: bool = False  # over TLS: no box can read it


class Timeline:
    """The layers of a measurement. `limited`: whether anything may have slowed it on purpose."""

    def __init__(self, measurement: Measurement, *, limited: bool = True) -> None:
        self.limited = limited
        self._keys = measurement.test_keys
        self.target = measurement.target

    @property
    def scheme(self) -> str:
        """https, http, h3, dns; "" for none."""
        return self.target.partition("://")[0].removeprefix("put+").removesuffix("+tcp")

    @cached_property
    def dns(self) -> Layer:
        """All lookups together."""
        return _layer(self._keys.queries)

    @cached_property
    def tcp(self) -> Layer:
        """The attempts to connect to a host's port; of several hosts, as after redirects, one that failed."""
        names = {ip: query.hostname or "" for query in self._keys.queries for ip in _addresses_in([query])}
        own = host_of(self.target)
        return _worst(self._keys.tcp_connect, lambda one: (names.get(_shortest(one.ip or ""), own), one.port))

    @cached_property
    def tls(self) -> Layer:
        """TLS over TCP; of several names, one that failed."""
        mine = [one for one in self._keys.tls_handshakes if one.network not in ("udp", "quic")]
        return _worst(mine, lambda one: one.server_name)

    @cached_property
    def quic(self) -> Layer:
        """QUIC; of several names, one that failed."""
        mine = [one for one in self._keys.tls_handshakes if one.network in ("udp", "quic")]
        return _worst(mine, lambda one: one.server_name)

    @cached_property
    def http(self) -> Layer:
        """The last request (OONI lists the newest first; a run of ours has one only)."""
        return _layer(self._keys.requests[:1])

    @cached_property
    def failure(self) -> str | None:
        """What ended the measurement, None if nothing did. One without any step has failed as well."""
        layers = [layer for layer in (self.dns, self.tcp, self.tls, self.quic, self.http) if layer.tried]
        if not layers:
            return "no_measurement"
        whole = self._keys.failure
        if isinstance(whole, str) and whole:
            return whole
        return next((layer.failure for layer in layers if layer.failure), None)

    @cached_property
    def lookups(self) -> tuple[SeenLookup, ...]:
        """The answers of each resolver that was asked: they are not merged, because one of them may lie."""
        asked: dict[tuple[str | None, ...], list[Query]] = {}
        for query in self._keys.queries:
            asked.setdefault((query.hostname, query.engine, query.resolver_address), []).append(query)
        layers = ((_layer(queries), queries) for queries in asked.values())
        return tuple(
            SeenLookup(
                queries[0].hostname or "",
                layer,
                _addresses_in(queries),
                _networks_in(queries),
                _texts_in(queries),
                queries[0].engine in ("dot", "doh"),
            )
            for layer, queries in layers
            if layer.tried
        )

    @cached_property
    def addresses(self) -> frozenset[str]:
        """Every A and AAAA of the successful lookups, in shortest form."""
        return frozenset().union(*(lookup.addresses for lookup in self.lookups))

    @cached_property
    def reached(self) -> Mapping[str, bool]:
        """Each address to which a connection was tried, and whether one succeeded; with TLS, where tried."""
        tcp = [(one.ip or "", one.failure) for one in self._keys.tcp_connect]
        tls = [(_address_of(one.address or ""), one.failure) for one in self._keys.tls_handshakes]
        found: dict[str, bool] = {}
        for attempts in (tcp, tls):
            last: dict[str, bool] = {}
            for ip, failure in attempts:
                if ip and failure is not UNSAID:
                    last[_shortest(ip)] = last.get(_shortest(ip), False) or failure is None
            found |= last
        return found

    @cached_property
    def certificate(self) -> tuple[str, str]:
        """Digest and issuer of the leaf of the first successful handshake, "" where unknown."""
        from testbed.measurement.certificate import issuer_of  # heavy

        for handshake in self._keys.tls_handshakes:
            if handshake.failure is None and handshake.peer_certificates:
                leaf = handshake.peer_certificates[0].to_bytes()
                return (sha256(leaf).hexdigest(), issuer_of(leaf)) if leaf else ("", "")
        return "", ""

    @cached_property
    def page(self) -> SeenPage | None:
        """The response to the first request, if a status line came (OONI lists the newest request first)."""
        exchange = self._keys.requests[-1] if self._keys.requests else None
        return _page(exchange) if exchange else None

    @cached_property
    def answer(self) -> SeenPage | None:
        """The response to the last request."""
        return _page(self._keys.requests[0]) if self._keys.requests else None

    @cached_property
    def pages(self) -> tuple[SeenPage, ...]:
        """Every response, also those that redirects led to."""
        return tuple(page for exchange in self._keys.requests if (page := _page(exchange)))

    @cached_property
    def transfer(self) -> SeenTransfer | None:
        """What came for the request; of an upload, which OONI's format cannot say, what the probe noted."""
        speed = self._keys.speed
        if speed is not None and speed.direction == "up":
            return SeenTransfer(speed.bytes or 0.0, speed.seconds or 0.0, speed.bits_per_second or 0.0)
        if not self.http.tried:
            return None
        came = arrivals(self._keys.network_events, self._keys.requests[0].address)
        mine = [one for one in came if one.at > self.http.begun]
        return SeenTransfer.of(mine, self.http.begun, self.http.ended)

    @property
    def received(self) -> int | None:
        """Bytes that came on the target's connection in all, None if none was tried."""
        keys = self._keys
        tried = [one.address for one in keys.requests[:1]] + [one.address for one in keys.tls_handshakes[-1:]]
        tried += [endpoint_text(one.ip, one.port) for one in keys.tcp_connect[-1:] if one.ip and one.port]
        if not tried:
            return None
        return round(sum(one.size for one in arrivals(keys.network_events, tried[0])))

    @cached_property
    def ended(self) -> float:
        """When the last operation on a socket ended."""
        return max((one.t or 0.0 for one in self._keys.network_events), default=0.0)

    def arrival_times(self, since: float) -> list[float]:
        """When bytes came after `since`, in seconds from then."""
        return [one.at - since for one in arrivals(self._keys.network_events) if one.at > since]


def _page(exchange: HttpExchange) -> SeenPage | None:
    response = exchange.response
    if response is None or not response.code:
        return None
    body = maybe_binary_bytes(response.body)
    text = body.decode(errors="replace")
    title = search(r"<title[^>]*>(.*?)</title>", text, IGNORECASE | DOTALL)
    length = response.header("content-length")
    size = int(length) if length.isdecimal() and len(length) < _DIGITS else len(body)
    url = exchange.request.url if exchange.request else None
    return SeenPage(
        response.code,
        host_of(url or ""),
        response.header("location"),
        title.group(1).strip() if title else "",
        text,
        max(size, len(body)) if response.body_is_truncated else len(body),
        sha256(body).hexdigest(),
        exchange.failure is None and (bool(response.body_is_truncated) or len(body) >= size),
        not (url or "").startswith("http://"),
    )


def _addresses_in(queries: Sequence[Query]) -> frozenset[str]:
    answers = [one for query in queries if query.failure is None for one in query.answers]
    return frozenset(_shortest(text) for one in answers for text in (one.ipv4, one.ipv6) if text)


def _texts_in(queries: Sequence[Query]) -> frozenset[str]:
    answers = [one for query in queries if query.failure is None for one in query.answers]
    return frozenset(one.text for one in answers if one.text)


def _networks_in(queries: Sequence[Query]) -> frozenset[int]:
    return frozenset(
        one.asn for query in queries if query.failure is None for one in query.answers if one.asn
    )


def _layer(entries: Sequence[_Attempt]) -> Layer:
    attempts = [entry for entry in entries if entry.failure is not UNSAID]
    if not attempts:
        return Layer(tried=False, failure=None)
    last = attempts[-1]
    succeeded = any(attempt.failure is None for attempt in attempts)
    failure = None if succeeded else str(last.failure or _NAMELESS)
    return Layer(tried=True, failure=failure, begun=last.t0 or 0.0, ended=last.t or 0.0)


def _worst(entries: Sequence[_AnyAttempt], key: Callable[[_AnyAttempt], object]) -> Layer:
    """The first of the groups with one key in which no attempt succeeded; else the last group."""
    groups: dict[object, list[_AnyAttempt]] = {}
    for entry in entries:
        groups.setdefault(key(entry), []).append(entry)
    layers = [layer for group in groups.values() if (layer := _layer(group)).tried]
    nothing = Layer(tried=False, failure=None)
    return next((layer for layer in layers if layer.failure), layers[-1] if layers else nothing)


def _address_of(endpoint: str) -> str:
    return endpoint.rpartition(":")[0].strip("[]")


@lru_cache(4096)
def _shortest(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return text


def host_of(url: str) -> str:
    """The host that a URL leads to, "" for none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
