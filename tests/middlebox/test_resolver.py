"""A resolver that lies: what it answers, and what leaves its host."""

import json
import socket
import time
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.dns import DnsLie
from testbed.censor.actions.rst import InjectRst
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.names import NameList
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from testbed.censor.wire import Endpoints, IpForm, udp
from testbed.errors import InputError
from testbed.middlebox.resolver import LyingAnswer, serve_lying_resolver
from testbed.model import Placement
from testbed.world.children import Children
from testbed.world.enter import isolated_call
from tests.middlebox.lab import FAMILY, SERVER, Lab

SINKHOLE = "192.0.2.99"


def policy(*rules):
    """Rules from (pattern, action) pairs."""
    made = [Rule(f"r{i}", Match(dns_qname=NameList((name,))), act) for i, (name, act) in enumerate(rules)]
    return Policy("dns", PROFILES["leg-dns"], tuple(made))


LIES = policy(
    ("ok.x.com", Allow()),
    ("*x.com", DnsLie(a=(SINKHOLE,), aaaa=("2001:db8::99",))),
    ("gone.com", DnsLie(rcode="nxdomain")),
    ("silent.com", SilentDrop()),
)


def truthful(query):
    """Every name has the address 203.0.113.1."""
    asked = dns.message.from_wire(query)
    reply = dns.message.make_response(asked)
    reply.answer.append(dns.rrset.from_text(asked.question[0].name, 60, "IN", "A", "203.0.113.1"))
    return reply.to_wire()


def query(name, kind="A"):
    return dns.message.make_query(name, kind).to_wire()


def told(reply):
    """A reply's code and addresses, or None for silence."""
    if reply is None:
        return None
    message = dns.message.from_wire(reply)
    addresses = [record.to_text() for rrset in message.answer for record in rrset]
    return dns.rcode.to_text(message.rcode()), addresses


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("x.com", "A", ("NOERROR", [SINKHOLE])),
        ("WWW.X.com", "A", ("NOERROR", [SINKHOLE])),
        ("x.com", "AAAA", ("NOERROR", ["2001:db8::99"])),
        ("x.com", "MX", ("NOERROR", [])),
        ("ok.x.com", "A", ("NOERROR", ["203.0.113.1"])),
        ("gone.com", "A", ("NXDOMAIN", [])),
        ("silent.com", "A", None),
        ("free.com", "A", ("NOERROR", ["203.0.113.1"])),
    ],
)
def test_lies_for_the_listed_names_only(name, kind, expected):
    assert told(LyingAnswer(LIES, truthful, lambda _: None)(query(name, kind))) == expected


def test_without_rules_every_answer_is_true():
    answer = LyingAnswer(policy(), truthful, lambda _: None)
    assert told(answer(query("x.com"))) == ("NOERROR", ["203.0.113.1"])


def test_lies_are_recorded():
    events = []
    answer = LyingAnswer(LIES, truthful, events.append)
    for name in ("x.com", "free.com", "silent.com"):
        answer(query(name))
    assert [(event.kind, event.rule, event.detail["name"]) for event in events] == [
        ("match", "r1", "x.com"),
        ("match", "r3", "silent.com"),
    ]


def test_what_is_no_query_goes_to_the_truthful_answer():
    asked = []
    answer = LyingAnswer(LIES, asked.append, lambda _: None)
    for junk in (b"", b"\0" * 11, query("x.com")[:20], b"\xff" * 40):
        assert answer(junk) is None
        assert asked[-1] == junk


def test_an_action_that_a_resolver_cannot_do_is_named():
    with pytest.raises(InputError, match="rule r0: action 'rst' cannot be carried out by a resolver"):
        LyingAnswer(policy(("x.com", InjectRst())), truthful, print)


def outgoing(reply):
    return udp(Endpoints(bytes(4), bytes([1, 2, 3, 4]), 53, 4000), reply, IpForm())


def test_a_lie_counts_when_it_leaves_and_not_before():
    answer = LyingAnswer(LIES, truthful, lambda _: None)
    first, second = (answer(one) for one in [query("x.com")] * 2)
    assert answer.receipts.claims[1].inject == 2
    assert answer.seen.counted()["inject_1"] == 0
    answer.seen.packet(outgoing(first))
    answer.seen.packet(outgoing(truthful(query("x.com"))))
    assert answer.seen.counted()["inject_1"] == 1
    answer.seen.packet(outgoing(second))
    answer.seen.packet(outgoing(second))
    assert answer.seen.counted()["inject_1"] == 2


def test_a_silence_that_is_broken_does_not_count():
    answer = LyingAnswer(LIES, truthful, lambda _: None)
    asked = query("silent.com")
    answer(asked)
    assert answer.seen.counted()["drop_3"] == 1
    answer.seen.packet(outgoing(truthful(asked)))
    assert answer.seen.counted()["drop_3"] == 0


@pytest.mark.parametrize(("kind", "lied"), [("A", True), ("AAAA", False), ("HTTPS", False)])
def test_one_type_only(kind, lied):
    """field-15: a lie for A leaves the true AAAA alone."""
    rule = Rule("lie", Match(dns_qname=NameList(("x.com",)), dns_qtype=("A",)), DnsLie(a=(SINKHOLE,)))
    answer = LyingAnswer(Policy("dns", PROFILES["leg-dns"], (rule,)), lambda query: b"true", lambda _: None)
    found = answer(dns.message.make_query("x.com", kind).to_wire())
    assert (found != b"true") is lied


def test_junk_on_the_wire_is_ignored():
    answer = LyingAnswer(LIES, truthful, lambda _: None)
    answer(query("x.com"))
    for junk in (b"", b"\0" * 5, b"\xff" * 40):
        answer.seen.packet(outgoing(junk))
        answer.seen.packet(junk)
    assert answer.seen.counted()["inject_1"] == 0


@pytest.mark.world
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("armed", [True, False])
def test_served_over_udp_and_tcp_with_a_receipt(family, armed):
    def body():
        lab = Lab()
        placement = Placement("lab", LIES if armed else policy(), at="resolver")
        addresses = list(SERVER.values())

        def serve(ready):
            serve_lying_resolver(placement, addresses, truthful, lab.run_dir, time.monotonic(), ready)

        def client():
            answers = [
                told(over(dns.message.make_query(name, "A"), SERVER[family], timeout=3).to_wire())
                for name in ("x.com", "gone.com", "free.com")
                for over in (dns.query.udp, dns.query.tcp)
            ]
            with socket.socket(FAMILY[family], socket.SOCK_DGRAM) as sock:
                sock.settimeout(0.3)
                sock.sendto(query("silent.com"), (SERVER[family], 53))
                try:
                    answers.append(told(sock.recv(1000)))
                except TimeoutError:
                    answers.append(None)
            return answers

        with Children(lab.run_dir / "logs") as children:
            children.spawn("resolver", serve, lab.ns["server"])
            children.wait_ready(30)
            answers = lab.fork("client", client).result()
            status = children.stop()["resolver"].code
        receipt = json.loads((Path(lab.run_dir) / "receipts" / "lab.dns.json").read_text())
        return answers, receipt, status, (lab.run_dir / "events.jsonl").read_text().count("match")

    answers, receipt, status, events = isolated_call(body)
    true = ("NOERROR", ["203.0.113.1"])
    lie, gone = (("NOERROR", [SINKHOLE]), ("NXDOMAIN", [])) if armed else (true, true)
    assert answers == [lie, lie, gone, gone, true, true, None if armed else true]
    assert status == 0
    assert (receipt["packets"], receipt["faults"], events) == (7, 0, 5 if armed else 0)
    for counts in receipt["rules"].values():
        assert counts["claimed"].items() <= counts["kernel"].items()
    if armed:
        assert receipt["rules"]["r1"]["kernel"]["inject"] == receipt["rules"]["r2"]["kernel"]["inject"] == 2
        assert receipt["rules"]["r3"]["kernel"]["drop"] == 1
