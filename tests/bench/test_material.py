from bench.core import data_of_decided_flows
from bench.material import client_hello, listed_names, listing_policy, opening, segment
from testbed.censor.core import Censor
from testbed.censor.decision import Direction, Verdict
from testbed.censor.handover import Pass
from testbed.censor.names import NameMatcher
from testbed.censor.packet import ACK, PSH, parse
from testbed.censor.parsers.tls import ClientHello
from testbed.censor.parsers.tls import client_hello as read_hello

SPORT = 20_000


def test_listed_names_differ_and_half_stand_for_their_subdomains():
    names = list(listed_names(1000))
    assert len(set(names)) == 1000
    assert sum(name.startswith("*.") for name in names) == 500


def test_the_hello_is_one_that_the_core_reads():
    hello = read_hello(client_hello("www.some.example"))
    assert isinstance(hello, ClientHello)
    assert hello.server_name == "www.some.example"


def test_the_policy_reads_the_name_and_does_not_match_it_but_would_a_listed_one():
    listed = next(name for name in listed_names(100) if not name.startswith("*"))
    assert listed in NameMatcher(listed_names(100))
    for name, verdict in (("www.unlisted.example.org", Verdict.PASS), (listed, Verdict.DROP)):
        censor = Censor(listing_policy(100), 1)
        for packet, direction in opening(SPORT):
            assert censor.process(packet, direction, 0.0).verdict is Verdict.PASS
        hello = segment(SPORT, Direction.UP, PSH | ACK, client_hello(name))
        assert censor.process(hello, Direction.UP, 0.0).verdict is verdict


def test_replayed_packets_are_whole_and_their_flows_are_decided():
    packets = data_of_decided_flows(600)
    assert len(packets) == 600
    assert all(parse(packet) for packet, _ in packets)
    (syn, _), _, (ack, _) = opening(SPORT)
    assert [parse(raw).seq - parse(syn).seq for raw in (ack, packets[2][0])] == [1, 1]  # else they overlap
    censor = Censor(listing_policy(10), 1)
    for packet, direction in opening(SPORT):
        censor.process(packet, direction, 0.0)
    first = segment(SPORT, Direction.UP, PSH | ACK, bytes(range(0, 256, 2)))
    handover = censor.process(first, Direction.UP, 0.0).handover
    assert handover is not None
    assert isinstance(handover, Pass)
