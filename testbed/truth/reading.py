"""One OONI measurement as `classify` wants it. What is missing or of the wrong type reads as absent."""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from ipaddress import ip_address
from re import DOTALL, IGNORECASE, search
from typing import Any
from urllib.parse import urlsplit

Json = Mapping[str, Any]


def _list(value: object) -> list[Json]:
    many = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return [item for item in value if isinstance(item, Mapping)] if many else []  # type: ignore[attr-defined]


def _dict(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _number(value: object) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if good and abs(value) < 1e15 else 0.0  # type: ignore[arg-type]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class Step:
    """How one layer ended. `failure` is None when at least one attempt succeeded."""

    tried: bool
    failure: str | None
    begun: float = 0.0  # of the last attempt, seconds since the measurement began
    ended: float = 0.0


@dataclass(frozen=True)
class Page:
    """What an HTTP response shows of itself."""

    status: int
    location: str
    title: str
    size: int
    digest: str
    complete: bool


@dataclass(frozen=True)
class Speed:
    """A bulk transfer."""

    bits_per_second: float
    bytes: float
    seconds: float
    complete: bool


class Reading:
    """The steps of a measurement, in the order in which they happened."""

    def __init__(self, measurement: object) -> None:
        document = _dict(measurement)
        self.target = _text(document.get("input"))
        self._keys = _dict(document.get("test_keys"))

    def _step(self, entries: list[Json], failures: list[object]) -> Step:
        if not entries:
            return Step(tried=False, failure=None)
        texts = [_text(failure) if failure is not None else None for failure in failures]
        last = entries[-1]
        failure = None if None in texts else texts[-1] or "unknown_failure"
        return Step(tried=True, failure=failure, begun=_number(last.get("t0")), ended=_number(last.get("t")))

    def _block(self, name: str) -> list[Json]:
        return _list(self._keys.get(name))

    @property
    def scheme(self) -> str:
        """https, http, h3, dns; "" for none."""
        return self.target.partition("://")[0].removeprefix("put+").removesuffix("+tcp")

    @cached_property
    def dns(self) -> Step:
        """All lookups together."""
        queries = self._block("queries")
        return self._step(queries, [query.get("failure") for query in queries])

    @cached_property
    def tcp(self) -> Step:
        """All connection attempts together."""
        attempts = self._block("tcp_connect")
        return self._step(attempts, [_dict(entry.get("status")).get("failure") for entry in attempts])

    @cached_property
    def tls(self) -> Step:
        """TLS over TCP."""
        return self._handshakes(quic=False)

    @cached_property
    def quic(self) -> Step:
        """QUIC."""
        return self._handshakes(quic=True)

    def _handshakes(self, *, quic: bool) -> Step:
        found = [e for e in self._block("tls_handshakes") if (e.get("network") in ("udp", "quic")) is quic]
        return self._step(found, [entry.get("failure") for entry in found])

    @cached_property
    def http(self) -> Step:
        """The request (OONI lists the newest first, but a run of ours has one only)."""
        requests = self._block("requests")[:1]
        return self._step(requests, [entry.get("failure") for entry in requests])

    @cached_property
    def failure(self) -> str | None:
        """What ended the measurement, None if nothing did. One without any step has failed as well."""
        steps = [step for step in (self.dns, self.tcp, self.tls, self.quic, self.http) if step.tried]
        if not steps:
            return "no_measurement"
        whole = self._keys.get("failure")
        said = whole if isinstance(whole, str) and whole else None
        return said or next((step.failure for step in steps if step.failure), None)

    @cached_property
    def addresses(self) -> frozenset[str]:
        """Every A and AAAA of the first successful lookup, in shortest form."""
        found = set()
        for query in self._block("queries"):
            if query.get("failure") is None:
                for answer in _list(query.get("answers")):
                    found |= {_shortest(_text(answer.get(key))) for key in ("ipv4", "ipv6")}
        return frozenset(found - {""})

    @cached_property
    def certificate(self) -> tuple[str, str]:
        """Digest and issuer of the leaf of a successful TLS handshake, "" where unknown."""
        for entry in self._block("tls_handshakes"):
            if entry.get("failure") is None:
                leaf = (_list(entry.get("peer_certificates")) or [{}])[0]
                digest = _text(entry.get("x_leaf_sha256")) or _digest(_text(leaf.get("data")))
                return digest, _text(entry.get("x_issuer"))
        return "", ""

    @cached_property
    def page(self) -> Page | None:
        """The response, if a status line came."""
        response = _dict((self._block("requests") or [{}])[0].get("response"))
        status = int(_number(response.get("code")))
        if not status:
            return None
        body = _text(response.get("body"))
        title = search(r"<title[^>]*>(.*?)</title>", body, IGNORECASE | DOTALL)
        return Page(
            status,
            _header(response, "location"),
            title.group(1).strip() if title else "",
            int(_number(response.get("x_body_bytes"))) or len(body),
            _text(response.get("x_body_sha256")),
            response.get("x_complete") is not False,
        )

    @cached_property
    def speed(self) -> Speed | None:
        """The bulk transfer, if it was one."""
        said = self._keys.get("x_speed")
        if not isinstance(said, Mapping):
            return None
        rate, size, seconds = (_number(said.get(key)) for key in ("bits_per_second", "bytes", "seconds"))
        return Speed(rate, size, seconds, said.get("complete") is True)

    def last_arrival(self, since: float) -> float | None:
        """Seconds from `since` to the last bytes that came after it, None if none did."""
        arrivals = [
            _number(event.get("t"))
            for event in self._block("network_events")
            if event.get("operation") in ("read", "read_from")
            and event.get("failure") is None
            and _number(event.get("num_bytes")) > 0
        ]
        later = [at for at in arrivals if at > since]
        return max(later) - since if later else None


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


def _header(response: Json, name: str) -> str:
    pairs = response.get("headers_list")
    if not isinstance(pairs, list):
        return ""
    for pair in pairs:
        if isinstance(pair, list | tuple) and len(pair) == 2 and _text(pair[0]).lower() == name:
            return _text(pair[1])
    return ""


def host_of(url: str) -> str:
    """The host that a URL leads to, "" for none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
