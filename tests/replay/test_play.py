"""What packets of a capture meet: each kind of effect with its twin, sides, clocks."""

import io
import random

import pytest
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from testbed.capture.file import CaptureFile
from testbed.censor.actions.dns import DnsLie
from testbed.censor.actions.policer import Policer
from testbed.censor.actions.rst import InjectRst
from testbed.censor.actions.rst_rewrite import RewriteRst
from testbed.censor.actions.shape import Shape
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.core import Censor
from testbed.censor.decision import Direction
from testbed.censor.policy import Match, Policy
from testbed.errors import InputError
from testbed.replay import play
from testbed.replay.play import Replay
from testbed.replay.sides import inferred_sides, sides_from_prefixes
from tests.capture.captures import BEGIN, CLIENT, SERVER, Session, ether, pcap
from tests.censor.line import names, policy, sni

INSIDE = sides_from_prefixes(["192.168.0.0/16"])


class Seen:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.packets = []

    def packet(self, frame, decision, found, now):
        self.packets.append((frame, decision, found, now))

    @property
    def whats(self) -> list[tuple[int, str]]:
        return [(frame.number, effect.what) for frame, _, found, _ in self.packets for effect in found]


def replayed(frames, box: Policy, *, sides=INSIDE, seed: int = 1, every: bool = False, **how):
    seen, run = Seen(), Replay(box, seed, sides)
    capture = CaptureFile(io.BytesIO(pcap(frames, nano=True, **how)), "x.pcap")
    run.run(capture, [] if every else [seen], [seen] if every else [])
    return seen, run


WAYS = {
    "rst-rewrite": (RewriteRst(), [(4, "matched"), (5, "rewritten"), (6, "rewritten")]),
    "drop": (SilentDrop(), [(4, "matched"), (4, "dropped"), (5, "dropped"), (6, "dropped"), (7, "dropped")]),
    "rst": (
        InjectRst(to="both"),
        [(4, "matched"), (4, "injected"), (4, "injected"), (7, "injected"), (7, "injected")],
    ),
    "police": (
        Policer(rate=8.0, burst=170),
        [(4, "matched"), (6, "policed")],
    ),
    "shape": (
        Shape(rate=1000.0),
        [(4, "matched"), (4, "delayed"), (5, "delayed"), (6, "delayed"), (7, "delayed")],
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_kind_of_effect(way):
    action, expected = WAYS[way]
    residual = {"residual": 60.0} if isinstance(action, InjectRst) else {}
    action = InjectRst(to="both", **residual) if residual else action
    seen, run = replayed(Session().whole().frames(), sni(action))
    assert seen.whats == expected
    assert run.totals.rules["rule"]["matched"] == 1
    assert run.totals.judged == 7


@pytest.mark.parametrize("way", WAYS)
def test_a_neutral_name_meets_nothing(way):
    seen, run = replayed(Session("neutral.com").whole().frames(), sni(WAYS[way][0]))
    assert seen.packets == []
    assert (run.totals.affected, run.totals.judged) == (0, 7)


def test_a_miss_is_told():
    seen, _ = replayed(Session().whole().frames(), sni(SilentDrop(), drop=1.0))
    assert seen.whats == [(4, "missed")]


def test_an_injected_answer():
    query = bytes.fromhex("1267010000010000000000000178017803636f6d0000010001")
    frames = [(BEGIN, bytes(ether(IP(src=CLIENT, dst="8.8.8.8") / UDP(sport=999, dport=53) / Raw(query))))]
    box = policy(Match(dns_qname=names("*x*")), DnsLie(a=("5.3.3.17",)), "leg-active")
    seen, _ = replayed(frames, box)
    assert seen.whats == [(1, "matched"), (1, "dropped"), (1, "injected")]
    assert str(seen.packets[0][2][2]) == "1 injected by rule towards the subscriber"


@pytest.mark.parametrize("profile", ["t22", "leg-active"])
def test_fragments_are_held_and_released(profile):
    whole = IP(src=CLIENT, dst=SERVER, id=7) / UDP(sport=9, dport=9) / Raw(bytes(100))
    frames = [(BEGIN + n, bytes(ether(piece))) for n, piece in enumerate(fragment(whole, 48))]
    seen, _ = replayed(frames, sni(SilentDrop(), profile=profile))
    held = [(1, "held"), (2, "held"), (3, "released")] if profile == "t22" else []
    assert seen.whats == held


def test_decisions_are_the_cores_own_packet_by_packet():
    """The short cut for passed flows changes nothing that a rule does."""
    rng = random.Random(4)
    sessions = [
        Session(rng.choice(("x.com", "y.com", None)), 40000 + n).whole(rng.randrange(9)) for n in range(400)
    ]
    frames = sorted((at + rng.randrange(10**10), f) for one in sessions for at, f in one.frames())
    box = sni(RewriteRst(), **{"rst-rewrite": 0.3})
    seen, _ = replayed(frames, box, seed=9)
    core, told = Censor(box, 9), {}
    for number, (at, frame) in enumerate(frames, 1):
        way = Direction.UP if frame[26:30] == bytes([192, 168, 1, 10]) else Direction.DOWN
        decision = core.process(frame[14:], way, (at - frames[0][0]) / 1e9)
        if decision.rule is not None or decision.events:
            told[number] = decision
    assert len(told) > 100
    assert {frame.number: decision for frame, decision, _, _ in seen.packets} == told


def test_the_short_cut_is_used_and_ends_with_a_new_syn(monkeypatch):
    asked = []
    process = Censor.process
    monkeypatch.setattr(
        Censor, "process", lambda self, raw, *more: asked.append(raw) or process(self, raw, *more)
    )
    session = Session(None)
    session.send("up", "S").send("down", "SA").send("up", "A").send("up", "PA", bytes(300))
    for _ in range(50):
        session.send("down", "PA", bytes(300)).send("up", "A")
    again = Session("x.com", begin=session.packets[-1][0] + 1).whole(1)
    seen, run = replayed(session.frames() + again.frames(), sni(RewriteRst()))
    assert len(asked) < 30
    assert run.totals.judged == 104 + 6
    assert seen.whats == [(108, "matched"), (109, "rewritten")]


def test_passing_does_not_outlive_its_time(monkeypatch):
    asked = []
    process = Censor.process
    monkeypatch.setattr(
        Censor, "process", lambda self, raw, *more: asked.append(raw) or process(self, raw, *more)
    )
    session = Session(None).send("up", "S").send("down", "SA").send("up", "PA", bytes(300))
    for _ in range(10):
        session.send("up", "PA", bytes(300), after=100 * 10**9)
    replayed(session.frames(), sni(SilentDrop()))
    assert len(asked) == 13


def test_packets_that_are_not_the_boxs():
    cut = Session().whole().frames()
    _, run = replayed(cut, sni(SilentDrop()), snap=100)
    assert run.totals.aside["cut"] == 3  # the hello and two segments
    beside = IP(src="1.2.3.4", dst="5.6.7.8") / TCP()
    wrong = bytearray(bytes(ether(IP(src=CLIENT, dst=SERVER) / TCP())))
    wrong[16:18] = b"\xff\xff"
    frames = [
        (BEGIN, bytes(ether(beside))),
        (BEGIN, bytes(wrong)),
        (BEGIN, b"\0" * 12 + b"\x08\x06" + bytes(28)),
    ]
    _, run = replayed(frames, sni(SilentDrop()))
    assert dict(run.totals.aside) == {"beside": 1, "unreadable": 1, "not_ip": 1}
    assert run.totals.judged == 0


def test_time_never_goes_back():
    frames = Session().whole().frames()
    early = [(at - 10**9 if number == 3 else at, frame) for number, (at, frame) in enumerate(frames)]
    seen, run = replayed(early, sni(RewriteRst()))
    assert run.totals.backwards == 1
    assert [now for _, _, _, now in seen.packets] == sorted(now for _, _, _, now in seen.packets)


def packet(source: str, destination: str, flags: str = "PA", ports: tuple[int, int] = (9, 9)) -> bytes:
    kind = IPv6 if ":" in source else IP
    return bytes(kind(src=source, dst=destination) / TCP(flags=flags, sport=ports[0], dport=ports[1]))


@pytest.mark.parametrize(
    ("packets", "inside", "why"),
    [
        ([packet("8.8.8.8", "10.1.2.3")], "10.0.0.0/8", "IPv4: private ranges"),
        (
            [packet("9.9.9.9", "8.8.8.8"), packet("8.8.8.8", "9.9.9.9", "S")],
            "8.8.8.8/32",
            "sender of the first SYN",
        ),
        ([packet("10.0.0.1", "10.0.0.2"), packet("10.0.0.2", "10.0.0.1", "S")], "10.0.0.2/32", "first SYN"),
        (
            [packet("9.9.9.9", "8.8.8.8"), packet("9.9.9.9", "8.8.8.8", "SA")],
            "inside: 8.8.8.8/32",
            "IPv4: receiver of the first SYN/ACK",
        ),
        (
            [packet("8.8.8.8", "9.9.9.9", ports=(443, 50_000))],
            "9.9.9.9/32",
            "IPv4: a guess: no handshake, so the end with the larger port",
        ),
        (
            [packet("9.9.9.9", "8.8.8.8", ports=(2000, 443))],
            "9.9.9.9/32",
            "IPv4: a guess: no handshake, so the end with the larger port",
        ),
        (
            [packet("9.9.9.9", "8.8.8.8", ports=(443, 80))],
            "9.9.9.9/32",
            "IPv4: a guess: sender of the first packet",
        ),
        (
            [packet("9.9.9.9", "8.8.8.8", "S"), packet("9.9.9.7", "8.8.8.8", "S")],
            "inside: 9.9.9.9/32, 9.9.9.7/32",
            "sender of the first SYN",
        ),
        (
            [packet("127.0.0.1", "127.0.0.1", "S")],
            "no addresses",
            "IPv4 of a host with itself: each connection's client",
        ),
        ([packet("2001:db8::1", "2001:db8::2", "S")], "2001:db8::1/128", "IPv6: sender of the first SYN"),
        ([b"", b"x"], "no addresses", "no IP packet"),
    ],
)
def test_who_is_inside(packets, inside, why):
    sides = inferred_sides(packets)
    assert inside in f"inside: {sides}"
    assert why in str(sides)
    assert sides.guessed is ("a guess" in why)


def test_two_hundred_clients_of_a_server():
    """A server's own capture: every client is inside."""
    clients = [f"9.9.{number}.1" for number in range(200)]
    packets = [packet(client, "8.8.8.8", "S", (50_000, 443)) for client in clients]
    packets += [packet("8.8.8.8", client, "SA", (443, 50_000)) for client in clients]
    sides = inferred_sides(packets)
    assert len(sides.inside) == 200
    assert " and 188 more (" in str(sides)


@pytest.mark.parametrize("skipped", [0, 3], ids=["whole", "no handshake"])
def test_a_host_that_talks_with_itself(skipped):
    """A loopback capture: who is the client is found for each connection."""
    session = Session(client="127.0.0.1", server="127.0.0.1").whole()
    frames = session.frames()[skipped:]
    seen, run = replayed(frames, sni(RewriteRst()), sides=None)
    assert seen.whats == [(n - skipped, what) for n, what in WAYS["rst-rewrite"][1]]
    assert run.totals.judged == len(frames)
    seen, _ = replayed(
        Session("y.com", client="::1", server="::1", kind=IPv6).whole().frames(), sni(RewriteRst())
    )
    assert seen.whats == []


def test_each_ip_version_has_its_own_inside():
    sides = inferred_sides([packet("10.0.0.1", "8.8.8.8"), packet("2001:db8::1", "2001:db8::2", "S")])
    assert sides.why == "IPv4: private ranges; IPv6: sender of the first SYN"


def test_packets_looked_at_ahead_are_judged_once(monkeypatch):
    monkeypatch.setattr(play, "LOOK_AHEAD", 64)
    frames = Session().whole(64 + 20).frames()
    _, run = replayed(frames, sni(RewriteRst()), sides=None)
    assert run.totals.packets == len(frames)
    assert run.totals.rules["rule"]["rewritten"] == 64 + 20


def test_a_wrong_prefix():
    with pytest.raises(InputError, match=r"--inside: .*host bits set; write 192\.168\.0\.0/16"):
        sides_from_prefixes(["10.0.0.1/8"])
