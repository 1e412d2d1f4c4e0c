"""What was seen, in words."""

from collections.abc import Sequence
from itertools import groupby

from testbed.conformance.packets import ICMP, TCP, UDP, Heard, letters
from testbed.conformance.payloads import addresses
from testbed.conformance.talk import Seen

_RCODES = {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}


def outcome(seen: Seen) -> str:
    """What became of one packet."""
    if seen.untouched:
        return "passed" if seen.due else "ended on the way (TTL)"
    if seen.silent:
        return "lost"
    if seen.as_reset:
        return f"arrived as RST/ACK, TTL {seen.there[0].ttl}, its own sequence number and IP-ID"
    parts = ["arrived" if seen.delivered else "did not arrive"]
    if seen.made_there:
        parts.append(f"the other end got {_several(seen.made_there)}")
    if seen.here:
        parts.append(f"its sender got {_several(seen.here)}")
    return ", ".join(parts)


def _several(heard: Sequence[Heard]) -> str:
    return " and ".join(packet(one) for one in heard[:3]) + (" …" if len(heard) > 3 else "")


def packet(heard: Heard) -> str:
    """A packet's form, in short."""
    if heard.protocol == TCP:
        status = heard.payload[:12].decode("latin-1") if heard.payload.startswith(b"HTTP/1.") else ""
        what = status.replace("HTTP/1.1", "HTTP") or letters(heard.flags)
        return f"{what} (TTL {heard.ttl}, IP-ID {heard.ip_id})"
    if heard.protocol == UDP and heard.sport == 53:
        rcode, found = addresses(heard.payload)
        return f"DNS {', '.join(found) or _RCODES.get(rcode, str(rcode))}"
    return "ICMP" if heard.protocol == ICMP else f"a packet of protocol {heard.protocol}"


def told(sentences: Sequence[str]) -> str:
    """Sentences in a row; equal neighbours once, with their number."""
    runs = [(sentence, len(list(group))) for sentence, group in groupby(sentences)]
    return "; ".join(f"{sentence} ({number} times)" if number > 1 else sentence for sentence, number in runs)
