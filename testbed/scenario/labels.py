"""The canonical labels of outcomes, for every detector and table."""

from typing import Final

LABELS: Final[dict[str, str]] = {
    "ok": "works, as it does from outside",
    "dns.nxdomain": "the resolver says the name does not exist; outside it does",
    "dns.poison": "the resolver gives an address that the name does not have outside",
    "dns.drop": "no answer from the resolver",
    "ip.drop": "no answer to the SYN, or none later on a connection without TLS and HTTP",
    "ip.rst": "the SYN is refused, or a connection without TLS and HTTP is reset",
    "ip.icmp": "the SYN is answered by an ICMP error",
    "tls.sni.rst": "reset after the ClientHello",
    "tls.sni.drop": "no answer to the ClientHello",
    "tls.mitm": "another certificate than the site's",
    "http.rst": "reset after the HTTP request",
    "http.drop": "no answer to the HTTP request, or it stops",
    "http.page": "a block page or a redirect to one",
    "quic.drop": "no answer to QUIC Initials, or none later",
    "throttle": "works, or begins to, at a small part of the speed seen outside",
    "broken": "fails outside as well: not censorship",
}
