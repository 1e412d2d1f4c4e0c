"""One measurement as `classify` compares it: how each layer ended, in the order in which they were tried.

Entries that do not say how they ended prove nothing and are left out.
"""

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from ipaddress import ip_address
from re import DOTALL, IGNORECASE, search
from typing import Protocol
from urllib.parse import urlsplit

from testbed.measurement.codec import UNSAID, StepFailure
from testbed.measurement.ooni import Measurement, TransferSpeed, maybe_binary_bytes

_NAMELESS = "unknown_failure"  # a failure without a name (df-007)


class _Attempt(Protocol):
    """What the entries of all blocks have in common."""

    @property
    def failure(self) -> StepFailure: ...

    @property
    def t0(self) -> float | None: ...

    @property
    def t(self) -> float | None: ...


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
    location: str
    title: str
    size: int
    digest: str
    complete: bool


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
        """All connection attempts together."""
        return _layer(self._keys.tcp_connect)

    @cached_property
    def tls(self) -> Layer:
        """TLS over TCP."""
        return _layer([one for one in self._keys.tls_handshakes if one.network not in ("udp", "quic")])

    @cached_property
    def quic(self) -> Layer:
        """QUIC."""
        return _layer([one for one in self._keys.tls_handshakes if one.network in ("udp", "quic")])

    @cached_property
    def http(self) -> Layer:
        """The request (OONI lists the newest first, but a run of ours has one only)."""
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
    def addresses(self) -> frozenset[str]:
        """Every A and AAAA of the successful lookups, in shortest form."""
        answers = [one for query in self._keys.queries if query.failure is None for one in query.answers]
        found = {_shortest(text) for answer in answers for text in (answer.ipv4, answer.ipv6) if text}
        return frozenset(found)

    @cached_property
    def certificate(self) -> tuple[str, str]:
        """Digest and issuer of the leaf of the first successful handshake, "" where unknown."""
        for handshake in self._keys.tls_handshakes:
            if handshake.failure is None:
                leaf = handshake.peer_certificates[0].data if handshake.peer_certificates else ""
                return handshake.leaf_sha256 or _digest(leaf or ""), handshake.issuer or ""
        return "", ""

    @cached_property
    def page(self) -> SeenPage | None:
        """The response, if a status line came."""
        response = self._keys.requests[0].response if self._keys.requests else None
        if response is None or not response.code:
            return None
        body = maybe_binary_bytes(response.body).decode(errors="replace")
        title = search(r"<title[^>]*>(.*?)</title>", body, IGNORECASE | DOTALL)
        return SeenPage(
            response.code,
            response.header("location"),
            title.group(1).strip() if title else "",
            response.body_bytes or len(body),
            response.body_sha256 or "",
            response.complete is not False,
        )

    @property
    def speed(self) -> TransferSpeed | None:
        """The bulk transfer, if it was one."""
        return self._keys.speed

    def last_arrival(self, since: float) -> float | None:
        """Seconds from `since` to the last bytes that came after it, None if none did."""
        arrivals = [
            event.t or 0.0
            for event in self._keys.network_events
            if event.operation in ("read", "read_from")
            and event.failure is None
            and (event.num_bytes or 0) > 0
        ]
        later = [at for at in arrivals if at > since]
        return max(later) - since if later else None


def _layer(entries: Sequence[_Attempt]) -> Layer:
    attempts = [entry for entry in entries if entry.failure is not UNSAID]
    if not attempts:
        return Layer(tried=False, failure=None)
    last = attempts[-1]
    succeeded = any(attempt.failure is None for attempt in attempts)
    failure = None if succeeded else str(last.failure or _NAMELESS)
    return Layer(tried=True, failure=failure, begun=last.t0 or 0.0, ended=last.t or 0.0)


def _shortest(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return text


def _digest(data: str) -> str:
    try:
        return sha256(b64decode(data)).hexdigest() if data else ""
    except ValueError:
        return ""


def host_of(url: str) -> str:
    """The host that a URL leads to, "" for none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
