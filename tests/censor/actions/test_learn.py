"""Lists learned across flows: who comes on them, when, for how long, and what then happens."""

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.learn import Learn
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.learned import LearnedLists, ServerPlace
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from tests.censor.line import Line

HANDSHAKE = b"\1\0\0\0" + bytes(range(144))  # WireGuard's initiation
DATA = b"\4\0\0\0" + bytes(108)


def box(*, learns: bool = True, **more: object) -> Line:
    wanted = {"into": "vpn", "after": (300.0, 300.0), "lasts": 900.0} | more
    rules = (
        Rule("block", Match(learned="vpn"), SilentDrop()),
        Rule("see", Match(protocol=("wireguard",)), Learn(**wanted)),  # type: ignore[arg-type]
    )
    return Line(Policy("box", PROFILES["t23"], rules if learns else rules[:1]), udp=True, dport=51820)


def test_the_server_is_blocked_five_minutes_later_on_that_port() -> None:
    line = box()
    assert line.L(payload=HANDSHAKE).decision.events[1].kind == "learn"
    line.new_port()
    assert line.L(payload=b"other").untouched
    line.wait(299)
    line.new_port()
    assert line.L(payload=b"other").untouched
    line.wait(2)
    line.new_port()
    assert line.L(payload=b"other").silent
    line.dport = 51821
    assert line.L(payload=b"other").untouched


def test_without_the_rule_that_learns_nothing_is_blocked() -> None:
    line = box(learns=False)
    line.L(payload=HANDSHAKE)
    line.wait(400)
    line.new_port()
    assert line.L(payload=b"other").untouched


def test_a_live_session_survives_until_the_list_comes() -> None:
    """ASBI: live sessions survive until the list lands. They are looked at every half minute."""
    line = box()
    line.L(payload=HANDSHAKE)
    passed = []
    for _ in range(40):
        line.wait(10)
        passed.append(not line.L(payload=DATA).silent)
        line.R(payload=DATA)
    assert 29 <= sum(passed) <= 33  # 300 s and at most 30 s
    assert passed == sorted(passed, reverse=True)


def test_a_rule_above_exempts_a_flow_for_good() -> None:
    exempt = Rule("game", Match(ports=(27015,)), Allow())
    rules = box(entry="address").policy.rules
    line = Line(Policy("box", PROFILES["t23"], (exempt, *rules)), udp=True, dport=51820)
    line.L(payload=HANDSHAKE)
    line.dport = 27015
    for _ in range(40):
        line.wait(20)
        assert line.L(payload=b"other").arrived is not None


def test_the_list_forgets() -> None:
    """N4P#111: back after about 15 minutes."""
    line = box()
    line.L(payload=HANDSHAKE)
    line.wait(301)
    line.new_port()
    assert line.L(payload=b"other").silent
    line.wait(900)
    line.new_port()
    assert line.L(payload=b"other").untouched


def test_an_address_on_all_ports() -> None:
    line = box(entry="address")
    line.L(payload=HANDSHAKE)
    line.wait(301)
    line.dport = 443
    assert line.L(payload=b"other").silent


def test_so_many_flows() -> None:
    line = box(flows=3, after=(0.0, 0.0))
    for _ in range(2):
        line.new_port()
        line.L(payload=HANDSHAKE)
    line.new_port()
    assert line.L(payload=b"other").untouched
    line.new_port()
    line.L(payload=HANDSHAKE)
    line.new_port()
    assert line.L(payload=b"other").silent


def test_the_time_is_drawn_between_its_bounds() -> None:
    begins = set()
    for seed in range(20):
        line = box(after=(300.0, 900.0))
        line.censor._seed = seed.to_bytes(8, "big")
        begins.add(line.L(payload=HANDSHAKE).decision.events[1].detail["begins"])
    assert len(begins) > 10
    assert all(300 <= each <= 900 for each in begins)


def test_a_full_table_says_so() -> None:
    lists = LearnedLists(limit=2)
    seen = [lists.see("a", ServerPlace(bytes([n])), 0.0, 10.0) for n in range(3)]
    assert [full for _, full in seen] == [False, False, True]
    for entry, _ in seen:
        entry.begins = 0.0
    assert [lists.has("a", bytes([n]), 80, 1.0) for n in range(3)] == [False, True, True]
    assert not lists.has("b", bytes([2]), 80, 1.0)
    assert not lists.has("a", bytes([2]), 80, 10.0)


def test_what_was_forgotten_is_learned_afresh() -> None:
    line = box()
    line.L(payload=HANDSHAKE)
    line.wait(1210)  # learned, blocked and forgotten
    line.new_port()
    assert [one.kind for one in line.L(payload=HANDSHAKE).decision.events] == ["match", "learn"]
    line.wait(290)
    line.new_port()
    assert line.L(payload=b"other").untouched, "five minutes from the new flow"
