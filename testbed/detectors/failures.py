"""From a step and an error to canonical labels, for every adapter alike.

The table is that of the mechanisms in the field's tools (OONI's df-007, curl's exit statuses, Go's and
Linux's error texts), by the step in which the error came. On https a filter cannot read the request: what
happens after the handshake is attributed to the ClientHello, as in `testbed.truth.classify`.
"""

from typing import Final

# What Linux, Go, OpenSSL and httpx call it. The first that occurs in a text counts.
_KINDS: Final = (
    ("nxdomain", ("no such host", "nxdomain", "name or service not known", "could not resolve")),
    ("refused", ("refused",)),
    ("reset", ("reset", "broken pipe", "aborted")),
    ("unreachable", ("unreachable", "no route", "prohibited", "not permitted")),
    ("timeout", ("timeout", "timed out", "deadline exceeded")),
    ("closed", ("eof", "closed", "empty reply", "unexpected end")),
    ("certificate", ("certificate", "x509", "unknown authority", "self-signed", "self signed")),
    ("garbage", ("tls:", "ssl", "handshake failure", "malformed", "alert", "bad record", "wrong version")),
)
_LABELS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("dns", "nxdomain"): ("dns.nxdomain",),
    ("dns", "timeout"): ("dns.drop",),
    ("dns", "reset"): ("dns.rst",),
    ("dns", "closed"): ("dns.rst",),
    ("dns", "refused"): ("ip.rst", "dns.error"),
    ("dns", "unreachable"): ("ip.icmp", "dns.error"),
    ("tcp", "timeout"): ("ip.drop",),
    ("tcp", "refused"): ("ip.rst",),
    ("tcp", "reset"): ("ip.rst",),
    ("tcp", "closed"): ("ip.fin",),
    ("tcp", "unreachable"): ("ip.icmp",),
    ("tls", "reset"): ("tls.sni.rst",),
    ("tls", "closed"): ("tls.sni.fin",),
    ("tls", "timeout"): ("tls.sni.drop", "throttle"),
    ("tls", "certificate"): ("tls.mitm",),
    ("tls", "garbage"): ("tls.mitm",),
    ("http", "reset"): ("http.rst",),
    ("http", "closed"): ("http.fin",),
    ("http", "timeout"): ("http.drop", "throttle"),
    ("http", "garbage"): ("http.page",),
    ("sealed", "reset"): ("tls.sni.rst", "http.rst"),
    ("sealed", "closed"): ("tls.sni.fin", "http.fin"),
    ("sealed", "timeout"): ("tls.sni.drop", "throttle"),
    ("answer", "timeout"): ("freeze", "throttle"),
    ("answer", "reset"): ("http.rst", "tls.sni.rst"),
    ("answer", "closed"): ("http.fin",),
    ("quic", "timeout"): ("quic.drop", "quic.sni.drop"),
    ("quic", "refused"): ("ip.rst",),
    ("quic", "unreachable"): ("ip.icmp",),
    ("quic", "certificate"): ("tls.mitm",),
}
"""Steps: dns, tcp, tls, quic; http; `sealed`: http inside TLS before its answer; `answer`: during it."""


def kind_of(error: str) -> str:
    """What kind of error a text is: reset, timeout, closed, …; "" if it is none that is known."""
    low = error.lower()
    return next((kind for kind, words in _KINDS if any(word in low for word in words)), "")


def mechanisms(step: str, kind: str) -> tuple[str, ...]:
    """The labels of an error of this kind in this step, the likeliest first; () if none fits."""
    return _LABELS.get((step, kind), ())
