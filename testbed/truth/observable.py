"""What a perfect run of a known detector could report of a truth, and "none" where it cannot see it.

The words are the tools' own: curl's exit status, `blocking` of OONI's web_connectivity, the step and failure
of its urlgetter, dpi-detector's column, zgrab2's status. A perfect run is one client with the tool's own
defaults, no bug, and no chance against it. Why a tool is blind to something stands beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from testbed.truth.record import NOTHING_SEEN, TruthRecord

_WEB: Final = frozenset({"https", "http"})


@dataclass(frozen=True, slots=True)
class KnownDetector:
    """One detector. `says`: label -> its word; what is not in it, it cannot tell from a free network."""

    key: str
    says: Mapping[str, str]
    schemes: frozenset[str] = _WEB  # of targets that it measures
    measures: frozenset[str] = frozenset()  # rate, size, hop, residual, connections
    blind: Mapping[str, str] = field(
        default_factory=dict
    )  # label, parameter or "*" -> why it does not see it


BY_PROVOCATION: Final = ("hop", "residual")
"""Parameters that are found out by provoking a box with a client's first bytes."""
_LATE_ACTS: Final = ("throttle", "freeze")  # what acts later than on these
_ONE_SHOT: Final = {
    "residual": "one connection per run: nobody asks the same 4-tuple again",
    "hop": "no packet with a limited TTL",
    "conncount": "few connections at once",
    "vpn.drop": "no tunnel is tried",
}

DETECTORS: Final[tuple[KnownDetector, ...]] = (
    KnownDetector(
        "probe",
        {},  # the label itself: see `observable`
        measures=frozenset({"rate", "size", *BY_PROVOCATION, "connections"}),  # with a closer look
    ),
    KnownDetector(
        "curl",
        {
            **dict.fromkeys(("dns.nxdomain", "dns.error", "dns.drop", "dns.rst"), "6"),
            **dict.fromkeys(("ip.drop", "tls.sni.drop", "http.drop", "throttle", "freeze", "outage"), "28"),
            **dict.fromkeys(("ip.rst", "ip.icmp"), "7"),
            **dict.fromkeys(("tls.sni.rst", "tls.sni.fin"), "35"),
            "tls.mitm": "60",
            "http.rst": "56",
            "http.fin": "52",
        },
        frozenset({*_WEB, "put+https", "put+http"}),
        frozenset({"rate", "size"}),
        {
            **_ONE_SHOT,
            "dns.poison": "the exit status depends on what is at the wrong address",
            "http.page": "any answer is status 0",
            "quic.drop": "Debian's curl has no HTTP/3",
        },
    ),
    KnownDetector(
        "ooni.web_connectivity",
        {
            **dict.fromkeys(("dns.nxdomain", "dns.error", "dns.drop", "dns.rst", "dns.poison"), "dns"),
            **dict.fromkeys(("ip.drop", "ip.rst", "ip.icmp", "outage"), "tcp_ip"),
            **dict.fromkeys(("tls.sni.rst", "tls.sni.fin", "tls.sni.drop", "tls.mitm"), "http-failure"),
            **dict.fromkeys(("http.rst", "http.fin", "http.drop", "freeze"), "http-failure"),
            "http.page": "http-diff",
        },
        blind={
            **_ONE_SHOT,
            "throttle": "a page that comes late has come",
            "rate": "no transfer is long enough",
            "size": "blocking says nothing of bytes",
            "quic.drop": "no HTTP/3",
        },
    ),
    KnownDetector(
        "ooni.urlgetter",
        {
            "dns.nxdomain": "resolve: dns_nxdomain_error",
            "dns.drop": "resolve: generic_timeout_error",
            "ip.drop": "connect: generic_timeout_error",
            "outage": "connect: generic_timeout_error",
            "ip.rst": "connect: connection_refused",
            "ip.icmp": "connect: host_unreachable",
            "tls.sni.rst": "tls_handshake: connection_reset",
            "tls.sni.fin": "tls_handshake: eof_error",
            "tls.sni.drop": "tls_handshake: generic_timeout_error",
            "tls.mitm": "tls_handshake: ssl_unknown_authority",
            "http.rst": "http_round_trip: connection_reset",
            "http.fin": "http_round_trip: eof_error",
            "http.drop": "http_round_trip: generic_timeout_error",
            "freeze": "http_round_trip: generic_timeout_error",
            "quic.drop": "quic_handshake: generic_timeout_error",
        },
        frozenset({*_WEB, "h3"}),
        frozenset({"size"}),
        {
            **_ONE_SHOT,
            "dns.poison": "no control: an address is an address",
            "dns.error": "the failure's name depends on the resolver's code",
            "http.page": "no control: a page is a page",
            "throttle": "a page that comes late has come",
            "rate": "its events have the times; it concludes nothing from them",
        },
    ),
    KnownDetector(
        "dpi-detector",
        {
            "dns.nxdomain": "DNS FAIL",
            "dns.drop": "DNS FAIL",
            "dns.error": "DNS FAIL",
            "dns.poison": "ISP PAGE",
            "ip.drop": "TIMEOUT",
            "outage": "TIMEOUT",
            "ip.rst": "REFUSED",
            "ip.icmp": "HOST UNREACH",
            "tls.sni.rst": "RST",
            "tls.sni.fin": "TLS DPI",
            "tls.sni.drop": "TIMEOUT",
            "http.rst": "RST",
            "http.page": "REDIR",
            "freeze": "DETECTED",
        },
        measures=frozenset({"size"}),
        blind={
            **_ONE_SHOT,
            "tls.mitm": "it switches the verification of certificates off",
            "throttle": "a page that comes late has come",
            "quic.drop": "no HTTP/3",
        },
    ),
    KnownDetector(
        "zgrab2",
        {
            "ip.drop": "connection-timeout",
            "outage": "connection-timeout",
            "ip.rst": "connection-refused",
            "ip.icmp": "unknown-error",
            "tls.sni.rst": "handshake-error",
            "http.rst": "application-error",
            "tls.sni.drop": "io-timeout",
            "tls.sni.fin": "connection-closed",
            "freeze": "io-timeout",
        },
        blind={
            **_ONE_SHOT,
            "dns.poison": "it is given addresses",
            "throttle": "a page that comes late has come",
            "tls.mitm": "another chain is no failure",
            "http.page": "any answer is a success",
            "quic.drop": "no HTTP/3",
        },
    ),
    KnownDetector(
        "hyperquack",
        {},
        blind={"*": "it measures from outside: boxes that act on flows opened inside do nothing to it"},
    ),
)


def observable(record: TruthRecord) -> dict[str, str]:
    """Detector -> what a perfect run of it reports; "none" where it cannot tell this from a free network."""
    return {one.key: _word(one, record) for one in DETECTORS}


def measurable(record: TruthRecord) -> dict[str, tuple[str, ...]]:
    """Detector -> the record's parameters that it can estimate, where it sees the effect at all."""
    names = ("rate", "size", *(() if record.outcome in _LATE_ACTS else BY_PROVOCATION), "connections")
    known = [name for name in names if getattr(record, name) is not None]
    return {
        one.key: tuple(name for name in known if name in one.measures)
        for one in DETECTORS
        if record.blocked and _word(one, record) != NOTHING_SEEN
    }


def with_observable(record: TruthRecord) -> TruthRecord:
    """The record with what detectors could see of it."""
    return replace(record, observable=observable(record), measurable=measurable(record))


def _word(detector: KnownDetector, record: TruthRecord) -> str:
    scheme = record.target.partition("://")[0]
    if detector.key == "probe":
        return record.outcome  # scenarios' own kinds of targets included
    if scheme not in detector.schemes:
        return NOTHING_SEEN
    if not record.blocked:
        return NOTHING_SEEN if "*" in detector.blind else _FREE.get(detector.key, "ok")
    return detector.says.get(record.outcome, NOTHING_SEEN)


_FREE: Final = {"curl": "0", "ooni.web_connectivity": "false", "zgrab2": "success", "dpi-detector": "OK"}
"""What they say of a free network."""
