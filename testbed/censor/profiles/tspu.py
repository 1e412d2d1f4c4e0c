"""TSPU, the state's boxes in the operators' networks, 2021 to 2026. Each era is the last one, changed."""

from dataclasses import replace

from testbed.censor.cited import Cited, carried_over, our_choice
from testbed.censor.fragments import FragmentForm
from testbed.censor.parsers.quic import DEFAULT, LAYOUTS_2022, LAYOUTS_2023
from testbed.censor.profile import Profile, ResetForm

T21 = Profile(
    name="t21",
    title="TSPU, spring 2021: the Twitter policer",
    period="2021-03/2021-05",
    in_path=True,  # IMC21 §6.1: packets vanish
    kind="tspu",
    inside_opens=Cited(value=True, source="IMC21 §6.5", confidence="H"),
    both_directions=Cited(value=True, source="IMC21 §6.2", confidence="H"),
    give_up_over=Cited(100, "IMC21 §6.2 (CP21 says 101 and more: the same)", "H"),
    extra_packets=Cited((3, 15), "IMC21 §6.2 (CP21: 15-20)", "H"),
    tls_ports=our_choice((443,)),
    http_ports=our_choice((80,)),
    quic_ports=our_choice((443,)),
    models=Cited((("T", 1.0),), "IMC21 §6.2", "H"),
    # After 10 idle minutes a ClientHello on the same connection was not throttled.
    picks_up_midway=Cited(value=False, source="IMC21 §6.6", confidence="H"),
    idle_established=Cited(600.0, "IMC21 §6.6", "H"),
    reset=our_choice(ResetForm()),  # TSPU rewrites packets; a reset of its own is not described
    residual={
        "police": Cited(600.0, "IMC21 §6.6: state gone after about 10 min idle", "H"),
        "shape": our_choice(600.0),
    },
)


def _after_2022(time: Cited[float]) -> Cited[float]:
    """A residual time in later eras, which nobody has measured again."""
    return time if time.source == "our choice" else carried_over(time, "2022")


T22W = replace(
    T21,
    name="t22w",
    title="TSPU, 26 February to 4 March 2022: SNI-III",
    period="2022-02-26/2022-03-04",
    inside_opens=Cited(value=True, source="CP22 Fig. 7", confidence="H"),
    both_directions=carried_over(T21.both_directions, "2021"),
    give_up_over=carried_over(T21.give_up_over, "2021"),
    extra_packets=carried_over(T21.extra_packets, "2021"),
    tls_ports=Cited((443,), "CP22 figures label 443; other ports not seen", "M"),
    models=Cited((("T", 1.0),), "CP22; when it gives up: IMC21 §6.2", "M"),
    # The same boxes as a few days later, when their fragments were measured.
    fragments=Cited(FragmentForm(), "CP22 Fig. 8; time-out and duplicates IMC22, from memory", "M"),
    picks_up_midway=Cited(value=True, source="CP22 Fig. 7; ASBI", confidence="M"),
    idle_established=Cited(480.0, "IMC22 Table 2, from memory", "L"),
    residual={
        "police": our_choice(480.0),  # not reported for SNI-III
        "shape": our_choice(480.0),
        "rst-rewrite": Cited(75.0, "IMC22q p.7", "H"),
        "grace-drop": Cited(420.0, "IMC22q p.7", "H"),
        "drop": Cited(40.0, "IMC22q p.7, SNI-IV", "H"),
    },
)

T22 = replace(
    T22W,
    name="t22",
    title="TSPU, March 2022 to mid 2023: SNI-I, SNI-II, SNI-IV, blanket QUIC",
    period="2022-03-04/2023-06",
    quic_ports=Cited((443,), "NTC1823 #10", "H"),
    quic_layouts=Cited(
        LAYOUTS_2022, "NTC1823 #32, #69; that one datagram only is followed is our choice", "M"
    ),
    quic_residual={"drop": Cited(420.0, "IMC22q p.7; restarted by each packet: FOCI26q p.3", "H")},
)

T23 = replace(
    T22,
    name="t23",
    title="TSPU, mid 2023 to mid 2024: QUIC Initials decrypted, VPN handshakes recognised",
    period="2023-06/2024-07",
    inside_opens=carried_over(T22.inside_opens, "2022"),
    tls_ports=our_choice((443,)),  # field reports of 2025-26 speak of any port, which rules can say
    models=carried_over(T22.models, "2021-22"),
    picks_up_midway=carried_over(T22.picks_up_midway, "2022"),
    quic_ports=Cited((443,), "NTC1823 #74", "H"),
    quic_layouts=Cited(LAYOUTS_2023, "NTC1823 #74; that one datagram only is followed is our choice", "M"),
    fragments=carried_over(T22.fragments, "2022"),
    residual={
        **{action: _after_2022(time) for action, time in T22.residual.items()},
        "data-drop": our_choice(420.0),  # as SNI-II, the other delayed drop
    },
)

T24 = replace(
    T23,
    name="t24",
    title="TSPU, July 2024 to mid 2025: YouTube degraded, the ECH rule",
    period="2024-07/2025-06",
    # Later splits already failed on some boxes; on most, two segments were enough (NTC8055 #34-36).
    models=Cited((("T", 0.9), ("R", 0.1)), "ZAP#1408; N4P#308; the shares are our choice", "L"),
    quic_layouts=our_choice(DEFAULT),
    residual={**T23.residual, "loss": our_choice(480.0)},
)

T25 = replace(
    T24,
    name="t25",
    title="TSPU, June 2025 to early 2026: frozen after 16 KB or 25 packets, connections counted",
    period="2025-06/2026-03",
    models=our_choice((("T", 0.75), ("R", 0.25))),  # between t24 and t26
    # Sites on the lists work in browsers, whose ClientHello takes two segments.
    allows_by_stream=our_choice(value=True),
    residual={**T24.residual, "freeze": our_choice(480.0), "connection-limit": Cited(60.0, "N4P#546", "L")},
)

T26 = replace(
    T25,
    name="t26",
    title="TSPU, 2026: fingerprints, some nodes reassemble",
    period="2026-03/",
    # Some nodes reassemble since late May 2026 (N4P threads on FakeTLS), others still miss split hellos; the
    # shares, and that reassembling nodes make no checks, are our choice.
    models=Cited((("T", 0.5), ("R", 0.5)), "N4P threads on FakeTLS; the shares are our choice", "L"),
)

MOB_WL = replace(
    T25,
    name="mob-wl",
    title="mobile operator's allow-list",
    period="2025-09/",
    residual={**T25.residual, "drop": our_choice(480.0)},
)

OUTAGE = replace(
    T21,
    name="outage",
    title="no box at all: connectivity lost, wholly or in part",
    kind="outage",
    period="any",
    inside_opens=our_choice(value=False),  # an outage affects both directions
    picks_up_midway=our_choice(value=True),
)
