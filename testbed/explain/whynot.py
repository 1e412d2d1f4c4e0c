"""Why a censor left a flow alone, rule by rule, from the rules as the run had them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from testbed.censor.names import NameMatcher
from testbed.explain.phrases import field_named, wanted

_NAMED = {"tls.sni": "tls", "http.host": "http", "dns.qname": "dns", "quic.sni": "quic"}


@dataclass(frozen=True, slots=True)
class AskedFor:
    """What is known of a flow: how it came, where to, and the name in it."""

    transport: str  # tcp, udp
    address: str
    port: int
    name: str = ""
    protocol: str = ""  # tls, http, dns, quic; "" if it is not known


def left_alone(rules: list[Mapping[str, Any]], flow: AskedFor) -> Iterator[str]:
    """For each rule the first part of its match that the flow does not fulfil, as a sentence."""
    for rule in rules:
        match = rule.get("match", {})
        reasons = (_fails(key, value, flow) for key, value in match.items())
        reason = next((one for one in reasons if one), "")
        yield f"{rule['name']}: " + (
            reason or f"it looks for {_all(match)}, which it did not see in this flow"
        )


def _all(match: Mapping[str, Any]) -> str:
    return " and ".join(f"{key}: {wanted(value)}" for key, value in match.items()) or "every packet"


def _fails(key: str, value: Any, flow: AskedFor) -> str:
    """Why a match key does not hold; "" if it does, or that is not known."""
    if key in _NAMED:
        return _by_name(key, value, flow)
    if key == "ip" and isinstance(value, list):
        fits = any(ip_address(flow.address) in ip_network(one, strict=False) for one in value)
        return "" if fits else f"{flow.address} is none of its addresses ({wanted(value)})"
    if key == "transport" and value in ("tcp", "udp") and value != flow.transport:
        return f"it is about {value}, and this is {flow.transport}"
    if key == "quic" and flow.transport != "udp":
        return "it is about QUIC, and this is TCP"
    if key == "ports" and isinstance(value, list) and value and all(isinstance(one, int) for one in value):
        return "" if flow.port in value else f"it looks at port {wanted(value)}, and this is {flow.port}"
    return ""


def _by_name(key: str, value: Any, flow: AskedFor) -> str:
    protocol = _NAMED[key]
    if flow.protocol and protocol != flow.protocol:
        return f"it reads {field_named(key)}, and this flow is {flow.protocol.upper()}"
    if not flow.name:
        return ""
    if isinstance(value, list):
        if flow.name in NameMatcher(value):
            return ""
        return f"{flow.name} is none of its names ({wanted(value)})"
    return f"{flow.name} did not match {wanted(value)}"
