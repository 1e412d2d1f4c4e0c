"""The canonical labels of outcomes: one table, from which every list and explanation of labels derives.

Source keys are those of docs/sources.md.
"""

from dataclasses import dataclass
from typing import Final, Literal

LabelLayer = Literal["none", "dns", "ip", "tls", "http", "quic", "volume", "protocol"]


@dataclass(frozen=True, slots=True)
class LabelEntry:
    """One label. A new one needs its case in `testbed.truth.classify`, and its words in detectors' tables."""

    meaning: str  # in a line
    explanation: str  # in one to three sentences
    layer: LabelLayer = "none"
    caused: bool = True  # by a rule; else nobody's block
    silent: bool = False  # of a measurement: nothing came, or nothing more; an outage may do that, too
    others_answer: bool = False  # of a measurement: somebody else answered, as a portal does
    seen_as: tuple[str, ...] = ()  # of a cause that one measurement does not show: what it shows instead


TABLE: Final[dict[str, LabelEntry]] = {
    "ok": LabelEntry(
        "works, as it does from outside",
        "Every step went as it does from outside.",
        caused=False,
    ),
    "dns.nxdomain": LabelEntry(
        "the resolver says the name does not exist; outside it does",
        "The resolver answered that there is no such name, although it resolves outside. "
        "Operators' own resolvers do this; another resolver gives the true answer.",
        layer="dns",
    ),
    "dns.error": LabelEntry(
        "the resolver refuses, fails, or has no such address; outside there is one",
        "The resolver answered that it cannot or will not say, or that there is no such address, "
        "although there is one outside.",
        layer="dns",
    ),
    "dns.poison": LabelEntry(
        "the resolver gives an address that the name does not have outside",
        "The resolver, or something on the path that answered before it, gave an address that "
        "does not belong to the name. Russian operators give one constant address, that of a "
        "block page (NDSS20).",
        layer="dns",
    ),
    "dns.drop": LabelEntry(
        "no answer from the resolver",
        "The question or its answer was dropped: neither try got a reply.",
        layer="dns",
        silent=True,
    ),
    "dns.rst": LabelEntry(
        "the connection to the resolver is reset or closed",
        "The connection to the resolver (DNS over TCP) was reset or closed before the answer.",
        layer="dns",
    ),
    "ip.drop": LabelEntry(
        "no answer to the SYN, or none later on a connection without TLS and HTTP",
        "The SYN, or the answer to it, was dropped. So it is for every name on that address (CP22).",
        layer="ip",
        silent=True,
    ),
    "ip.rst": LabelEntry(
        "the SYN is refused, or a connection without TLS and HTTP is reset",
        "The connection attempt was reset: nothing listens there, or a filter forged the reset.",
        layer="ip",
    ),
    "ip.fin": LabelEntry(
        "a connection without TLS and HTTP is closed",
        "The connection opened and was closed without an answer.",
        layer="ip",
    ),
    "ip.icmp": LabelEntry(
        "the SYN is answered by an ICMP error",
        "A router on the way answered that the host cannot be reached or that this is not allowed.",
        layer="ip",
        silent=True,
    ),
    "tls.sni.rst": LabelEntry(
        "reset after the ClientHello",
        "The connection opened, and was reset once the ClientHello had shown the name: by an "
        "operator's forged packets, or by the TSPU turning server packets into RST/ACK (SNI-I, "
        "CP22).",
        layer="tls",
    ),
    "tls.sni.fin": LabelEntry(
        "closed after the ClientHello",
        "The connection opened, and was closed by a FIN once the ClientHello had shown the name: "
        "some operators' boxes forge one instead of a reset (OONI22).",
        layer="tls",
    ),
    "tls.sni.drop": LabelEntry(
        "no answer to the ClientHello",
        "The connection opened, and nothing came back once the ClientHello had shown the name: "
        "the TSPU drops the flow at once (SNI-IV) or after 5-8 more packets (SNI-II, CP22).",
        layer="tls",
        silent=True,
    ),
    "tls.mitm": LabelEntry(
        "another certificate than the site's",
        "A host other than the site answered the TLS handshake, with another certificate.",
        layer="tls",
        others_answer=True,
    ),
    "http.rst": LabelEntry(
        "reset after the HTTP request",
        "The connection was reset when the request, in clear, had shown the name or the path.",
        layer="http",
    ),
    "http.fin": LabelEntry(
        "closed after the HTTP request",
        "The connection was closed when the request, in clear, had shown the name or the path.",
        layer="http",
    ),
    "http.drop": LabelEntry(
        "no answer to the HTTP request",
        "The request was sent, in clear; then nothing more came.",
        layer="http",
        silent=True,
    ),
    "http.page": LabelEntry(
        "a block page or a redirect to one",
        "Another page came than outside, or a redirect to one: an operator's block page.",
        layer="http",
        others_answer=True,
    ),
    "quic.drop": LabelEntry(
        "no answer to QUIC Initials, or none later",
        "QUIC datagrams got no reply. QUIC has no reset that a filter could forge.",
        layer="quic",
        silent=True,
    ),
    "quic.sni.drop": LabelEntry(
        "the same, because of the name in the Initial",
        "The same, by the name in the Initial, which a box can decrypt. One measurement cannot "
        "tell it from a block of all QUIC: other names over QUIC work.",
        layer="quic",
        seen_as=("quic.drop",),
    ),
    "throttle": LabelEntry(
        "works, or begins to, at a small part of the speed seen outside",
        "It works, or begins to, at less than 30 % of the speed seen outside: a policer drops "
        "what is over its rate (130-150 kbit/s in 2021, IMC21), or passes a trickle (SNI-III, "
        "OONI22).",
        layer="volume",
    ),
    "freeze": LabelEntry(
        "the answer begins, then nothing more comes",
        "The answer began and then stopped, without a reset: packets of the flow are dropped from "
        "some point on, in 2025 after some 16 KB from foreign hosting networks (CF25, N4P#490).",
        layer="volume",
        silent=True,
    ),
    "conncount": LabelEntry(
        "one connection works, several at once do not",
        "Single connections work; of several at once to one server some get no answer. One "
        "measurement shows silence; how many of many tries do, shows the limit.",
        layer="volume",
        seen_as=("ip.drop", "tls.sni.drop", "http.drop", "freeze", "quic.drop"),
    ),
    "vpn.drop": LabelEntry(
        "a tunnel's protocol gets no answer, or none later",
        "A tunnel's handshake or its data got no answer: the TSPU recognizes the protocol, not the host.",
        layer="protocol",
        silent=True,
        seen_as=("ip.drop", "ip.rst"),
    ),
    "outage": LabelEntry(
        "no answer here, nor from the controls: the operator's own network is out",
        "Nothing answered here, nor did the controls, while it works from elsewhere: the "
        "operator's own network is out, at least in part. No censorship.",
        layer="ip",
        caused=False,
    ),
    "portal": LabelEntry(
        "the access network answers itself, for the controls too: one must log in first",
        "Somebody on the path answered instead of the site, and instead of every control, too: "
        "the access network wants its visitors to log in first. No censorship.",
        seen_as=("http.page", "tls.mitm"),
    ),
    "refused": LabelEntry(
        "the server itself turns this vantage away: another page than elsewhere, or from outside none",
        "Another page came than outside, over TLS with the site's own certificate. Nobody on the "
        "path can do that: the server refuses visitors from here, as many do since 2022 (USX23). "
        "The same if it serves everybody but the outside. No censorship.",
        caused=False,
    ),
    "broken": LabelEntry(
        "fails outside as well: not censorship",
        "It fails from outside as well: no censorship.",
        caused=False,
    ),
}

LABELS: Final[dict[str, str]] = {label: entry.meaning for label, entry in TABLE.items()}

CAUSELESS: Final = tuple(label for label, entry in TABLE.items() if not entry.caused)
"""Labels that no rule causes."""

SEEN_AS: Final = {label: entry.seen_as for label, entry in TABLE.items() if entry.seen_as}
"""Labels of a cause that one measurement alone does not show: what it shows instead.

A scenario may expect the cause; the rule that it names in `by` must have acted on the measurement's flows.
"""

SILENT_LABELS: Final = frozenset(label for label, entry in TABLE.items() if entry.silent)
"""Labels of a measurement that an outage may have caused: nothing came, or nothing more."""

OTHERS_ANSWER: Final = frozenset(label for label, entry in TABLE.items() if entry.others_answer)
"""Labels of an answer that is somebody else's. If that befalls every control, it is a portal's."""


def layer_of(label: str) -> LabelLayer:
    """The layer that a label is about; volume for throttle, freeze and conncount, protocol for vpn.drop."""
    entry = TABLE.get(label)
    return entry.layer if entry else "none"


def explain_label(label: str) -> str:
    """What a label means, in one to three sentences; the label itself if it is none of ours."""
    entry = TABLE.get(label)
    return entry.explanation if entry else label
