"""What a rule did to each flow: noted by decision, counted by the kernel, joined by what left."""

from ipaddress import ip_address

import pytest

from testbed.censor.actions.policer import Policer
from testbed.censor.actions.rst import InjectRst
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.decision import Decision, Direction, Injection, Verdict
from testbed.censor.flow import FlowKey
from testbed.censor.handover import Drop
from testbed.censor.packet import UDP, parse
from testbed.censor.profiles import PROFILES
from testbed.censor.wire import Endpoints, IpForm, udp
from testbed.middlebox import acts as module
from testbed.middlebox.acts import Acts, FlowActs, reversed_key, wire_key
from tests.middlebox.lab import CLIENT, SERVER, ask, with_censor

UP, DOWN = Direction.UP, Direction.DOWN


def ends(family=4, sport=4000, dport=443):
    near, far = (ip_address(one[family]).packed for one in (CLIENT, SERVER))
    return Endpoints(near, far, sport, dport)


def datagram(*where, **form):
    return udp(ends(*where, **form), b"data", IpForm())


def flow_of(raw, direction=UP):
    packet = parse(raw)
    near, far = (packet.source, packet.sport), (packet.destination, packet.dport)
    return FlowKey(*near, *far, UDP) if direction is UP else FlowKey(*far, *near, UDP)


@pytest.mark.parametrize(("family", "length"), [(4, 20), (6, 44)])
def test_a_key_is_what_nft_concatenates(family, length):
    key = wire_key(datagram(family))
    near, far = (ip_address(one[family]).packed for one in (CLIENT, SERVER))
    ports = (4000).to_bytes(2, "big") + b"\0\0", (443).to_bytes(2, "big") + b"\0\0"
    assert key == near + ports[0] + far + ports[1] + bytes([UDP, 0, 0, 0])
    assert len(key) == length
    assert reversed_key(key) == far + ports[1] + near + ports[0] + bytes([UDP, 0, 0, 0])
    assert wire_key(b"\x45" + bytes(5)) == b""


def test_what_the_kernel_counts_belongs_to_the_flow_whose_packets_left_so():
    """A dropped packet, a forged one with another 4-tuple, and the other direction of a handed-over flow."""
    acts, one, other = Acts(1), datagram(), datagram(sport=4001)
    forged = udp(ends(sport=1, dport=2), b"", IpForm())
    flow = flow_of(one)
    acts.note(Decision(Verdict.DROP, inject=(Injection(forged, DOWN),), rule=0, flow=flow), one)
    acts.note(Decision(Verdict.DROP, handover=Drop(1.0), rule=0, flow=flow), one)
    counted = {wire_key(one): 2, wire_key(forged): 1, reversed_key(wire_key(one)): 7, wire_key(other): 40}
    assert acts.joined([counted]) == [{str(flow): FlowActs(claimed=2, kernel=10, up=2, down=7)}]


def test_flows_beyond_the_limit_are_counted(monkeypatch):
    monkeypatch.setattr(module, "MOST_FLOWS", 1)
    acts = Acts(1)
    for sport in (4000, 4001, 4000):
        raw = datagram(sport=sport)
        acts.note(Decision(Verdict.DROP, rule=0, flow=flow_of(raw)), raw)
    assert (acts.unjoined, acts.joined([{}])) == (1, [{str(flow_of(datagram())): FlowActs(2, 0, up=2)}])


PROFILE = PROFILES["t22"]
ACTIONS = (SilentDrop(scope="packet"), InjectRst(), SilentDrop(), Policer(rate=8.0, burst=400))


@pytest.mark.world
@pytest.mark.parametrize("family", [4, 6])
def test_the_kernel_counts_each_flow_for_its_rule(family):
    """Four client ports, four rules: a drop, a forged packet, a handed-over drop, a policer; and no rule."""

    def decide(raw, direction, _now):
        packet = parse(raw)
        if packet.protocol != UDP:
            return Decision()
        rule = (packet.sport if direction is UP else packet.dport) - 4000
        flow = flow_of(raw, direction)
        if rule == 0:
            return Decision(Verdict.DROP, rule=0, flow=flow)
        if rule == 1 and direction is UP:
            back = udp(Endpoints(packet.destination, packet.source, 443, 4001), b"forged", IpForm())
            return Decision(inject=(Injection(back, DOWN),), rule=1, flow=flow)
        if rule in (2, 3):
            [handover] = ACTIONS[rule].handovers(PROFILE)
            verdict = Verdict.DROP if rule == 2 else Verdict.PASS
            return Decision(verdict, handover=handover, rule=rule, flow=flow)
        return Decision()

    def script(lab, _running):
        for port in range(4000, 4005):
            ask(lab, family, b"one" * 100, b"two" * 100, b"three" * 100, sport=port, wait=0.1)

    _, receipt = with_censor(decide, *ACTIONS, script=script)
    near, far = (f"[{one[6]}]" if family == 6 else one[4] for one in (CLIENT, SERVER))
    found = {
        rule: {flow: (acts["claimed"], acts["kernel"]) for flow, acts in counts["flows"].items()}
        for rule, counts in receipt.rules.items()
    }
    policed = receipt.rules["r3"]["kernel"]["policed_drop"]
    assert found == {
        "r0": {f"udp {near}:4000 > {far}:443": (3, 3)},
        "r1": {f"udp {near}:4001 > {far}:443": (3, 3)},
        "r2": {f"udp {near}:4002 > {far}:443": (1, 3)},
        "r3": {f"udp {near}:4003 > {far}:443": (1, policed)},
    }
    assert policed > 0
    assert receipt.unjoined == receipt.undecided == 0


def test_whose_packets_the_kernel_dropped_after_a_handover():
    acts, up = Acts(1), datagram()
    flow, key = flow_of(up), wire_key(up)
    acts.note(Decision(Verdict.DROP, handover=Drop(1.0), rule=0, flow=flow), up)
    found = acts.joined([{key: 5, reversed_key(key): 2}])
    assert found == [{str(flow): FlowActs(claimed=1, kernel=7, up=5, down=2)}]
