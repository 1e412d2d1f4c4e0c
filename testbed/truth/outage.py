"""An outage of the operator's own network, distinguished from a block by what should work in any case.

A block chooses: the scenario's controls work while it lasts. An outage takes whatever comes, so that controls
get no answer either, while they work from outside (a site that is down for everybody fails there as well).
"""

from collections.abc import Iterable
from typing import Final

SILENT: Final = frozenset(
    {"dns.drop", "ip.drop", "ip.icmp", "tls.sni.drop", "http.drop", "freeze", "quic.drop", "vpn.drop"}
)
"""Labels of a measurement that an outage may have caused: nothing came, or nothing more."""


OTHERS_ANSWER: Final = frozenset({"http.page", "tls.mitm"})
"""Labels of an answer that is somebody else's. If that befalls every control, it is a portal's."""


def silent_share(labels: Iterable[str]) -> float:
    """The share of a vantage's controls that got no answer, by their labels; 0 without controls."""
    given = list(labels)
    return sum(label in SILENT for label in given) / len(given) if given else 0.0
