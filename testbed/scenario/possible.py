"""Matches that can never hold: each reason with its remedy."""

from typing import Final

from testbed.censor.parsers import PROTOCOLS
from testbed.censor.policy import Match
from testbed.scenario.problems import Loc
from testbed.scenario.schema import MatchPart
from testbed.scenario.sources import Sources

_CONTENT: Final = ("tls.sni", "http.host", "dns.qname", "quic", "quic.sni", "protocol")
_HELLO: Final = ("ja4", "ech")  # they narrow a ClientHello, and may stand alone
_DISJOINT: Final = {"tls.sni", "http.host", "dns.qname", "quic.sni"}
_TRANSPORT: Final = {"tls.sni": "tcp", "http.host": "tcp", "quic": "udp", "quic.sni": "udp"}
_ONLY_PORT: Final = {"dns.qname": 53}  # what the far side speaks nowhere else
_NEVER_PORTS: Final = {
    "tls.sni": {53, 80},
    "http.host": {53, 443, 853},
    "quic": {53, 80, 853},
    "quic.sni": {53, 80, 853},
}
_LETTERS: Final = {"tls.sni": "t", "quic.sni": "q"}  # how fingerprints of its ClientHellos begin
_PROTOCOL_LETTERS: Final = {
    "tls": "t",
    "dtls": "d",
    "dtls-groups": "d",
}  # quic: not decrypted
_ALONE: Final = {"tcp": "t", "udp": "q", "": "tq"}
_FINGERPRINT_OF: Final = {"t": "TLS over TCP", "q": "QUIC", "d": "DTLS"}


def check_match(part: MatchPart, match: Match, loc: Loc, at: str, sources: Sources) -> None:
    """Note why a match can never hold."""
    content = [key for key in _CONTENT if getattr(match, key.replace(".", "_"))]
    if not part.model_dump(exclude_none=True, exclude_defaults=True):
        keys = ", ".join((*_CONTENT, *_HELLO, "data", "ip", "ports"))
        sources.add(loc, "the rule looks for nothing", f"give it one of {keys}")
    if len(content) > 1:
        pair = f"both {content[0]} and {content[1]}"
        never = {content[0], content[1]} <= _DISJOINT
        why = f"the rule can never match: no packet shows {pair}" if never else f"a rule cannot have {pair}"
        sources.add(loc, why, "write one rule for each")
    if at == "resolver" and content != ["dns.qname"]:
        sources.add(
            loc, "the rule can never match: a resolver sees DNS queries only", "use dns.qname, or at: hop"
        )
    for key in content:
        _check_carrier(key, match, loc, sources)
    _check_hello(content, match, loc, sources)
    if match.data and match.by_content:
        message = "'data' is for rules by address: content comes in data anyway"
        sources.add((*loc, "data"), message, "leave it out")
    if match.flipped and match.transport == "udp":
        sources.add((*loc, "flipped"), "the rule can never match: UDP has no SYN", "leave it out")


def _check_carrier(key: str, match: Match, loc: Loc, sources: Sources) -> None:
    wanted = _TRANSPORT.get(key)
    if wanted and match.transport and match.transport != wanted:
        message = f"the rule can never match: {key} is not seen over {match.transport}"
        sources.add((*loc, "transport"), message, f"write transport: {wanted}, or leave it out")
    if key == "protocol" and match.transport:
        _check_protocols(match, match.transport, loc, sources)
    if not match.ports:
        return
    port = _ONLY_PORT.get(key)
    if (port and port not in match.ports) or set(match.ports) <= _NEVER_PORTS.get(key, set()):
        ports = ", ".join(map(str, match.ports))
        remedy = (
            f"write ports: [{port}], or leave it out" if port else "leave 'ports' out for the profile's own"
        )
        sources.add((*loc, "ports"), f"the rule can never match: no {key} on port {ports}", remedy)


def _check_protocols(match: Match, transport: str, loc: Loc, sources: Sources) -> None:
    from testbed.censor.parsers.registry import transports  # few rules name a protocol

    for name in PROTOCOLS:
        if name in match.protocol and transport not in transports(name):
            message = f"the rule can never match: {name} is not seen over {transport}"
            remedy = f"write transport: {transports(name)[0]}, or leave it out"
            sources.add((*loc, "transport"), message, remedy)


def _check_hello(content: list[str], match: Match, loc: Loc, sources: Sources) -> None:
    """Fingerprints and ECH: only where a ClientHello is read, and of its kind."""
    alone = _ALONE.get(match.transport or "", "")
    letters = alone if not content else "".join(_LETTERS.get(key, "") for key in content)
    letters += "".join(_PROTOCOL_LETTERS.get(name, "") for name in match.protocol)
    asked = [key for key in _HELLO if getattr(match, key) not in ((), None)]
    if not letters:
        what = ", ".join((*match.protocol, *(key for key in content if key != "protocol")))
        what = what or f"transport: {match.transport}"
        for key in asked:
            message = f"the rule can never match: no ClientHello is read with {what}"
            sources.add((*loc, key), message, "use it alone, or with tls.sni, quic.sni or protocol: dtls")
        return
    for index, fingerprint in enumerate(match.ja4):
        if fingerprint[0] not in letters:
            kind = _FINGERPRINT_OF[fingerprint[0]]
            message = f"the rule can never match: {fingerprint!r} is a fingerprint of {kind}"
            remedy = "add protocol: dtls" if fingerprint[0] == "d" else "write a rule of its own for it"
            sources.add((*loc, "ja4", index), message, remedy)
