import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.internet.zone import UDP_EDNS, Zone, answer, for_udp
from tests.internet.emulated import TWITTER, WORLD

ZONE = Zone.from_world(WORLD)
MANY = Zone({"many.com": tuple(f"10.0.{i}.{j}" for i in range(8) for j in range(50))})


def ask(name, kind="A", zone=ZONE, **options):
    query = dns.message.make_query(name, kind, **options)
    reply = dns.message.from_wire(answer(query.to_wire(), zone))
    assert query.is_response(reply)
    return reply


def texts(reply):
    return [record.to_text() for rrset in reply.answer for record in rrset]


@pytest.mark.parametrize("name", ["twitter.com", "API.Twitter.COM."])
def test_a_site_has_both_addresses(name):
    assert texts(ask(name)) == [TWITTER.ipv4]
    assert texts(ask(name, "AAAA")) == [TWITTER.ipv6]


def test_the_case_of_the_question_comes_back():
    assert ask("tWiTTer.com").answer[0].name.to_text() == "tWiTTer.com."


def test_a_resolver_has_all_its_addresses():
    assert texts(ask("dns.google")) == ["8.8.8.8", "8.8.4.4"]


def test_reverse_names():
    assert texts(ask("1.42.244.104.in-addr.arpa", "PTR")) == ["twitter.com."]


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [
        ("nosuch.com", "A", dns.rcode.NXDOMAIN),
        ("x.twitter.com", "A", dns.rcode.NXDOMAIN),
        ("twitter.com", "MX", dns.rcode.NOERROR),
        ("com", "A", dns.rcode.NOERROR),
        (".", "NS", dns.rcode.NOERROR),
        ("42.244.104.in-addr.arpa", "PTR", dns.rcode.NOERROR),
    ],
)
def test_what_is_not_there_is_denied_with_an_soa(name, kind, rcode):
    reply = ask(name, kind)
    assert reply.rcode() == rcode
    assert not reply.answer
    assert [rrset.rdtype.name for rrset in reply.authority] == ["SOA"]


@pytest.mark.parametrize(
    ("options", "rcode"),
    [
        ({"kind": "ANY"}, dns.rcode.NOTIMP),
        ({"kind": "AXFR"}, dns.rcode.NOTIMP),
        ({"kind": "TXT", "rdclass": "CH"}, dns.rcode.REFUSED),
        ({"use_edns": 1}, dns.rcode.BADVERS),
    ],
)
def test_what_we_do_not_do_is_refused(options, rcode):
    assert ask("twitter.com", **options).rcode() == rcode


def test_whoami_tells_the_resolvers_own_address():
    assert texts(ask("whoami.akamai.net", zone=ZONE.seen_from("8.8.8.8"))) == ["8.8.8.8"]
    assert ask("whoami.akamai.net").rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(("payload", "limit"), [(None, 512), (700, 700), (100, 512), (4096, UDP_EDNS)])
def test_a_long_reply_is_truncated_over_udp(payload, limit):
    edns = {} if payload is None else {"use_edns": 0, "payload": payload}
    query = dns.message.make_query("many.com", "A", **edns).to_wire()
    whole = answer(query, MANY)
    cut = for_udp(query, whole)
    assert len(cut) <= limit < len(whole)
    assert dns.message.from_wire(cut).flags & dns.flags.TC
    assert not dns.message.from_wire(whole).flags & dns.flags.TC
    assert len(texts(dns.message.from_wire(whole))) == 400


def test_a_short_reply_is_left_alone():
    query = dns.message.make_query("twitter.com", "A").to_wire()
    reply = answer(query, ZONE)
    assert for_udp(query, reply) is reply


def test_silence_towards_no_header_and_towards_replies():
    query = dns.message.make_query("twitter.com", "A").to_wire()
    assert answer(query[:11], ZONE) is None
    assert answer(answer(query, ZONE), ZONE) is None


def test_other_opcodes_and_broken_bodies():
    query = bytearray(dns.message.make_query("twitter.com", "A").to_wire())
    assert dns.message.from_wire(answer(bytes(query[:-1]), ZONE)).rcode() == dns.rcode.FORMERR
    query[2] |= 2 << 3  # STATUS
    reply = dns.message.from_wire(answer(bytes(query), ZONE))
    assert (reply.rcode(), reply.opcode(), reply.id) == (
        dns.rcode.NOTIMP,
        2,
        int.from_bytes(query[:2], "big"),
    )


def _well_behaved(query):
    reply = answer(query, ZONE)
    if reply is not None:
        assert reply[:2] == query[:2]
        assert reply[2] & 0x80
        assert len(for_udp(query, reply)) <= UDP_EDNS


@settings(database=None)  # the folder may not be writable
@given(st.binary(max_size=600))
def test_junk_never_raises(query):
    _well_behaved(query)


@settings(database=None)  # the folder may not be writable
@given(st.data())
def test_truncated_and_mutated_queries_never_raise(data):
    query = bytearray(
        dns.message.make_query("api.twitter.com", "AAAA", use_edns=0, want_dnssec=True).to_wire()
    )
    for _ in range(data.draw(st.integers(0, 6))):
        query[data.draw(st.integers(0, len(query) - 1))] = data.draw(st.integers(0, 255))
    _well_behaved(bytes(query[: data.draw(st.integers(0, len(query)))]))
