"""How a match key, an event, a handover and a timer read."""

from collections.abc import Mapping
from typing import Any, Final

_EFFECTS: Final = {
    "drop": "dropped",
    "replace": "rewritten",
    "inject": "forged",
    "delay": "held for a while",
    "policed_drop": "dropped beyond the rate",
    "flow_drop": "dropped by the kernel",
}
_FIELDS: Final = {
    "tls.sni": "the server name in the ClientHello",
    "tls.certificate": "a name in the server's certificate",
    "http.host": "the Host of the HTTP request",
    "http.url": "the URL of the HTTP request",
    "dns.qname": "the name in the DNS query",
    "quic.sni": "the server name in the decrypted QUIC Initial",
    "ip": "the far address",
    "ports": "the far port",
    "transport": "the transport",
}


def seconds(value: float) -> str:
    """0.4 -> "0.4 s", 600 -> "10 min"."""
    if value >= 7200 and value % 3600 == 0:
        return f"{value / 3600:g} h"
    if value >= 120 and value % 60 == 0:
        return f"{value / 60:g} min"
    return f"{value:.4g} s"


def bits(value: float) -> str:
    """140000 -> "140 kbit/s"."""
    for unit, size in (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)):
        if value >= size:
            return f"{value / size:.4g} {unit}"
    return f"{value:g} bit/s"


def looked_at(detail: Mapping[str, Any]) -> str:
    """What the box had seen when a rule matched, in a sentence; "" if the event does not say."""
    parts = []
    if name := detail.get("name"):
        parts.append(f"reads the name {name}")
    size, place = detail.get("bytes"), detail.get("place")
    if size and place is None:
        parts.append(f"in a datagram of {size} bytes")
    elif size:
        parts.append(f"in bytes {place} to {place + size - 1} of the client's stream")
    elif place is not None:
        parts.append("in a packet without data")
    read = []
    if model := detail.get("model"):
        read.append(f"model {model}")
    if (held := detail.get("buffered")) is not None:
        read.append(f"{held} bytes buffered")
    if (budget := detail.get("budget")) is not None:
        read.append(f"{budget} more packets in its budget")
    words = " ".join(parts)
    return words + (f" ({', '.join(read)})" if read else "")


def matched_by(detail: Mapping[str, Any], match: Mapping[str, Any]) -> str:
    """Which fields decided, with what the rule looks for there."""
    if detail.get("spread"):
        return "another flow to the same server, which the rule took before"
    fields = detail.get("fields") or list(match)
    return " and ".join(f"{one}: {wanted(match.get(one))}" for one in fields) or "every packet"


def wanted(value: Any) -> str:
    """The value of a match key, short."""
    match value:
        case list():
            shown = ", ".join(map(str, value[:4]))
            return shown + (f", … ({len(value)} in all)" if len(value) > 4 else "")
        case {"count": count, **rest}:
            return f"a list of {count:,}" + (f" ({rest['source']})" if "source" in rest else "")
        case dict():
            return ", ".join(
                f"{key} {_short(each)}" for key, each in value.items() if each not in (None, False)
            )
        case None:
            return "as the rule says"
    return str(value)


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def field_named(key: str) -> str:
    """A match key in words; the key itself if it is somebody's own."""
    return _FIELDS.get(key, key)


def does(detail: Mapping[str, Any]) -> list[str]:
    """What became of the packet, what was forged, what the kernel was given: a clause each."""
    found = []
    forged = detail.get("forged", 0)
    if forged:
        found.append(f"forges {forged} packet{'s' * (forged != 1)}")
    verdict = detail.get("verdict")
    if verdict == "replace":
        found.append("rewrites this packet")
    elif verdict == "drop":
        found.append("drops this packet")
    elif "late" in detail:
        found.append(f"holds this packet for {seconds(detail['late'])}")
    elif verdict == "pass":
        found.append("lets this packet pass")
    for kind, limits in (detail.get("handover") or {}).items():
        found.append(handed_over(kind, limits))
    return found


def handed_over(kind: str, limits: Mapping[str, Any]) -> str:
    """A handover in words, with its limit."""
    if kind == "police":
        whose = "all flows of the host" if limits.get("per") == "host" else "the flow"
        way = {"up": ", upwards", "down": ", downwards"}.get(str(limits.get("direction")), ", each way")
        size = f"{bits(limits['rate'])} with a burst of {limits['burst']:,} bytes"
        return f"hands {whose} to the kernel, which drops what exceeds {size}{way}"
    refresh = ", counted from the last packet" if limits.get("refresh") else ""
    return f"hands the flow to the kernel, which drops it both ways for {seconds(limits['timeout'])}{refresh}"


def timer(detail: Mapping[str, Any]) -> str:
    """How long the rule holds the flow; "" if it does not."""
    if not detail.get("holds"):
        return ""
    again = "; each packet starts the time again" if detail.get("refreshes") else ""
    return f"the rule holds the flow for {seconds(float(detail['holds']))}{again}"


def counted(acts: Mapping[str, int], kernel: Mapping[str, int]) -> str:
    """What the kernel counted for a rule in this flow, whose packets, and with which effects."""
    effects = [words for key, words in _EFFECTS.items() if kernel.get(key)]
    ways = [
        f"{acts[way]} from {whose}"
        for way, whose in (("up", "the client"), ("down", "the server"))
        if acts.get(way)
    ]
    number = acts.get("kernel", 0)
    if not number:
        return "the kernel counted no packet that was changed"
    what = f"{number} packet{'s' * (number != 1)} {' or '.join(effects) if effects else 'changed'}"
    return f"the kernel counted {what}" + (f"; acted on: {', '.join(ways)}" if ways else "")
