"""One verdict of a field instrument's findings, in the fields that `testbed score` reads."""

from collections.abc import Sequence
from typing import Any, Final

from testbed.probe.fieldagain import AGAIN, BREAKS, is_about
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


def verdict_of(site: FieldSite, findings: Sequence[FieldFinding]) -> dict[str, Any]:
    """`target`, `verdict`, `mechanism` (canonical labels, | between them) and the numbers."""
    if any(one.instrument == "dns" for one in findings):  # it knows more of a name than a page that fails
        findings = [one for one in findings if one.instrument != "web" or one.values.get("step") != "dns"]
    labels = [label for one in findings if one.odd and (label := _label(site, one))]
    looked = any(is_about(site, one) for one in findings)
    odd = any(one.odd and is_about(site, one) for one in findings)
    said = "blocked" if odd else "free" if looked else "inconclusive"
    if odd and _mixed(findings) and not any(is_about(site, one) and _sure(one) for one in findings):
        said = "inconclusive"
    made: dict[str, Any] = {"target": site.target.url, "verdict": said}
    if said == "blocked" and labels:
        made["mechanism"] = "|".join(dict.fromkeys(labels))
    return made | _numbers(findings)


def _mixed(findings: Sequence[FieldFinding]) -> bool:
    """Whether further looks did not fail as the first, or the control failed as well."""
    return any(one.instrument == AGAIN and not one.odd for one in findings)


def _sure(finding: FieldFinding) -> bool:
    """Whether no server that fails at times looks like this."""
    if finding.instrument == "hop":
        return finding.odd and finding.values.get("how") not in BREAKS
    return finding.odd and finding.instrument in ("dns", "speed", "freeze")


def _label(site: FieldSite, finding: FieldFinding) -> str:
    if not is_about(site, finding):
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
