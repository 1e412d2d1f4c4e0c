"""Rules that take all that a later one looks for."""

from testbed.censor.names import NameList
from testbed.censor.policy import Match, Network, QuicForm

SMALL = 2000  # patterns up to which shadowing is looked at name by name; longer lists only as a whole


def shadows(earlier: Match, later: Match) -> bool:
    """Whether everything that `later` matches is matched by `earlier` already."""
    if earlier.flipped != later.flipped:
        return False  # a flow's roles are turned round or they are not: such rules back each other up
    if earlier.data and not (later.data or later.by_content):
        return False
    return _content_covers(earlier, later) and _address_covers(earlier, later)


def _content_covers(earlier: Match, later: Match) -> bool:
    for key in ("tls_sni", "http_host", "dns_qname", "quic_sni"):
        first, second = getattr(earlier, key), getattr(later, key)
        if first is not None and (second is None or not _covers(first, second)):
            return False
    for key in ("protocol", "ja4"):
        wanted, there = getattr(earlier, key), getattr(later, key)
        if wanted and not (there and set(there) <= set(wanted)):
            return False
    if earlier.ech is not None and later.ech is not earlier.ech:
        return False
    return earlier.quic is None or (later.quic is not None and _quic_covers(earlier.quic, later.quic))


def _address_covers(earlier: Match, later: Match) -> bool:
    if earlier.ip and not (later.ip and all(_inside(network, earlier.ip) for network in later.ip)):
        return False
    if earlier.ports and not (later.ports and set(later.ports) <= set(earlier.ports)):
        return False
    return earlier.transport in (None, later.transport)


def _quic_covers(first: QuicForm, second: QuicForm) -> bool:
    return first.version == second.version and first.min_payload <= second.min_payload


def _covers(first: NameList, second: NameList) -> bool:
    patterns = frozenset(first.patterns)
    if not second.patterns:
        return False  # a list that could not be read
    if patterns.issuperset(second.patterns):
        return True
    if len(first.patterns) > SMALL or len(second.patterns) > SMALL:
        return False
    return all(any(_pattern_covers(a.lower(), b.lower()) for a in patterns) for b in second.patterns)


def _pattern_covers(a: str, b: str) -> bool:
    """Whether every name that `b` matches is matched by `a`."""
    text = b.strip("*")
    if a.startswith("*") and a.endswith("*"):
        return a.strip("*") in text
    if a.startswith("*"):
        return not (b.startswith("*") and b.endswith("*")) and text.endswith(a[1:])
    return a == b


def _inside(network: Network, others: tuple[Network, ...]) -> bool:
    return any(network.version == other.version and network.subnet_of(other) for other in others)  # type: ignore[arg-type]
