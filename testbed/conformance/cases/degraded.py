"""Throttling, loss, ECH, freezes, connection counts, fingerprints."""

from collections.abc import Iterator
from dataclasses import replace

from testbed.censor.policy import Policy
from testbed.censor.profile import Profile
from testbed.conformance.backend import Who
from testbed.conformance.builders import action, match, policy, sni, with_model
from testbed.conformance.case import Dialogue, case
from testbed.conformance.cases.common import data, dialogue, sni_action
from testbed.conformance.exchange import Observation
from testbed.conformance.payloads import (
    CHANGE_CIPHER_SPEC,
    ECH,
    JA4,
    RECORD,
    SERVER_HELLO,
    SSH_BANNER,
    N,
    chrome,
    hello,
    inside_name,
)
from testbed.conformance.quic import initial
from testbed.conformance.rates import Transfer, Window
from testbed.conformance.series import Burst, Series
from testbed.conformance.steps import OPENED, DialogueStep, L, R, tcp, udp, wait

_PHOTO = 383_000  # bytes; IMC21 §5
_TWIMG, _VIDEO, _ECH_NAME = "abs.twimg.com", "test.googlevideo.com", "cloudflare-ech.com"
_LISTED = "5.9.0.0/16"  # a hosting network
_INSIDE, _RUSSIAN = "5.9.1.1", "87.240.132.72"


def _throttled(profile: str) -> Policy:
    return sni(profile, sni_action(profile), "*.twimg.com")


@case(
    "C79",
    "t21",
    "IMC21 §5",
    "H",
    "Download of 383 KB after the ClientHello of abs.twimg.com",
    "130 to 150 kbit/s, so 20 to 24 s; packets are dropped, none is delayed",
)
def _case_throttled(profile: str) -> Dialogue:
    load = Transfer(("R",), _PHOTO, 60_000, (19.5, 24.5))
    return dialogue(_throttled(profile), *OPENED, L(hello(_TWIMG)).passes, load)


@case("C80", "t21", "IMC21 §5", "H", "The same bytes inverted", "full speed")
def _case_inverted(profile: str) -> Dialogue:
    scrambled = bytes(byte ^ 0xFF for byte in hello(_TWIMG))
    load = Transfer(("R",), _PHOTO, 1_000_000, (0.0, 1.5), lossless=True)
    return dialogue(_throttled(profile), *OPENED, L(scrambled, "inverted ClientHello").passes, load)


@case(
    "C81",
    "t21",
    "IMC21 §6.1; CP21",
    "H",
    "Upload on a throttled flow, with a download at the same time",
    "each at the policed rate, as an upload on its own: a bucket per direction",
)
def _case_both_ways(profile: str) -> Iterator[Dialogue]:
    choices: tuple[tuple[str, tuple[Who, ...]], ...] = (("upload alone", ("L",)), ("both", ("L", "R")))
    for label, ways in choices:
        load = Transfer(ways, 100_000, 60_000, (4.3, 6.0))
        yield dialogue(_throttled(profile), *OPENED, L(hello(_TWIMG)).passes, load, label=label)


def _lossy(profile: str) -> Policy:
    return sni(profile, action("loss"), "*.googlevideo.com")


@case(
    "C83",
    "t24",
    "NTC8055 #2",
    "H",
    "Download from a neutral server with SNI test.googlevideo.com, July 2024",
    "45 to 180 KB/s at 40 ms against several MB/s with another name; faster at a shorter round trip",
)
def _case_lossy(profile: str) -> Iterator[Dialogue]:
    rule, start = _lossy(profile), (*OPENED, L(hello(_VIDEO)).passes)
    yield dialogue(rule, *start, Window(800_000, 0.04, (45_000, 180_000)), label="40 ms")
    yield dialogue(rule, *start, Window(800_000, 0.01, (180_000, 1_500_000)), label="10 ms")
    other = (*OPENED, L(hello(N)).passes, Window(3_000_000, 0.04, (1_500_000, 1e9)))
    yield dialogue(rule, *other, label="another name")


def _august(profile: str) -> Policy:
    return policy(
        profile,
        (match(tls_sni="*.googlevideo.com"), action("police", rate=128_000, burst=1500)),
        (match(quic_sni="*.googlevideo.com"), action("police", rate=512_000, burst=1500)),
    )


@case(
    "C84",
    "t24",
    "NTC8055 #103",
    "H",
    "The same on 1 August 2024, by TCP and by QUIC",
    "16 to 22 KB/s by TCP; 60 to 110 KB/s by QUIC",
)
def _case_august(profile: str) -> Iterator[Dialogue]:
    by_tcp = Transfer(("R",), 200_000, 60_000, (200 / 22, 200 / 16))
    yield dialogue(_august(profile), *OPENED, L(hello(_VIDEO)).passes, by_tcp, label="TCP")
    by_quic = Transfer(("R",), 600_000, 150_000, (600 / 110, 600 / 60))
    yield dialogue(_august(profile), udp(), L(initial(_VIDEO)).passes, by_quic, label="QUIC")


@case(
    "C85",
    "t24",
    "NTC8055 #34-36",
    "H",
    "The same with the ClientHello cut in two segments",
    "full speed, in July and in August 2024",
)
def _case_august_split(profile: str) -> Iterator[Dialogue]:
    whole = hello(_VIDEO)
    at = inside_name(whole, _VIDEO)
    cut = (L(whole[:at], "first half of the ClientHello").passes, L(whole[at:], "second half").passes)
    load = Transfer(("R",), 500_000, 2_000_000, (0.0, 1.5), lossless=True)
    single = with_model(profile, "T")  # a node that reads single packets, as most did
    for label, rule in (("July", _lossy(profile)), ("August", _august(profile))):
        yield dialogue(replace(rule, profile=single), *OPENED, *cut, load, label=label)


def _ech(profile: str) -> Policy:
    return policy(
        profile,
        (match(tls_sni=_ECH_NAME, ech=True), action("drop")),
        (match(quic_sni=_ECH_NAME, ech=True), action("drop")),
    )


@case(
    "C88",
    "t24 t25 t26",
    "N4P#417",
    "H",
    "SNI cloudflare-ech.com with the ECH extension",
    "dropped, by TCP and by QUIC",
)
def _case_ech(profile: str) -> Iterator[Dialogue]:
    silent = Series("LR", 4, 60, "nothing passes")
    yield dialogue(_ech(profile), *OPENED, L(hello(_ECH_NAME, after=ECH)).is_dropped, silent, label="TCP")
    yield dialogue(_ech(profile), udp(), L(initial(_ECH_NAME, ech=True)).is_dropped, silent, label="QUIC")


@case(
    "C89",
    "t24 t25 t26",
    "N4P#417",
    "H",
    "SNI cloudflare-ech.com without the extension, and another SNI with it",
    "passes",
)
def _case_no_ech(profile: str) -> Iterator[Dialogue]:
    proof = (tcp(what="a new flow"), *OPENED, L(hello(_ECH_NAME, after=ECH)).is_dropped)
    for label, payload in (("no extension", hello(_ECH_NAME)), ("another name", hello(N, after=ECH))):
        steps = (*OPENED, L(payload).passes, R(SERVER_HELLO).passes, data().passes, *proof)
        yield dialogue(_ech(profile), *steps, label=f"TCP, {label}")
    for label, first in (("no extension", initial(_ECH_NAME)), ("another name", initial(N, ech=True))):
        yield dialogue(
            _ech(profile), udp(), L(first).passes, R(RECORD, "answer").passes, label=f"QUIC, {label}"
        )


def _freezer(profile: str, **limit: object) -> Policy:
    return policy(
        profile,
        (match(protocol=("ssh",)), action("allow")),
        (match(ip=_LISTED), action("freeze", **limit)),
    )


def _secured(right: str) -> tuple[DialogueStep, ...]:
    there = (tcp(right=right), *OPENED, L(hello(N)).passes, R(SERVER_HELLO).passes)
    return (*there, L(RECORD, "request").passes)


_MODES = (("by bytes", {"octets": 16_384}), ("by packets", {"packets": 25}))


@case(
    "C91",
    "t25 t26",
    "N4P#490; DPID",
    "M",
    "HTTPS GET of 64 KB from a listed hosting network",
    "the first 14 to 34 KB arrive, then nothing in either direction, no RST",
)
def _case_frozen(profile: str) -> Iterator[Dialogue]:
    for label, limit in _MODES:
        body = Series("R", 47, 1400, "some pass, then none", 10, 24)
        steps = (*_secured(_INSIDE), body, L(flags="FA").is_dropped)
        yield dialogue(_freezer(profile, **limit), *steps, label=label)


def _cut_off(it: Observation) -> bool:
    """R's packet is lost, and both ends get a reset."""
    both = (it.at_receiver, it.at_sender)
    return not it.delivered and [[heard.is_reset for heard in end] for end in both] == [[True], [True]]


@case(
    "C146",
    "t25 t26",
    "CF25; that it ends so by a reset is our choice, N4P#490 saw none",
    "L",
    "As C91, at a box that injects packets when it freezes a flow",
    "both ends get one RST/ACK instead of the first frozen packet, then nothing",
)
def _case_frozen_by_reset(profile: str) -> Dialogue:
    body = Series("R", 20, 1400)
    last = R(RECORD, "packet beyond the limit").results_in("RST/ACK to both ends", _cut_off)
    steps = (*_secured(_INSIDE), body, last, Series("LR", 6, 200, "nothing passes"))
    return dialogue(_freezer(profile, packets=26, rst="both"), *steps)


@case("C92", "t25 t26", "N4P#490", "M", "GET of 8 KB from the same network", "completes")
def _case_small(profile: str) -> Iterator[Dialogue]:
    for label, limit in _MODES:
        steps = (*_secured(_INSIDE), Series("R", 6, 1366), L(flags="FA").passes, R(flags="FA").passes)
        yield dialogue(_freezer(profile, **limit), *steps, label=label)


@case(
    "C93",
    "t25",
    "DPICH",
    "M",
    "64 bytes sent to the same network as writes of 2 bytes, 50 ms apart, each answered",
    "stalls near the 25th packet of the flow",
)
def _case_trickle(profile: str) -> Dialogue:
    writes = Series("LR", 64, 2, "some pass, then none", 19, 26, every=0.025)
    return dialogue(_freezer(profile, packets=25), tcp(right=_INSIDE), *OPENED, writes)


@case("C94", "t25", "N4P#490", "M", "An SSH session of 1 MB to the same network", "completes")
def _case_ssh(profile: str) -> Iterator[Dialogue]:
    for label, limit in _MODES:
        banners = (R(SSH_BANNER, "banner").passes, L(SSH_BANNER, "banner").passes)
        steps = (tcp(22, right=_INSIDE), *OPENED, *banners, Burst("R", 750, 1400, 750, 750))
        yield dialogue(_freezer(profile, **limit), *steps, data().passes, label=label)


@case("C96", "t25 t26", "N4P#490", "M", "GET of 64 KB from an unlisted or a Russian network", "completes")
def _case_not_listed(profile: str) -> Iterator[Dialogue]:
    for label, right in (("unlisted", "104.244.42.1"), ("Russian", _RUSSIAN)):
        steps = (*_secured(right), Burst("R", 47, 1400, 47, 47), L(flags="FA").passes)
        yield dialogue(_freezer(profile, octets=16_384), *steps, label=label)


@case(
    "C97",
    "t25 t26",
    "N4P#546; DPICH",
    "L",
    "14 TLS flows of a Chrome to one server within a second, then one after 61 s",
    "those beyond the 12th freeze, the late one works; so does one flow with many requests",
)
def _case_many_flows(profile: str) -> Dialogue:
    rule = policy(profile, (match(tls_sni="*"), action("connection-limit")))
    shape = chrome(N, key_share=32)

    def flow(number: int) -> tuple[DialogueStep, ...]:
        first = L(shape, f"flow {number}'s ClientHello")
        if number > 12:
            return (tcp(), *OPENED, first.is_dropped, R(SERVER_HELLO).is_dropped)
        return (tcp(), *OPENED, first.passes_unreported, R(SERVER_HELLO).passes_unreported)

    early = [step for number in range(1, 15) for step in flow(number)]
    late = (wait(61), tcp(what="then"), *OPENED, L(shape).passes, R(SERVER_HELLO).passes)
    return dialogue(rule, *early, *late, Series("LR", 60, 200), scale=30)


def _ja4(profile: str | Profile) -> Policy:
    return policy(profile, (match(ja4=(JA4,)), action("data-drop", protocol="tls")))


_LONG = b"\x17\x03\x03\x05\x6b" + bytes(1387)  # a full segment of the server's encrypted handshake
_FINISHED = CHANGE_CIPHER_SPEC + RECORD
_DATA = Series("LR", 20, 200, "nothing passes", prefix=RECORD)


@case(
    "C98",
    "t26",
    "N4P",
    "M",
    f"ClientHello with JA4 {JA4}",
    "the handshake completes, application data is dropped",
)
def _case_fingerprint(profile: str) -> Iterator[Dialogue]:
    certificate = [R(_LONG, "part of a long certificate").passes for _ in range(12)]
    rest = (R(SERVER_HELLO).passes, *certificate, L(_FINISHED, "Finished").passes)
    first = L(chrome(key_share=32)).passes
    yield dialogue(_ja4(profile), *OPENED, first, *rest, _DATA)
    again = (R(SERVER_HELLO, "HelloRetryRequest").passes, L(chrome(key_share=32)).passes)
    yield dialogue(_ja4(profile), *OPENED, first, *again, *rest, _DATA, label="after a HelloRetryRequest")
    other = L(chrome(key_share=32, ech=False), "ClientHello without ECH").passes
    free = Series("LR", 20, 200, prefix=RECORD)
    yield dialogue(_ja4(profile), *OPENED, other, *rest, free, label="another fingerprint")


@case(
    "C99",
    "t26",
    "N4P",
    "M",
    "The same in segments of 88 bytes",
    "still dropped at nodes that reassemble, not at the others",
)
def _case_fingerprint_cut(profile: str) -> Iterator[Dialogue]:
    whole = chrome(key_share=32)
    cut = [L(whole[at : at + 88], "88 bytes of it").passes for at in range(0, len(whole), 88)]
    rest = (R(SERVER_HELLO).passes, L(_FINISHED, "Finished").passes)
    yield dialogue(_ja4(with_model(profile, "R")), *OPENED, *cut, *rest, _DATA, label="reassembling node")
    free = Series("LR", 20, 200, prefix=RECORD)
    yield dialogue(_ja4(with_model(profile, "T")), *OPENED, *cut, *rest, free, label="other node")
