"""Who decides when several rules could: one that holds a flow, one that exempts and is still undecided."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from scapy.layers.inet import IP, TCP
from scapy.packet import Raw

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.rst import InjectRst
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.match import Match
from testbed.censor.models import MODELS
from testbed.censor.policy import Policy, Rule
from testbed.censor.profiles import PROFILES
from testbed.censor.units import Seconds
from tests.censor.line import INSIDE, OUTSIDE, Line, hello, names, opened, policy, sni
from tests.censor.match.test_keys import Word

NETWORK = (ip_network("104.244.42.0/24"),)


@pytest.mark.parametrize("above", [InjectRst(), Allow()])
def test_a_held_flow_is_its_rules_alone(above) -> None:
    """Only an action that keeps inspecting (freeze) leaves the flow to a content rule above it."""
    rules = (
        Rule("above", Match(tls_sni=names("x.com")), above),
        Rule("held", Match(ip=NETWORK), SilentDrop()),
    )
    line = Line(Policy("box", PROFILES["t23"], rules), kernel=False)
    assert line.L("S").silent
    found = line.L(payload=hello())
    assert found.silent
    assert (found.decision.rule, found.fired) == (1, False)


@pytest.mark.parametrize("model", [key for key, model in MODELS.items() if model.view in ("packet", "flow")])
def test_segments_are_put_together_to_exempt_and_not_to_block(model: str) -> None:
    rules = (
        Rule("allow", Match(tls_sni=names("free.com")), Allow()),
        Rule("drop", Match(tls_sni=names("x.com")), SilentDrop()),
    )
    profile = replace(PROFILES["t25"], models=replace(PROFILES["t25"].models, value=((model, 1.0),)))
    line = opened(Policy("box", profile, rules))
    whole = hello(pad=300)
    assert line.L(payload=whole[:200]).untouched
    assert line.L(payload=whole[200:]).untouched


@pytest.mark.parametrize(("network", "fires"), [("1.2.3.0/24", True), ("104.244.42.0/24", False)])
@pytest.mark.parametrize("profile", ["t22", "t25"])
def test_rules_wait_for_an_exemption_of_this_address_only(profile: str, network: str, fires: bool) -> None:
    exempt = Match(tls_sni=names("forbidden.com"), ip=(ip_network(network),))
    word = Rule("word", Match([(Word(), "forbidden")]), SilentDrop())
    line = opened(Policy("box", PROFILES[profile], (Rule("allow", exempt, Allow()), word)))
    assert line.L(payload=hello("forbidden.com", pad=600)[:300]).fired is fires


@pytest.mark.parametrize("profile", ["t22", "t25"])
def test_rules_do_not_wait_for_one_that_blocks(profile: str) -> None:
    rules = (
        Rule("name", Match(tls_sni=names("forbidden.com")), SilentDrop()),
        Rule("word", Match([(Word(), "forbidden")]), SilentDrop()),
    )
    found = opened(Policy("box", PROFILES[profile], rules)).L(payload=hello("forbidden.com", pad=600)[:300])
    assert (found.fired, found.decision.rule) == (True, 1)


@pytest.mark.parametrize("kernel", [True, False])
def test_a_hold_ends_when_its_time_is_over(kernel: bool) -> None:
    line = opened(sni(SilentDrop(residual=Seconds(40))), kernel=kernel)
    line.L(payload=hello())
    line.now = 39.9
    assert line.R(payload=b"x").silent
    line.now = 40.0
    assert line.R(payload=b"x").arrived is not None


@pytest.mark.parametrize(("profile", "silent"), [("outage", True), ("t22", False)])
def test_what_the_outside_sends_counts_in_an_outage_alone(profile: str, silent: bool) -> None:
    line = Line(policy(Match(ip=NETWORK), SilentDrop(), profile), udp=True)
    assert line.R(payload=b"x").silent is silent


@pytest.mark.parametrize(("miss", "drawn"), [({}, False), ({"drop": 0.5}, True)])
def test_whether_the_seed_has_had_a_say(miss: dict[str, float], drawn: bool) -> None:
    line = opened(sni(SilentDrop(), **miss))
    line.L(payload=hello())
    assert line.censor.drawn is drawn


def test_other_rules_count_from_the_next_packet_on() -> None:
    line = opened(sni(SilentDrop(), "x.com"))
    line.censor.reload(sni(SilentDrop(), "y.com"))
    assert line.L(payload=hello("x.com")).untouched
    line.new_port()
    line.handshake()
    assert line.L(payload=hello("y.com")).silent


def test_a_clienthello_in_the_first_fragment_is_not_looked_into() -> None:
    for profile in ("t22", "t25", "leg-active"):
        line = opened(sni(SilentDrop(), profile=profile))
        ends = TCP(sport=line.sport, dport=443, flags="PA", seq=line.seq["L"], ack=line.seq["R"])
        data = hello() + bytes(-(20 + len(hello())) % 8)
        first = IP(src=INSIDE[4], dst=OUTSIDE[4], flags="MF", id=7) / ends / Raw(data)
        rest = IP(src=INSIDE[4], dst=OUTSIDE[4], id=7, frag=(20 + len(data)) // 8, proto=6) / Raw(bytes(40))
        assert not any(line.send(one).fired for one in (first, rest)), profile
