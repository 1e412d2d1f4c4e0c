"""What each label means. Source keys are those of docs/sources.md."""

from typing import Final

EXPLANATIONS: Final[dict[str, str]] = {
    "ok": "Every step went as it does from outside.",
    "dns.nxdomain": "The resolver gave a negative answer (no such name, no address, refused) although the "
    "name resolves outside. Operators' own resolvers do this; another resolver gives the true answer.",
    "dns.poison": "The resolver, or something on the path that answered before it, gave an address that does "
    "not belong to the name. Russian operators give one constant address, that of a block page (NDSS20).",
    "dns.drop": "The question or its answer was dropped: neither try got a reply.",
    "ip.drop": "The SYN, or the answer to it, was dropped. So it is for every name on that address (CP22).",
    "ip.rst": "The connection attempt was reset: nothing listens there, or a filter forged the reset.",
    "ip.icmp": "A router on the way answered that the host cannot be reached or that this is not allowed.",
    "tls.sni.rst": "The connection opened, and was reset once the ClientHello had shown the name: by "
    "an operator's forged packets, or by the TSPU turning server packets into RST/ACK (SNI-I, CP22).",
    "tls.sni.drop": "The connection opened, and nothing came back once the ClientHello had shown the name: "
    "the TSPU drops the flow at once (SNI-IV) or after 5-8 more packets (SNI-II, CP22).",
    "tls.mitm": "A host other than the site answered the TLS handshake, with another certificate.",
    "http.rst": "The connection was reset when the request, in clear, had shown the name or the path.",
    "http.drop": "The request was sent; then nothing more came, or nothing more after the beginning.",
    "http.page": "Another page came than outside, or a redirect to one: an operator's block page.",
    "quic.drop": "QUIC datagrams got no reply. QUIC has no reset that a filter could forge.",
    "throttle": "It works, or begins to, at less than 30 % of the speed seen outside: a policer drops what "
    "is over its rate (130-150 kbit/s in 2021, IMC21), or passes a trickle (SNI-III, OONI22).",
    "broken": "It fails from outside as well: no censorship.",
}


def explain(label: str) -> str:
    """One or two sentences about a label; the label itself if it is none of ours."""
    return EXPLANATIONS.get(label, label)
