"""Any combination of match keys, any junk in their place: a scenario or an InputError, never a traceback."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from testbed.censor.match import KEYS, CompiledRule, Match
from testbed.censor.match.quic import QuicForm
from testbed.censor.models import MODELS
from testbed.errors import InputError, Problem
from testbed.model import Scenario
from tests.censor.line import Line, hello
from tests.scenario.conftest import SCENARIO, Desk
from tests.scenario.test_own_match_keys import HOPS

CHROME = "t13d1516h2_8daaf6152771_d8a2da3f94cd"
HTTP3 = "q13d0310h3_55b375c5d22e_cd85d2d88918"
names = st.lists(
    st.sampled_from(["a.com", "*.a.com", "*a*", "*", "x.com"]), min_size=1, max_size=3, unique=True
)
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "tls.sni": names,
    "http.host": names,
    "dns.qname": names,
    "tls.certificate": names,
    "quic.sni": names,
    "quic.unreadable": st.just(value=True),
    "quic": st.fixed_dictionaries({}, optional={"version": st.just(1), "min_payload": st.just(5)}),
    "protocol": st.lists(st.sampled_from(["tls", "dtls", "wireguard", "ssh", "encrypted"]), min_size=1),
    "ja4": st.lists(st.sampled_from([CHROME, HTTP3]), min_size=1),
    "ech": st.booleans(),
    "ip": st.lists(st.sampled_from(["104.0.0.0/8", "site:vk.com", "country:RU", "::/0"]), min_size=1),
    "dns.qtype": st.lists(st.sampled_from(["A", "AAAA", "HTTPS"]), min_size=1),
    "http.url": st.lists(st.sampled_from(["http://a.com/", "a.com/x", "*x*", "a.com/*"]), min_size=1),
    "http.keyword": st.lists(st.sampled_from(["casino", "слово"]), min_size=1),
    "ports": st.lists(st.sampled_from([53, 80, 443, "50000-50100"]), min_size=1) | st.just("any"),
    "transport": st.sampled_from(["tcp", "udp", "icmp"]),
    "data": st.booleans(),
    "roles_reversed": st.booleans(),
    "size": st.sampled_from([{"min": 49}, {"max": 600}, {"min": 100, "max": 200}]),
    "early_packets": st.sampled_from(
        [{"min": 411, "count": 3, "among": 5}, {"max": 600}, {"direction": "down"}]
    ),
    "learned": st.just("vpn"),
    "opened_by": st.sampled_from(["inside", "outside"]),
    "opening": st.booleans(),
    "own.py:Hops": st.integers(1, 255),
}
PACKETS = (
    (False, 443, hello("x.com")),
    (False, 80, b"GET / HTTP/1.1\r\nHost: a.com\r\n\r\n"),
    (True, 443, b"\xc3\0\0\0\1" + bytes(1200)),
    (True, 53, b"\0\1\1\0\0\1\0\0\0\0\0\0\1a\3com\0\0\1\0\1"),
)
TEXT = st.text(
    st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=12
)  # JSON writes others as a pair: not YAML
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_every_key_has_an_example() -> None:
    assert {name for name in GOOD if ".py:" not in name} == set(KEYS)


def answer(load: Callable[[], Scenario], place: str) -> Scenario | None:
    """What it loads; None if it is refused, with every problem at this place."""
    problems: tuple[Problem, ...] = ()
    try:
        return load()
    except InputError as error:
        problems = error.problems
    assert problems
    assert all(problem.place.startswith(place) and problem.message for problem in problems), problems
    return None


def some(values: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    chosen = st.lists(st.sampled_from(sorted(values)), max_size=4, unique=True)
    return chosen.flatmap(lambda keys: st.fixed_dictionaries({key: values[key] for key in keys}))


@SLOW
@given(first=some(GOOD), second=some(GOOD))
def test_any_combination(first: dict[str, Any], second: dict[str, Any], desk: Desk) -> None:
    (desk.folder / "own.py").write_text(HOPS)
    more = f"      - {{name: two, match: {json.dumps(second)}, action: drop}}\n"
    loaded = answer(desk.rule(json.dumps(first), more=more), "x.yaml:1")
    if loaded is None:
        return
    policy = loaded.phases["block"].placements[0].policy
    assert all(rule.match for rule in policy.rules)
    assert json.dumps([rule.match.to_json() for rule in policy.rules])
    for udp, port, payload in PACKETS:
        line = Line(policy, udp=udp, dport=port)
        if not udp:
            line.L("S")
            line.R("SA")
        line.L(payload=payload)
        line.R(payload=payload)


@SLOW
@given(key=st.sampled_from([*GOOD, "flipped", "", "x", "own.py:", "own.py:Hop"]), value=ANY)
def test_any_value_of_a_key(key: str, value: object, desk: Desk) -> None:
    (desk.folder / "own.py").write_text(HOPS)
    answer(desk.rule(json.dumps({key: value})), "x.yaml:10 censors.tspu.rules[0].match")


@SLOW
@given(value=ANY | st.dictionaries(st.sampled_from(sorted(MODELS)), ANY | st.floats(0, 1), max_size=3))
def test_any_value_of_model(value: object, desk: Desk) -> None:
    text = SCENARIO.replace("profile: t22", f"profile: t22\n    model: {json.dumps(value)}")
    desk.path.write_text(text)
    answer(desk.load, "x.yaml:8 censors.tspu.model")


@pytest.mark.parametrize("wrong", [{"smell": 1}, {"tls_snl": None}])
def test_a_match_of_unknown_keys_is_a_mistake_of_the_caller(wrong: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="there is no match key"):
        Match(**wrong)


def test_values_that_ask_for_nothing_are_left_out() -> None:
    assert Match(data=False, roles_reversed=False, ip=(), ports=(), transport=None, tls_sni=None) == Match()
    assert dict(Match(ech=False, quic=QuicForm())) == {"ech": False, "quic": QuicForm()}
    assert not CompiledRule(Match()).kinds
