"""The canonical labels of outcomes, for every detector and table."""

from typing import Final

LABELS: Final[dict[str, str]] = {
    "ok": "works, as it does from outside",
    "dns.nxdomain": "the resolver says the name does not exist; outside it does",
    "dns.error": "the resolver refuses, fails, or has no such address; outside there is one",
    "dns.poison": "the resolver gives an address that the name does not have outside",
    "dns.drop": "no answer from the resolver",
    "dns.rst": "the connection to the resolver is reset or closed",
    "ip.drop": "no answer to the SYN, or none later on a connection without TLS and HTTP",
    "ip.rst": "the SYN is refused, or a connection without TLS and HTTP is reset",
    "ip.fin": "a connection without TLS and HTTP is closed",
    "ip.icmp": "the SYN is answered by an ICMP error",
    "tls.sni.rst": "reset after the ClientHello",
    "tls.sni.fin": "closed after the ClientHello",
    "tls.sni.drop": "no answer to the ClientHello",
    "tls.mitm": "another certificate than the site's",
    "http.rst": "reset after the HTTP request",
    "http.fin": "closed after the HTTP request",
    "http.drop": "no answer to the HTTP request",
    "http.page": "a block page or a redirect to one",
    "quic.drop": "no answer to QUIC Initials, or none later",
    "quic.sni.drop": "the same, because of the name in the Initial",
    "throttle": "works, or begins to, at a small part of the speed seen outside",
    "freeze": "the answer begins, then nothing more comes",
    "conncount": "one connection works, several at once do not",
    "vpn.drop": "a tunnel's protocol gets no answer, or none later",
    "outage": "no answer here, nor from the controls: the operator's own network is out",
    "portal": "the access network answers itself, for the controls too: one must log in first",
    "refused": "the server itself turns this vantage away: another page than elsewhere, or from outside none",
    "broken": "fails outside as well: not censorship",
}

CAUSELESS: Final = ("ok", "outage", "refused", "broken")
"""Labels that no rule causes."""

SEEN_AS: Final[dict[str, tuple[str, ...]]] = {
    "quic.sni.drop": ("quic.drop",),
    "conncount": ("ip.drop", "tls.sni.drop", "http.drop", "freeze", "quic.drop"),
    "vpn.drop": ("ip.drop", "ip.rst"),
    "portal": ("http.page", "tls.mitm"),
}
"""Labels of a cause that one measurement alone does not show: what it shows instead.

A scenario may expect the cause; the rule that it names in `by` must have acted on the measurement's flows.
"""
