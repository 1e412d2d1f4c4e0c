"""What triggers a rule by server name, and what does not: then a second flow shows that the rule stood."""

from collections.abc import Iterator

from testbed.conformance.backend import DOMESTIC, NEIGHBOUR, Box
from testbed.conformance.builders import action, sni, with_model
from testbed.conformance.case import TSPU, Dialogue, case
from testbed.conformance.cases.common import (
    control,
    data,
    dialogue,
    no_rule_acts,
    rule_acts,
    sni_action,
    sni_policy,
)
from testbed.conformance.payloads import (
    CHANGE_CIPHER_SPEC,
    SERVER_HELLO,
    SOCKS_GREETING,
    N,
    X,
    flipped,
    get,
    handshake,
    hello,
    inside_name,
    junk,
    moved,
)
from testbed.conformance.series import Pairs, bounds
from testbed.conformance.steps import OPENED, OPENED_BY_R, DialogueStep, L, R, tcp
from testbed.shapes.hellobytes import record

_AT_TYPE, _AT_RECORD, _AT_HANDSHAKE, _AT_LENGTH = 0, 4, 5, 8


@case("C01", TSPU, "N4P#81; OONI22; IMC21", "H", "A neutral name to the address that serves X", "untouched")
def _case_neutral(profile: str) -> Dialogue:
    return dialogue(
        sni_policy(profile),
        *OPENED,
        L(hello(N)).passes,
        R(SERVER_HELLO).passes,
        data().passes,
        no_rule_acts(),
        *control(profile),
    )


@case("C02", TSPU, "CP22; IMC21", "H", "ClientHello of X in one segment", "the rule's action follows")
def _case_whole(profile: str) -> Dialogue:
    return dialogue(sni_policy(profile), *OPENED, L(hello()).passes, rule_acts(profile))


@case("C03", "t22", "CP22 Fig. 7", "M", "A bare ClientHello of X, no handshake", "the rule's action follows")
def _case_bare(profile: str) -> Dialogue:
    return dialogue(sni_policy(profile), L(hello()).passes, rule_acts(profile))


@case("C04", "t21 t22", "IMC21 §6.5; CP22", "H", "ClientHello of X on a flow that R opened", "untouched")
def _case_opened_outside(profile: str) -> Iterator[Dialogue]:
    steps = (*OPENED_BY_R, R(hello()).passes, L(hello()).passes, no_rule_acts())
    yield dialogue(sni_policy(profile), *steps, *control(profile), label="from R's port 443")
    there, back = tcp(443, inward=True), tcp(443, inward=False)
    yield dialogue(sni_policy(profile), there, *steps, back, *control(profile), label="to L's port 443")


@case(
    "C05", "t21", "IMC21 §6.2", "H", "R sends the ClientHello of X on L's flow", "the rule's action follows"
)
def _case_sent_by_server(profile: str) -> Dialogue:
    return dialogue(sni_policy(profile), *OPENED, R(hello()).passes, rule_acts(profile))


@case(
    "C06",
    "t21",
    "IMC21 §6.5",
    "H",
    "ClientHello of X to an echo server: outside, then inside on port 7",
    "the action follows in the first case only",
)
def _case_echo_servers(profile: str) -> Iterator[Dialogue]:
    policy = sni_policy(profile)
    there = (*OPENED, L(hello()).passes, R(hello(), "echo of it").passes, rule_acts(profile))
    yield dialogue(policy, *there, label="L to R")
    inward = tcp(7, inward=True)
    here = (inward, *OPENED_BY_R, R(hello()).passes, L(hello(), "echo of it").passes, no_rule_acts())
    yield dialogue(policy, *here, label="R to L's port 7")


@case(
    "C07",
    "t21 t22 t23 t24",
    "IMC21 §7; CP22; NTC8055 #34-36",
    "H",
    "ClientHello of X cut inside the name, at a node that reads single packets",
    "untouched",
)
def _case_two_segments(profile: str) -> Dialogue:
    first, rest = _cut(hello(), inside_name(hello()))
    node = with_model(profile, "T") if profile == "t24" else profile  # some of 2024's nodes reassemble
    rule = sni(node, sni_action(profile))
    return dialogue(rule, *OPENED, first, rest, no_rule_acts(), *control(profile))


@case(
    "C148",
    "t21 t22 t23 t24 t25 t26",
    "ZAP#1408; N4P#308; N4P; the shares are our choice",
    "L",
    "ClientHello of X cut inside the name, to many addresses",
    "seen at no node until mid 2024, then at 10 %, 25 % in 2025, 50 % in 2026; always at the same ones",
    core_only="hundreds of flows: their share is the core's draw, the kernel adds nothing to it",
)
def _case_nodes_that_reassemble(profile: str) -> Dialogue:
    seen = {"t24": 0.1, "t25": 0.25, "t26": 0.5}.get(profile, 0.0)
    servers = tuple(f"104.244.{number // 250}.{number % 250 + 1}" for number in range(500))
    whole, at = hello(), inside_name(hello())
    share = Pairs(whole[:at], servers, *bounds(1 - seen, len(servers)), rest=whole[at:])
    return dialogue(sni(profile, action("rst-rewrite")), share)


@case("C09", "t21 t22", "IMC21 §7", "H", "ClientHello of X padded beyond one segment", "untouched")
def _case_padded(profile: str) -> Dialogue:
    first, rest = _cut(hello(pad_to=2000), 1448)
    return dialogue(sni_policy(profile), *OPENED, first, rest, no_rule_acts(), *control(profile))


@case(
    "C11",
    "t21",
    "IMC21 §6.2",
    "H",
    "ChangeCipherSpec in its own segment, then the ClientHello of X",
    "the rule's action follows",
)
def _case_change_cipher_spec(profile: str) -> Dialogue:
    before = L(CHANGE_CIPHER_SPEC, "ChangeCipherSpec").passes
    return dialogue(sni_policy(profile), *OPENED, before, L(hello()).passes, rule_acts(profile))


@case("C12", "t21", "IMC21 §6.2", "H", "200 random bytes, then the ClientHello of X", "untouched")
def _case_long_junk(profile: str) -> Dialogue:
    before = L(junk(200), "200 random bytes").passes
    return dialogue(
        sni_policy(profile), *OPENED, before, L(hello()).passes, no_rule_acts(), *control(profile)
    )


@case(
    "C13", "t21", "IMC21 §6.2", "H", "99 random bytes, then the ClientHello of X", "the rule's action follows"
)
def _case_short_junk(profile: str) -> Dialogue:
    before = L(junk(99), "99 random bytes").passes
    return dialogue(sni_policy(profile), *OPENED, before, L(hello()).passes, rule_acts(profile))


@case(
    "C15",
    "t21",
    "IMC21 §6.2",
    "H",
    "HTTP CONNECT or a SOCKS greeting, then the ClientHello of X",
    "the rule's action follows",
)
def _case_proxies(profile: str) -> Iterator[Dialogue]:
    connect = get(X).replace(b"GET /", b"CONNECT x.com:443").replace(b"curl/8", b"curl/8" + b" " * 60)
    for label, greeting in (("CONNECT", connect), ("SOCKS", SOCKS_GREETING)):
        before = L(greeting, label).passes
        yield dialogue(
            sni_policy(profile), *OPENED, before, L(hello()).passes, rule_acts(profile), label=label
        )


@case("C17", "t21", "IMC21 §6.2", "H", "TLS content type inverted", "untouched")
def _case_content_type(profile: str) -> Dialogue:
    return _malformed(profile, flipped(hello(), _AT_TYPE), "malformed ClientHello")


@case("C18", "t21", "IMC21 §6.2", "H", "Handshake, extension or name type inverted", "all untouched")
def _case_types(profile: str) -> Iterator[Dialogue]:
    name = hello().index(b"\0\0\x05x.com")  # name type, length, name
    for label, at in (("handshake type", _AT_HANDSHAKE), ("extension type", name - 6), ("name type", name)):
        yield _malformed(profile, flipped(hello(), at), label)


@case("C19", "t21", "IMC21 §6.2", "H", "Record or handshake length wrong", "all untouched")
def _case_lengths(profile: str) -> Iterator[Dialogue]:
    for what, at in (("record", _AT_RECORD), ("handshake", _AT_LENGTH)):
        for by in (-1, 1):
            yield _malformed(profile, moved(hello(), at, by), f"{what} length {by:+d}")


@case(
    "C143",
    TSPU,
    "CP21",
    "M",
    "ClientHello of X at the beginning of a longer record, in one segment",
    "the rule's action follows",
)
def _case_longer_record(profile: str) -> Dialogue:
    longer = record(handshake() + bytes(40))
    return dialogue(sni_policy(profile), *OPENED, L(longer).passes, rule_acts(profile))


@case("C21", "t21", "CP21", "M", "A dot after the name", "untouched")
def _case_dot(profile: str) -> Dialogue:
    return _malformed(profile, hello(X + "."), "with a dot")


@case(
    "C22",
    "t21",
    "IMC21 App.",
    "H",
    "reddit.com before and after 12 March 2021",
    "the action follows while t.co is a substring, not when it is a name",
)
def _case_substring(profile: str) -> Iterator[Dialogue]:
    yield _named(profile, "reddit.com", "*t.co*", hits=True, label="substring")
    yield _named(profile, "reddit.com", "t.co", hits=False, label="exact", proof="t.co")


@case(
    "C23",
    "t21",
    "IMC21 §6.3",
    "H",
    "throttletwitter.com before and after 2 April 2021",
    "the action follows while twitter.com is a suffix, not when it is a name",
)
def _case_suffix(profile: str) -> Iterator[Dialogue]:
    yield _named(profile, "throttletwitter.com", "*twitter.com", hits=True, label="suffix")
    yield _named(
        profile, "throttletwitter.com", "twitter.com", hits=False, label="exact", proof="twitter.com"
    )


@case("C24", "t21", "IMC21 §6.3", "H", "abc.twimg.com", "the rule's action follows")
def _case_subdomain(profile: str) -> Dialogue:
    return _named(profile, "abc.twimg.com", "*.twimg.com", hits=True)


@case(
    "C25",
    "t21 t22",
    "IMC21 §6.4",
    "H",
    "ClientHello of X between subscribers of two operators",
    "the rule's action follows, at the client's operator",
)
def _case_domestic(profile: str) -> Dialogue:
    boxes = (Box(sni_policy(profile)), Box(sni_policy(profile), inside="R"))
    steps = (tcp(right=NEIGHBOUR), *OPENED, L(hello()).passes, rule_acts(profile))
    return Dialogue(boxes, steps, routers=DOMESTIC)


def _cut(payload: bytes, at: int) -> tuple[DialogueStep, DialogueStep]:
    first = L(payload[:at], f"first {at} bytes of the ClientHello").passes
    return first, L(payload[at:], "rest of it").passes


def _malformed(profile: str, payload: bytes, label: str) -> Dialogue:
    steps = (*OPENED, L(payload, "ClientHello").passes, no_rule_acts(), *control(profile))
    return dialogue(sni_policy(profile), *steps, label=label)


def _named(
    profile: str, name: str, pattern: str, *, hits: bool, label: str = "", proof: str = ""
) -> Dialogue:
    steps: tuple[DialogueStep, ...] = (*OPENED, L(hello(name), f"ClientHello of {name}").passes)
    steps += (rule_acts(profile),) if hits else (no_rule_acts(), *control(profile, hello(proof)))
    return dialogue(sni_policy(profile, pattern), *steps, label=label)
