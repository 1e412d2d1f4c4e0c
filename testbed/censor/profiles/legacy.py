"""The operators' own filters, 2012 to today: boxes on a mirror port, boxes in the path, lying resolvers."""

from dataclasses import replace

from testbed.censor.cited import Cited, our_choice
from testbed.censor.profile import Profile

LEG_ACTIVE = Profile(
    name="leg-active",
    title="operator's own DPI, in the path",
    period="2014/",
    in_path=True,
    kind="operator",
    inside_opens=Cited(
        value=False, source="CP-FP: measurements from outside meet pages and resets", confidence="M"
    ),
    both_directions=our_choice(value=False),  # requests and ClientHellos are the client's
    give_up_over=our_choice(100),  # as TSPU's
    extra_packets=our_choice((15, 15)),  # later requests of a kept-alive connection are seen, bulk is not
    tls_ports=our_choice((443,)),
    http_ports=our_choice((80,)),
    quic_ports=our_choice((443,)),
    idle_opening=our_choice(60.0),  # these three as TSPU's
    idle_answered=our_choice(105.0),
    idle_established=our_choice(480.0),
    models=Cited(
        (("T", 1.0),),
        "GDPI; ZAP (a request in two segments passes); the rest of the model is our choice",
        "M",
    ),
    residual={
        "rst": our_choice(0.0),
        "drop": our_choice(60.0),
        "page": our_choice(10.0),
    },
)

LEG_PASSIVE = replace(
    LEG_ACTIVE,
    name="leg-passive",
    title="operator's own DPI, on a mirror port: injects, cannot drop",
    period="2012/",
    in_path=False,  # GDPI: the request itself reaches the server
)

LEG_DNS = replace(
    LEG_PASSIVE,
    name="leg-dns",
    title="operator's resolver or injector answering with a sinkhole",
    inside_opens=Cited(value=True, source="NDSS20", confidence="M"),
)

LEG_MITM = replace(
    LEG_ACTIVE,
    name="leg-mitm",
    title="operator's box that ends TLS itself, with its own certificate",
    period="2012/",
)
