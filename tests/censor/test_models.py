"""What each model of an inspector sees of a ClientHello that a tool cut, hid or sent a decoy before."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from testbed.censor.actions.rst_rewrite import RewriteRst
from testbed.censor.cited import our_choice
from testbed.censor.models import MODELS
from testbed.censor.profiles import PROFILES
from tests.censor.line import Line, hello, sni

X, DECOY = hello("blocked.example.com", pad=250), hello("decoy.example.net", pad=250)
CUT = X.index(b"blocked") + 3


def line(model: str) -> Line:
    profile = replace(PROFILES["t22"], models=our_choice(((model, 1.0),)))
    opened = Line(sni(RewriteRst(), "blocked.example.com", profile=profile))
    opened.handshake()
    return opened


def plain(to: Line) -> list[bool]:
    return [to.L(payload=X).fired]


def split(to: Line) -> list[bool]:
    return [to.L(payload=piece).fired for piece in (X[:CUT], X[CUT:])]


def disorder(to: Line) -> list[bool]:
    start = to.seq["L"]
    to.seq["L"] = start + CUT
    second = to.L(payload=X[CUT:]).fired
    to.seq["L"] = start
    return [second, to.L(payload=X[:CUT]).fired]


def _decoy(to: Line, **fields: object) -> list[bool]:
    start = to.seq["L"]
    first = to.L(payload=DECOY, **fields).fired
    to.seq["L"] = start
    return [first, to.L(payload=X).fired]


def low_ttl(to: Line) -> list[bool]:
    return _decoy(to, ttl=3)


def past_sequence(to: Line) -> list[bool]:
    start = to.seq["L"]
    to.seq["L"] = start - 10_000 + (1 << 32)
    first = to.L(payload=DECOY).fired
    to.seq["L"] = start
    return [first, to.L(payload=X).fired]


def record_split(to: Line) -> list[bool]:
    body = X[5:]
    at = body.index(b"blocked") + 3
    pieces = (body[:at], body[at:])
    return [to.L(payload=b"".join(b"\x16\x03\x01" + len(p).to_bytes(2, "big") + p for p in pieces)).fired]


def second_record_holds_the_whole_hello(to: Line) -> list[bool]:
    return [to.L(payload=b"\x14\x03\x01\x00\x01\x01").fired, to.L(payload=X).fired]


def urgent_byte(to: Line) -> list[bool]:
    """byedpi -o: one more byte at the cut, urgent; it has a sequence number of its own."""
    begin = to.seq["L"]
    first = to.L(flags="PAU", payload=X[:CUT] + b"a", urgptr=CUT + 1).fired
    to.seq["L"] = begin + CUT + 1
    return [first, to.L(payload=X[CUT:]).fired]


def urgent_byte_announced_early(to: Line) -> list[bool]:
    """The pointer points into the next segment."""
    first = to.L(flags="PAU", payload=X[:CUT], urgptr=CUT + 1).fired
    return [first, to.L(payload=b"a" + X[CUT:]).fired]


def data_in_the_syn(to: Line, then: bytes = X) -> list[bool]:
    """nfqws syndata: the server discards it."""
    to.new_port()
    begin = to.seq["L"]
    to.L("S", payload=bytes(16))
    to.R("SA")
    to.seq["L"] = begin + 1
    return [to.L(payload=then).fired]


def data_in_the_syn_and_split(to: Line) -> list[bool]:
    return [*data_in_the_syn(to, b""), *split(to)]


STRATEGIES: dict[Callable[[Line], list[bool]], str] = {  # the models that still see the name
    plain: "A P C D T Dv R Rl Rv Rvm",
    split: "R Rl Rv Rvm",
    disorder: "R Rl Rv Rvm",
    low_ttl: "A P Dv Rv Rvm",
    urgent_byte: "Rv Rvm",
    urgent_byte_announced_early: "Rv Rvm",
    data_in_the_syn_and_split: "R Rl Rv Rvm",
    data_in_the_syn: "A P C D T Dv R Rl Rv Rvm",
    past_sequence: "A P Dv R Rl Rv Rvm",
    record_split: "Rvm",
    second_record_holds_the_whole_hello: "A P D T Dv",
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.__name__)
def test_who_sees_what(strategy: Callable[[Line], list[bool]], model: str) -> None:
    assert any(strategy(line(model))) is (model in STRATEGIES[strategy].split())


@pytest.mark.parametrize(("model", "winner"), [("R", "first"), ("Rl", "last")])
def test_which_copy_counts(model: str, winner: str) -> None:
    """The same bytes twice, with different names, before the hello is complete."""
    for name, fires in (
        ("blocked.example.com", winner == "first"),
        ("deblock.example.com", winner == "last"),
    ):
        opened = line(model)
        start, other = opened.seq["L"], "deblock" if name.startswith("blocked") else "blocked"
        first = hello(name, pad=250)
        assert not opened.L(payload=first[:-10]).fired
        opened.seq["L"] = start
        assert not opened.L(payload=first[:-10].replace(name[:7].encode(), other.encode())).fired
        assert opened.L(payload=first[-10:]).fired is fires


def test_a_mixture_of_nodes_is_stable_per_pair() -> None:
    seen = set()
    for seed in range(40):
        opened = Line(sni(RewriteRst(), "blocked.example.com", profile="t26"), seed=seed)
        fates = []
        for _ in range(3):
            opened.new_port()
            opened.handshake()
            fates.append(any(split(opened)))
        seen.add(tuple(fates))
    assert seen == {(True, True, True), (False, False, False)}
