"""Boxes of transit operators, which carry many operators' traffic and remember none of it."""

from testbed.censor.cited import Cited, our_choice
from testbed.censor.profile import Profile

TRANSIT = Profile(
    name="transit",
    title="transit operator's stateless box, July 2022: each packet by itself, both directions",
    period="2022-07/",
    in_path=True,
    kind="transit",
    stateless=Cited(value=True, source="NTC1823 #63-68", confidence="M"),
    inside_opens=Cited(value=False, source="NTC1823 #63-68", confidence="M"),
    both_directions=Cited(value=True, source="NTC1823 #63-68", confidence="M"),
    give_up_over=our_choice(100),  # this and the next mean nothing to a box without state
    extra_packets=our_choice((15, 15)),
    tls_ports=our_choice((443,)),
    http_ports=our_choice((80,)),  # NTC1823 #63: redirects of plain HTTP, the port not stated
    quic_ports=Cited((443,), "NTC1823 #63-68", "M"),
    idle_opening=our_choice(60.0),  # of no effect either
    idle_answered=our_choice(105.0),
    idle_established=our_choice(480.0),
    models=our_choice((("P", 1.0),)),
)
