"""What triggers a rule by server name, on the core. C numbers are the conformance cases' names."""

from ipaddress import ip_network

import pytest

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.policer import Policer
from testbed.censor.actions.rst import InjectRst
from testbed.censor.actions.rst_rewrite import RewriteRst
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.match.quic import QuicForm
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from testbed.conformance.case import TSPU
from tests.censor.line import Line, hello, names, policy, sni

POLICE = Policer(rate=140_000)
T21 = sni(POLICE, "x.com", profile="t21")


def line(version: int = 4) -> Line:
    """An open connection under the 2021 policer."""
    opened = Line(T21, version)
    opened.handshake()
    return opened


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("profile", ["t21", "t22w", "t22"])
def test_c02_clienthello_in_one_segment_fires(version: int, profile: str) -> None:
    opened = Line(sni(RewriteRst(), profile=profile), version)
    opened.handshake()
    assert opened.L(payload=hello("x.com")).fired


@pytest.mark.parametrize("version", [4, 6])
def test_c01_a_neutral_name_is_untouched(version: int) -> None:
    opened = line(version)
    assert opened.L(payload=hello("n.com")).untouched
    assert opened.R(payload=b"\x16\x03\x03\x00\x10" + bytes(16)).untouched


def test_c03_bare_clienthello_fires() -> None:
    assert Line(sni(RewriteRst())).L(payload=hello()).fired


def test_c04_flow_opened_from_outside_is_not_filtered() -> None:
    opened = Line(T21)
    opened.R("S")
    opened.L("SA")
    opened.R("A")
    assert opened.R(payload=hello()).untouched
    assert opened.L(payload=hello()).untouched


def test_c05_clienthello_sent_by_the_outside_host_fires_in_2021() -> None:
    assert line().R(payload=hello()).fired


@pytest.mark.parametrize("cut", [1, 2, 5, 60, 100])
def test_c07_clienthello_in_two_segments_is_missed(cut: int) -> None:
    opened, data = line(), hello(pad=200)
    assert opened.L(payload=data[:cut]).untouched
    assert opened.L(payload=data[cut:]).untouched


def test_c11_changecipherspec_in_a_segment_of_its_own_does_not_hide_it() -> None:
    opened = line()
    assert opened.L(payload=b"\x14\x03\x01\x00\x01\x01").untouched
    assert opened.L(payload=hello()).fired


def test_changecipherspec_in_the_same_segment_hides_it() -> None:
    assert line().L(payload=b"\x14\x03\x01\x00\x01\x01" + hello()).untouched


def test_c12_long_junk_first_ends_inspection() -> None:
    opened = line()
    opened.L(payload=b"\xc3" * 200)
    assert opened.L(payload=hello()).untouched


@pytest.mark.parametrize("size", [1, 99, 100])
def test_c13_short_junk_first_does_not(size: int) -> None:
    opened = line()
    opened.L(payload=b"\xc3" * size)
    assert opened.L(payload=hello()).fired


@pytest.mark.parametrize(
    "greeting", [b"CONNECT x.com:443 HTTP/1.1\r\nHost: x.com\r\n\r\n" + b" " * 90, b"\x05\x01\x00"]
)
def test_c15_proxy_greeting_first_does_not(greeting: bytes) -> None:
    opened = line()
    opened.L(payload=greeting)
    assert opened.L(payload=hello()).fired


def test_inspection_ends_after_3_to_15_further_packets() -> None:
    budgets = set()
    for number in range(60):
        opened = Line(T21, sport=40000 + number)
        opened.handshake()
        record = b"\x17\x03\x03\x00\x04data"
        for _ in range(number):  # the n-th flow of the same pair draws its own budget
            opened.new_port()
            opened.handshake()
        opened.L(payload=record)
        further = 0
        while opened.L(payload=record).decision.handover is None:
            further += 1
            assert further <= 15
        budgets.add(further + 1)
    assert min(budgets) >= 3
    assert max(budgets) <= 15
    assert len(budgets) > 5


def _changed(at: int, value: int | None = None) -> bytes:
    data = bytearray(hello())
    data[at] = data[at] ^ 0xFF if value is None else value
    return bytes(data)


@pytest.mark.parametrize(
    ("what", "at"),
    [("content type", 0), ("handshake type", 5), ("session-id length", 43), ("cipher length", 77)],
)
def test_c17_c18_inverted_fields_hide_it(what: str, at: int) -> None:
    assert line().L(payload=_changed(at)).untouched, what


def test_c18_extension_type_and_name_type_hide_it() -> None:
    at = hello().index(b"\0\0\0\x0a\0\x08\0\0\x05x.com")
    assert line().L(payload=_changed(at)).untouched
    assert line().L(payload=_changed(at + 6, 1)).untouched


@pytest.mark.parametrize("change", [-2, -1, 1, 2])
@pytest.mark.parametrize("at", [4, 8], ids=["record length", "handshake length"])
def test_c19_wrong_lengths_hide_it(at: int, change: int) -> None:
    assert line().L(payload=_changed(at, hello()[at] + change)).untouched


@pytest.mark.parametrize("change", [-1, -20])
def test_truncated_payload_hides_it(change: int) -> None:
    assert line().L(payload=hello()[:change]).untouched


def test_c21_trailing_dot_hides_it() -> None:
    assert line().L(payload=hello("x.com.")).untouched


@pytest.mark.parametrize(
    ("pattern", "name", "fires"),
    [
        ("*t.co*", "reddit.com", True),
        ("*t.co*", "microsoft.com", True),
        ("t.co", "reddit.com", False),
        ("t.co", "t.co", True),
        ("*twitter.com", "throttletwitter.com", True),
        ("twitter.com", "throttletwitter.com", False),
        ("*.twimg.com", "abc.twimg.com", True),
        ("*.twimg.com", "twimg.com", False),
        ("twitter.com", "TWITTER.com", True),
    ],
)
def test_c22_c23_c24_patterns(pattern: str, name: str, *, fires: bool) -> None:
    opened = Line(sni(POLICE, pattern, profile="t21"))
    opened.handshake()
    assert opened.L(payload=hello(name)).fired is fires


def test_c43_c44_a_new_port_is_judged_afresh() -> None:
    opened = Line(sni(RewriteRst()))
    opened.handshake()
    assert opened.L(payload=hello()).fired
    opened.new_port()
    opened.handshake()
    assert opened.L(payload=hello("n.com")).untouched
    opened.new_port()
    opened.handshake()
    assert opened.L(payload=hello()).fired


def test_another_port_is_not_looked_at() -> None:
    opened = Line(sni(RewriteRst()), dport=8443)
    opened.handshake()
    assert opened.L(payload=hello()).untouched


def _request(host: str) -> bytes:
    return f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


READ_BY_SEGMENT = [name for name, one in PROFILES.items() if one.models.value == (("T", 1.0),)]


@pytest.mark.parametrize("profile", READ_BY_SEGMENT)
@pytest.mark.parametrize("decoy", ["n.com", "n.c"], ids=["as long", "shorter"])
def test_c123_what_is_sent_again_is_not_judged_again(profile: str, decoy: str) -> None:
    opened = Line(policy(Match(http_host=names("x.com")), InjectRst(), profile), dport=80)
    opened.handshake()
    begin = opened.seq["L"]
    assert opened.L(payload=_request(decoy), ttl=3).untouched
    for _ in range(2):
        opened.seq["L"] = begin
        assert opened.L(payload=_request("x.com")).untouched
    assert opened.L(payload=_request("x.com")).fired, "a later request of the same connection"


def test_a_request_that_fires_does_so_each_time_it_is_sent() -> None:
    opened = Line(policy(Match(http_host=names("x.com")), InjectRst(residual=0), "leg-active"), dport=80)
    opened.handshake()
    begin = opened.seq["L"]
    for _ in range(3):
        opened.seq["L"] = begin
        assert opened.L(payload=_request("x.com")).fired


def test_what_fills_a_gap_was_not_judged() -> None:
    opened = Line(policy(Match(http_host=names("x.com")), InjectRst(), "leg-active"), dport=80)
    opened.handshake()
    begin = opened.seq["L"]
    assert opened.L(payload=_request("n.com")).untouched
    opened.seq["L"] += len(_request("x.com"))
    assert opened.L(payload=_request("n.com")).untouched
    opened.seq["L"] = begin + len(_request("n.com"))
    assert opened.L(payload=_request("x.com")).fired


@pytest.mark.parametrize("profile", TSPU)
def test_c49_c124_a_forgotten_connection_is_taken_up_again_from_2022_on(profile: str) -> None:
    opened = Line(sni(RewriteRst(), profile=profile))
    opened.handshake()
    opened.wait(660)
    assert opened.L(payload=hello()).fired is (PROFILES[profile].picks_up_midway.value)
    assert PROFILES[profile].picks_up_midway.value is (profile != "t21")
    opened.L("S")
    assert opened.L(payload=hello()).fired is (profile == "t21"), "a SYN begins anew; else it is held already"


def test_rules_by_address_need_no_syn() -> None:
    blocked = Line(policy(Match(ip=(ip_network("104.244.42.0/24"),)), SilentDrop(), "t21"))
    assert blocked.L("A").silent


SEQUENCES = {  # CP22 Fig. 7; each step is (who, flags)
    "bare": ([], True),
    "R:A first": ([("R", "A")], False),
    "L:S": ([("L", "S")], True),
    "L:SA": ([("L", "SA")], True),
    "L:A (C48)": ([("L", "A")], True),
    "L:S L:S": ([("L", "S"), ("L", "S")], True),
    "L:S R:S": ([("L", "S"), ("R", "S")], False),
    "L:S R:S R:A": ([("L", "S"), ("R", "S"), ("R", "A")], False),
    "L:S R:S L:S": ([("L", "S"), ("R", "S"), ("L", "S")], True),
    "L:S R:S L:SA (split handshake)": ([("L", "S"), ("R", "S"), ("L", "SA")], False),
    "L:S R:S L:A": ([("L", "S"), ("R", "S"), ("L", "A")], False),
    "L:S R:SA": ([("L", "S"), ("R", "SA")], True),
    "L:S R:A": ([("L", "S"), ("R", "A")], True),
    "L:S R:SA L:A": ([("L", "S"), ("R", "SA"), ("L", "A")], True),
    "L:S R:SA R:S": ([("L", "S"), ("R", "SA"), ("R", "S")], False),
    "L:S R:SA R:A": ([("L", "S"), ("R", "SA"), ("R", "A")], True),
    "L:S L:S R:S (C45)": ([("L", "S"), ("L", "S"), ("R", "S")], False),
    "L:S L:A R:SA": ([("L", "S"), ("L", "A"), ("R", "SA")], True),
}


@pytest.mark.parametrize("case", SEQUENCES)
def test_opening_sequences(case: str) -> None:
    steps, armed = SEQUENCES[case]
    opened = Line(sni(RewriteRst()))
    for who, flags in steps:
        getattr(opened, who)(flags)
    assert opened.L(payload=hello()).fired is armed


@pytest.mark.parametrize("flags", ["FA", "R", "RA"])
def test_fin_and_rst_clear_nothing(flags: str) -> None:
    opened = Line(sni(RewriteRst()))
    opened.handshake()
    opened.L(payload=hello())
    opened.L(flags)
    assert opened.R("PA", b"data").arrived["TCP"].flags == "RA"


def test_an_exempt_name_s_first_segment_may_be_sent_twice() -> None:
    """Allow-list mode reads a ClientHello over several segments, and what is sent again changes nothing."""
    rules = (
        Rule("listed", Match(tls_sni=names("n.com")), Allow()),
        Rule("rest", Match(transport="tcp", data=True), SilentDrop()),
    )
    for name, passes in (("n.com", True), ("x.com", False)):
        opened = Line(Policy("box", PROFILES["mob-wl"], rules))
        opened.handshake()
        begin, data = opened.seq["L"], hello(name, pad=300)
        arrived = []
        for piece in (data[:200], data[:200], data[200:]):
            opened.seq["L"] = begin + (200 if piece == data[200:] else 0)
            arrived.append(opened.L(payload=piece).arrived is not None)
        assert arrived == [True, True, passes]


@pytest.mark.parametrize("kernel", [True, False])
def test_a_flow_whose_roles_were_reversed_stays_so_while_it_is_remembered(*, kernel: bool) -> None:
    """With a kernel that passes given-up flows on and without: 480 s once both ends have sent packets."""
    opened = Line(sni(RewriteRst()), kernel=kernel)
    for who, flags in (("L", "S"), ("R", "S"), ("L", "SA"), ("R", "A")):
        getattr(opened, who)(flags)
    for seconds in (70, 300):
        opened.wait(seconds)
        assert opened.L(payload=hello()).untouched
    opened.wait(481)
    assert opened.L(payload=hello()).fired


# --- a box without state ---------------------------------------------------------------------------

FORM = QuicForm(min_payload=1200, long_header=True, drafts=True)


def initial(size: int = 1200, version: int = 1, first: int = 0xC3) -> bytes:
    return (bytes([first]) + version.to_bytes(4, "big")).ljust(size, b"\0")


@pytest.mark.parametrize(
    ("payload", "dropped"),
    [
        (initial(), True),
        (initial(1199), False),
        (initial(first=0x43), False),
        (initial(version=0xFF00001D), True),
        (initial(version=0xFF010000), False),
        (initial(version=0x51303530), False),
    ],
)
def test_c128_a_stateless_box_judges_each_datagram_by_itself(payload: bytes, *, dropped: bool) -> None:
    line = Line(policy(Match(quic=FORM), SilentDrop(), "transit"), udp=True)
    for _ in range(2):
        assert line.L(payload=b"\x43" * 40).untouched
        assert line.R(payload=payload).silent is dropped
        assert line.L(payload=payload).silent is dropped
        assert line.R(payload=b"\x43" * 40).untouched


def test_what_a_stateless_box_exempts_is_one_packet() -> None:
    allowed = Rule("allowed", Match(quic=QuicForm(min_payload=1300)), Allow())
    line = Line(
        Policy("box", PROFILES["transit"], (allowed, Rule("all", Match(quic=FORM), SilentDrop()))), udp=True
    )
    assert line.L(payload=initial(1300)).arrived
    assert line.L(payload=initial(1200)).silent


def test_a_box_with_state_judges_the_first_only() -> None:
    line = Line(policy(Match(quic=FORM), SilentDrop(), "t22"), udp=True)
    assert line.L(payload=b"\x43" * 40).untouched
    assert line.L(payload=initial()).untouched
