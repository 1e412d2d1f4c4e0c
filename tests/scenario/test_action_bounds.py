"""Every parameter of every built-in action has bounds; outside of them, place, value and remedy are named."""

import types
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from testbed.censor.actions import ACTIONS
from testbed.censor.actions.base import operators_parameters
from testbed.censor.profiles import PROFILES
from testbed.censor.rehearsal import rehearse
from testbed.censor.units import (
    AboveZero,
    AddressOf,
    Between,
    BitsPerSecond,
    Form,
    InOrder,
    Octets,
    Seconds,
    Share,
)
from testbed.errors import InputError
from testbed.scenario.jsonschema import scenario_schema
from tests.scenario.conftest import Desk

NEEDED = {  # parameters without which there is no such action
    "data-drop": {"protocol": "wireguard"},
    "delay": {"by": "1 s"},
    "divert": {"to4": "192.0.2.53"},
    "learn": {"into": "vpn"},
    "police": {"rate": "140 kbit/s"},
    "shape": {"rate": "140 kbit/s"},
}
KINDS = {int: "five", bool: "yes please", str: 5}
QUANTITIES: dict[Any, tuple[str, ...]] = {
    Seconds: ("-1 s", "5", "99999999999 d", "nan s"),
    BitsPerSecond: ("-1 kbit/s", "0 kbit/s", "5", "9999999999 Gbit/s"),
    Octets: ("-1 B", "5", "99999999999 MiB"),
    Share: ("-1 %", "101 %", "1.5"),
}


def wrong_of(hint: Any) -> Iterator[Any]:
    """Values that are outside of what a type admits, as a file would have them."""
    marks = getattr(hint, "__metadata__", ())
    inner = get_args(hint)[0] if marks else hint
    for mark in marks:
        yield from outside_of(mark)
    yield from QUANTITIES.get(inner, ())
    origin, arguments = get_origin(inner), get_args(inner)
    if origin in (Union, types.UnionType):
        for one in arguments:
            yield from wrong_of(one)
    elif origin is tuple:
        several = 1 if arguments[-1] is Ellipsis else len(arguments)
        yield from ([wrong] * several for wrong in wrong_of(arguments[0]))
        yield {"a": 1}
    elif origin is Literal:
        yield from ("nosuch", 5)
    elif inner in KINDS:
        yield KINDS[inner]


def outside_of(mark: object) -> tuple[Any, ...]:
    match mark:
        case Between(least, most):
            return (least - 1, most + 1, -(10**30), 10**30, 1.5)
        case AboveZero():
            return ("0 s", "0 ms", "0.0 s")
        case AddressOf(4):
            return ("300.1.1.1", "::1", "1.2.3", "operatr", "")
        case AddressOf(6):
            return ("1.2.3.4", "fe80::1%eth0", "::ffff:1.2.3.4", "operatr", "")
        case Form():
            return ("operatr op", "a\nb", 5)
        case InOrder():
            return ([8, 5], ["8 s", "5 s"])
    raise AssertionError(mark)


def every_wrong() -> Iterator[tuple[str, str, Any]]:
    for key, kind in ACTIONS.items():
        hints = get_type_hints(kind, include_extras=True)
        for field in fields(kind):
            for wrong in wrong_of(hints[field.name]):
                yield key, field.name, wrong


MORE = "      - {name: two, match: {learned: vpn}, action: drop}\n"
WRONG = list(every_wrong())
FOUND = [  # as they were met
    ("rst", "ttl", 256), ("rst", "ttl", -1), ("rst", "window", 70000), ("rst", "ip_id", 70000),
    ("fin", "ttl", 300), ("page", "status", 99), ("page", "location", "operatr"),
    ("dns", "a", ["300.1.1.1"]), ("dns", "a", ["::1"]), ("dns", "aaaa", ["1.2.3.4"]), ("dns", "ttl", -1),
    ("dns", "a", ["192.0.2.1"] * 65), ("grace-drop", "packets", [8, 5]), ("grace-drop", "packets", [-3, 2]),
    ("data-drop", "packets", -1), ("freeze", "packets", -1), ("connection-limit", "window", 0),
    ("learn", "lasts", 0), ("learn", "flows", 0), ("divert", "port", 0),
]  # fmt: skip


def written(key: str, parameters: dict[str, Any]) -> str:
    return f"{{{key}: {{{', '.join(f'{name}: {value!r}' for name, value in parameters.items())}}}}}"


def test_every_parameter_of_every_action_is_tried() -> None:
    tried = {(key, name) for key, name, _ in WRONG}
    assert tried == {(key, field.name) for key, kind in ACTIONS.items() for field in fields(kind)}


@pytest.mark.parametrize("key", ACTIONS)
def test_outside_of_its_bounds(key: str, desk: Desk) -> None:
    for _, name, wrong in (one for one in (*WRONG, *FOUND) if one[0] == key):
        parameters = {**NEEDED.get(key, {}), name: wrong}
        try:
            desk.rule("{tls.sni: a.com}", written(key, parameters))()
        except InputError as error:
            for problem in error.problems:
                assert problem.place.startswith(f"x.yaml:11 censors.tspu.rules[0].action.{key}"), (
                    name,
                    wrong,
                )
                assert problem.message, (name, wrong)
                assert problem.remedy, (name, wrong, problem)
        else:
            pytest.fail(f"{key}: {name}: {wrong!r} is accepted")


TRIGGER_ALONE = [(key, "residual") for key in ("drop", "rst", "fin", "page")]


@pytest.mark.parametrize(("key", "name"), TRIGGER_ALONE)
def test_a_time_of_zero_is_the_trigger_alone(key: str, name: str, desk: Desk) -> None:
    """Other times of 0 s, without which the action would do nothing, are refused: see their types."""
    desk.rule("{http.host: a.com}", written(key, {name: "0 s"}))()


def test_every_other_time_that_keeps_a_flow_is_more_than_zero() -> None:
    times = {
        (key, field.name)
        for key, kind in ACTIONS.items()
        for field in fields(kind)
        if field.name in ("residual", "idle", "lock", "udp_lock", "lasts", "window")
    }
    times -= {("rst", "window"), *TRIGGER_ALONE}  # of TCP, and not a time
    assert times <= {(key, name) for key, name, wrong in WRONG if wrong == "0 s"}


@pytest.mark.parametrize("profile", ["t22", "leg-passive"])
@pytest.mark.parametrize("key", ACTIONS)
def test_at_its_bounds(key: str, profile: str, desk: Desk) -> None:
    hints = get_type_hints(ACTIONS[key], include_extras=True)
    for field in fields(ACTIONS[key]):
        for bounds in _bounds(hints[field.name]):
            for value in (bounds.least, bounds.most):
                given = [value, value] if "tuple" in str(hints[field.name]) else value
                parameters = {**NEEDED.get(key, {}), field.name: given}
                more = MORE if key == "learn" else ""
                rule = desk.rule("{tls.sni: a.com}", written(key, parameters), more=more)
                scenario = rule()
                (place,) = scenario.phases["block"].placements
                rehearse(place.policy.rules[0].action, PROFILES[profile])


def _bounds(hint: Any) -> Iterator[Between]:
    if isinstance(hint, Between):
        yield hint
    for one in (*getattr(hint, "__metadata__", ()), *(get_args(hint)[:1] or ())):
        yield from _bounds(one)


@pytest.mark.parametrize(
    ("key", "name"), [(key, name) for key, kind in ACTIONS.items() for name in operators_parameters(kind)]
)
def test_the_operators_own_is_no_value_out_of_bounds(key: str, name: str, desk: Desk) -> None:
    match = "{dns.qname: a.com}" if key == "dns" else "{ip: 192.0.2.1}"
    desk.rule(match, written(key, {name: "operator"}))()


def test_editors_know_the_word_and_the_bounds() -> None:
    parts = scenario_schema()["$defs"]
    assert {"const": "operator"} in parts["Page"]["properties"]["location"]["anyOf"]
    assert {"const": "operator"} in parts["DnsLie"]["properties"]["a"]["anyOf"]
    ttl = parts["InjectRst"]["properties"]["ttl"]["anyOf"]
    assert {"type": "integer", "minimum": 1, "maximum": 255} in ttl
