"""Agreement of a box's flow table with its kernel, and several boxes at one hop."""

from testbed.conformance.backend import Box
from testbed.conformance.builders import action, sni
from testbed.conformance.case import Dialogue, case
from testbed.conformance.cases.common import data, dialogue, no_rule_acts
from testbed.conformance.exchange import Observation
from testbed.conformance.payloads import SERVER_HELLO, hello
from testbed.conformance.series import Series
from testbed.conformance.steps import OPENED, OPENED_BY_R, L, R, wait


@case(
    "C118",
    "t22",
    "CP22 Fig. 7; IMC22 Table 2, from memory",
    "M",
    "R opens a connection; after 70 idle s L sends the ClientHello of X",
    "passes: the flow stays R's for 480 s once both ends have sent packets",
)
def _case_memory_of_an_outside_opener(profile: str) -> Dialogue:
    return dialogue(
        sni(profile, action("rst-rewrite")),
        *OPENED_BY_R,
        wait(70),
        L(hello()).passes,
        R(SERVER_HELLO).passes,
        no_rule_acts(),
        scale=50,
    )


@case(
    "C119",
    "t22",
    "IMC22q p.7 (420 s); that it runs from the first dropped packet is our choice",
    "L",
    "SNI-II hit; the first dropped packet 100 s later; data 330 s and 430 s after that",
    "dropped; free",
)
def _case_residual_from_the_first_drop(profile: str) -> Dialogue:
    return dialogue(
        sni(profile, action("grace-drop", packets=(5, 5))),
        *OPENED,
        L(hello()).passes,
        Series("LR", 5, 100),
        wait(100),
        data().is_dropped,
        wait(330),
        data("R").is_dropped,
        data().is_dropped,
        wait(100),
        data().passes,
        data("R").passes,
        scale=100,
    )


def _dropped_and_reset(it: Observation) -> bool:
    return not it.delivered and [heard.is_reset for heard in it.at_sender] == [True]


@case(
    "C120",
    "t22",
    "OONI22 (resets beside drops at one operator); the order is our choice",
    "L",
    "An operator's on-path box and an in-path TSPU at one hop, both for X, in either order",
    "the first sees what the second drops, but not vice versa",
)
def _case_two_boxes_at_one_hop(profile: str) -> tuple[Dialogue, ...]:
    mirror, path = Box(sni("leg-passive", action("rst"))), Box(sni(profile, action("drop")))
    steps = (
        *OPENED,
        L(hello()).results_in("dropped, and RST to L", _dropped_and_reset),
        data("R").is_dropped,
    )
    return (
        Dialogue((mirror, path), steps, "mirror first"),
        Dialogue((path, mirror), (*OPENED, L(hello()).is_dropped, data("R").is_dropped), "path first"),
    )
