"""TSPU, the state's boxes in the operators' networks, 2021-2022."""

from dataclasses import replace

from testbed.censor.cited import Cited, our_choice
from testbed.censor.profile import Profile

T21 = Profile(
    name="t21",
    title="TSPU, spring 2021: the Twitter policer",
    period="2021-03/2021-05",
    in_path=True,  # IMC21 §6.1: packets vanish
    inside_opens=Cited(value=True, source="IMC21 §6.5", confidence="H"),
    both_directions=Cited(value=True, source="IMC21 §6.2", confidence="H"),
    give_up_over=Cited(100, "IMC21 §6.2 (CP21 says 101 and more: the same)", "H"),
    extra_packets=Cited((3, 15), "IMC21 §6.2 (CP21: 15-20)", "H"),
    tls_ports=Cited((443,), "CP22 figures label 443; other ports not seen", "M"),
    http_ports=our_choice((80,)),
    quic_ports=Cited((443,), "NTC1823 #10", "H"),
    idle_established=Cited(600.0, "IMC21 §6.6", "H"),
    residual={
        "police": Cited(600.0, "IMC21 §6.6: state gone after about 10 min idle", "H"),
        "shape": our_choice(600.0),
    },
)

T22W = replace(
    T21,
    name="t22w",
    title="TSPU, 26 February to 4 March 2022: SNI-III",
    period="2022-02-26/2022-03-04",
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
)
