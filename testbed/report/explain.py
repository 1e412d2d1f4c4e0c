"""What each label means. Source keys are those of docs/sources.md."""

from typing import Final

EXPLANATIONS: Final[dict[str, str]] = {
    "ok": "Every step went as it does from outside.",
    "dns.nxdomain": "The resolver answered that there is no such name, although it resolves outside. "
    "Operators' own resolvers do this; another resolver gives the true answer.",
    "dns.poison": "The resolver, or something on the path that answered before it, gave an address that does "
    "not belong to the name. Russian operators give one constant address, that of a block page (NDSS20).",
    "dns.error": "The resolver answered that it cannot or will not say, or that there is no such address, "
    "although there is one outside.",
    "dns.drop": "The question or its answer was dropped: neither try got a reply.",
    "dns.rst": "The connection to the resolver (DNS over TCP) was reset or closed before the answer.",
    "ip.drop": "The SYN, or the answer to it, was dropped. So it is for every name on that address (CP22).",
    "ip.rst": "The connection attempt was reset: nothing listens there, or a filter forged the reset.",
    "ip.fin": "The connection opened and was closed without an answer.",
    "ip.icmp": "A router on the way answered that the host cannot be reached or that this is not allowed.",
    "tls.sni.rst": "The connection opened, and was reset once the ClientHello had shown the name: by "
    "an operator's forged packets, or by the TSPU turning server packets into RST/ACK (SNI-I, CP22).",
    "tls.sni.fin": "The connection opened, and was closed by a FIN once the ClientHello had shown the name: "
    "some operators' boxes forge one instead of a reset (OONI22).",
    "tls.sni.drop": "The connection opened, and nothing came back once the ClientHello had shown the name: "
    "the TSPU drops the flow at once (SNI-IV) or after 5-8 more packets (SNI-II, CP22).",
    "tls.mitm": "A host other than the site answered the TLS handshake, with another certificate.",
    "http.rst": "The connection was reset when the request, in clear, had shown the name or the path.",
    "http.fin": "The connection was closed when the request, in clear, had shown the name or the path.",
    "http.drop": "The request was sent, in clear; then nothing more came.",
    "http.page": "Another page came than outside, or a redirect to one: an operator's block page.",
    "quic.drop": "QUIC datagrams got no reply. QUIC has no reset that a filter could forge.",
    "quic.sni.drop": "The same, by the name in the Initial, which a box can decrypt. One measurement cannot "
    "tell it from a block of all QUIC: other names over QUIC work.",
    "throttle": "It works, or begins to, at less than 30 % of the speed seen outside: a policer drops what "
    "is over its rate (130-150 kbit/s in 2021, IMC21), or passes a trickle (SNI-III, OONI22).",
    "freeze": "The answer began and then stopped, without a reset: packets of the flow are dropped from some "
    "point on, in 2025 after some 16 KB from foreign hosting networks (CF25, N4P#490).",
    "conncount": "Single connections work; of several at once to one server some get no answer. One "
    "measurement shows silence; how many of many tries do, shows the limit.",
    "vpn.drop": "A tunnel's handshake or its data got no answer: the TSPU recognizes the protocol, "
    "not the host.",
    "outage": "Nothing answered here, nor did the controls, while it works from elsewhere: the operator's "
    "own network is out, at least in part. No censorship.",
    "portal": "Somebody on the path answered instead of the site, and instead of every control, too: the "
    "access network wants its visitors to log in first. No censorship.",
    "refused": "Another page came than outside, over TLS with the site's own certificate. Nobody on the path "
    "can do that: the server refuses visitors from here, as many do since 2022 (USX23). The same if it "
    "serves everybody but the outside. No censorship.",
    "broken": "It fails from outside as well: no censorship.",
}


def explain(label: str) -> str:
    """One or two sentences about a label; the label itself if it is none of ours."""
    return EXPLANATIONS.get(label, label)
