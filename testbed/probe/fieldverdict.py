"""One verdict of a field instrument's findings, in the fields that `testbed score` reads."""

from collections.abc import Sequence
from typing import Any, Final

from testbed.probe.field import ITSELF
from testbed.probe.fieldsite import FieldFinding, FieldSite
from testbed.probe.hopsearch import ANOTHER

_ENDINGS: Final = {
    "connection_reset": "rst",
    "connection_refused": "rst",
    "eof_error": "fin",
    "generic_timeout_error": "drop",
    "timed_out": "drop",
    "host_unreachable": "icmp",
    "network_unreachable": "icmp",
}
_LAYERS: Final = {"dns": "dns", "tcp": "ip", "tls": "tls.sni", "quic": "quic", "http": "http"}
_LOOKUPS: Final = {"dns": "UDP", "dns+tcp": "TCP", "dot": "DoT", "doh": "DoH"}
_UNDER_TLS: Final = ("TCP", "TLS")
_BY_SCHEME: Final = {
    "https": "HTTP/1.1 over TLS",
    "http": "HTTP/1.1",
    "h2": "HTTP/2",
    "h3": "HTTP/3",
}


def verdict_of(site: FieldSite, findings: Sequence[FieldFinding]) -> dict[str, Any]:
    """`target`, `verdict`, `mechanism` (canonical labels, | between them) and the numbers."""
    if any(one.instrument == "dns" for one in findings):  # it knows more of a name than a page that fails
        findings = [one for one in findings if one.instrument != "web" or one.values.get("step") != "dns"]
    labels = [label for one in findings if one.odd and (label := _label(site, one))]
    looked = any(_about(site, one) for one in findings)
    odd = any(one.odd and _about(site, one) for one in findings)
    said = "blocked" if odd else "free" if looked else "inconclusive"
    made: dict[str, Any] = {"target": site.target.url, "verdict": said}
    if odd and labels:
        made["mechanism"] = "|".join(dict.fromkeys(labels))
    return made | _numbers(findings)


def _about(site: FieldSite, finding: FieldFinding) -> bool:
    """Whether a finding is about the target itself, and not about another way to the same site."""
    scheme = site.target.kind.scheme.removeprefix("put+")
    if finding.instrument == "web":
        return finding.what in (
            ITSELF,
            _BY_SCHEME.get(scheme, ""),
            *(_UNDER_TLS if scheme == "https" else ()),
        )
    if finding.instrument == "dns":
        transport = _LOOKUPS.get(scheme)
        return finding.what.startswith(f"{transport} ") if transport else finding.what in ("UDP A", "TCP A")
    return finding.instrument != "clients"


def _label(site: FieldSite, finding: FieldFinding) -> str:
    if not _about(site, finding):
        return ""
    if finding.instrument == "speed":
        return "throttle"
    if finding.instrument == "hop":
        return "http.page" if (finding.what, finding.values.get("how")) == ("request", ANOTHER) else ""
    if finding.instrument == "freeze":
        return "freeze"
    if finding.instrument == "dns":
        if site.target.kind.scheme in ("dot", "doh"):
            return ""  # what ends a lookup within TLS is no box that reads DNS
        named = {"dns_nxdomain_error": "dns.nxdomain", "generic_timeout_error": "dns.drop"}
        return named.get(finding.failure or "", "dns.error" if finding.failure else "dns.poison")
    if finding.instrument == "connections":
        return "conncount" if finding.values.get("connections") else ""
    if finding.instrument != "web" or finding.what in ("TCP", "TLS"):
        return ""
    ending = _ENDINGS.get(finding.failure or "")
    layer = _LAYERS.get(str(finding.values.get("step")), "")
    if layer == "tls.sni" and (finding.failure or "").startswith("ssl_"):
        return "tls.mitm"
    return f"{layer}.{ending}" if layer and ending else ""


def _numbers(findings: Sequence[FieldFinding]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in findings:
        if one.instrument == "speed" and one.odd and one.values.get("rate"):
            found.setdefault("rate", float(one.values["rate"]))
        elif one.instrument == "freeze" and one.odd:
            found["received"] = float(one.values["received"])
        for name in ("hop", "residual", "connections"):
            if one.what != "other ports" and one.values.get(name) is not None:
                found[name] = float(one.values[name])
        if (
            one.what == "other ports"
            and one.instrument == "connections"
            and one.values["residual"] is not None
        ):
            found.setdefault("residual", float(one.values["residual"]))
    return found
