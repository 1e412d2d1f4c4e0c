"""What each technique does to the packets, on the core. C numbers are the conformance cases' names."""

from ipaddress import ip_network

import dns.message
import dns.rcode
import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6DestUnreach

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.dns import DnsLie
from testbed.censor.actions.grace_drop import GraceDrop
from testbed.censor.actions.icmp import Icmp
from testbed.censor.actions.page import Page
from testbed.censor.actions.policer import Policer
from testbed.censor.actions.rst import InjectRst
from testbed.censor.actions.rst_rewrite import RewriteRst
from testbed.censor.actions.shape import Shape
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.decision import Verdict
from testbed.censor.handover import Drop, Pass, Police
from testbed.censor.match.quic import QuicForm
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from tests.censor.line import OUTSIDE, Line, checksums_right, hello, names, policy, sni

BOTH = pytest.mark.parametrize("version", [4, 6])
GET = b"GET /page HTTP/1.1\r\nHost: x.com\r\n\r\n"
BLOCKED = (ip_network("104.244.42.0/24"), ip_network("2606:1f80:f000::/48"))


def opened(with_policy: Policy, version: int = 4, **fields: int) -> Line:
    line = Line(with_policy, version, **fields)
    line.handshake()
    return line


# --- SNI-I ---------------------------------------------------------------------------------------


@BOTH
def test_c27_sni1_server_packets_become_rst_ack(version: int) -> None:
    line = opened(sni(RewriteRst()), version)
    assert line.L(payload=hello()).arrived is not None
    ttl = {"ttl": 51} if version == 4 else {"hlim": 51}
    reset = line.R("A", b"", **ttl)
    assert reset.arrived[TCP].flags == "RA"
    for attempt in range(3):  # C28: each retransmission again
        seen = line.R("PA", b"server hello" * 80, **ttl).arrived
        assert seen[TCP].flags == "RA", attempt
        assert len(seen[TCP].payload) == 0
        assert seen.ttl == 51 if version == 4 else seen.hlim == 51
        assert checksums_right(seen)
    assert line.L(payload=b"client goes on").untouched


def test_c40_sni1_residual_ends_after_75_seconds() -> None:
    line = opened(sni(RewriteRst()))
    line.L(payload=hello())
    line.wait(70)
    line.L(payload=b"innocuous")
    assert line.R("A").arrived[TCP].flags == "RA"
    line.wait(10)
    assert line.R("A").untouched


def test_without_the_rule_nothing_happens() -> None:
    line = opened(sni(RewriteRst(), "other.com"))
    assert line.L(payload=hello()).untouched
    assert line.R("PA", b"server hello").untouched


# --- SNI-II, SNI-IV ------------------------------------------------------------------------------


@BOTH
def test_c30_sni2_passes_five_to_eight_packets_then_none(version: int) -> None:
    passed = set()
    for _ in range(30):
        line = Line(sni(GraceDrop()), version, seed=_)
        line.handshake()
        assert line.L(payload=hello()).arrived is not None
        count = 0
        while not (line.R("A") if count % 2 else line.L("A")).silent:
            count += 1
            assert count <= 8
        passed.add(count)
        assert line.L(payload=b"more").silent
        assert line.R(payload=b"more").silent
    assert passed == {5, 6, 7, 8}


def test_c34_c42_sni4_is_silent_for_40_seconds() -> None:
    line = opened(sni(SilentDrop()))
    fired = line.L(payload=hello())
    assert fired.silent
    assert isinstance(fired.decision.handover, Drop)
    assert fired.decision.handover.timeout == 40
    line.wait(35)
    assert line.L(payload=b"n").silent
    assert line.R("A").silent
    line.wait(10)
    assert line.L(payload=b"n").arrived is not None


def test_a_refreshed_residual_lasts_while_packets_come() -> None:
    for refresh, silent in ((True, True), (False, False)):
        line = opened(sni(SilentDrop(residual=420, refresh=refresh)))
        line.L(payload=hello())
        for _ in range(3):
            line.wait(200)
            result = line.L(payload=b"n")
        assert result.silent is silent


# --- the legacy reset ----------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("to", ["client", "server", "both"])
def test_legacy_reset_goes_where_it_should(version: int, to: str) -> None:
    line = opened(sni(InjectRst(to=to), profile="leg-passive"), version)
    data = hello()
    seq, ack = line.seq["L"], line.seq["R"]
    result = line.L(payload=data)
    assert result.arrived is not None, "a passive box cannot stop the ClientHello"
    assert bool(result.to_inside) is (to in {"client", "both"})
    assert bool(result.to_outside) is (to in {"server", "both"})
    for reset in result.to_inside:
        assert (reset[TCP].flags, reset[TCP].seq, reset[TCP].ack) == ("RA", ack, seq + len(data))
        assert checksums_right(reset)
    for reset in result.to_outside:
        assert (reset[TCP].flags, reset[TCP].seq, reset[TCP].ack) == ("RA", seq + len(data), ack)
        assert checksums_right(reset)


def test_legacy_reset_has_the_2016_header_fields() -> None:
    reset = opened(sni(InjectRst(), profile="leg-passive")).L(payload=hello()).to_inside[0]
    assert (reset.len, reset.id, reset.ttl, str(reset.flags), reset.tos) == (40, 0, 64, "", 0)
    assert (reset[TCP].window, reset[TCP].dataofs) == (0, 5)
    own = opened(sni(InjectRst(ttl=57, ip_id=1, window=512), profile="leg-passive"))
    reset = own.L(payload=hello()).to_inside[0]
    assert (reset.id, reset.ttl, reset[TCP].window) == (1, 57, 512)


def test_an_active_box_may_drop_the_trigger() -> None:
    line = opened(sni(InjectRst(to="both", trigger="drop"), profile="leg-active"))
    seq = line.seq["L"]
    result = line.L(payload=hello())
    assert result.arrived is None
    assert result.to_outside[0][TCP].seq == seq, "the server never saw the ClientHello"


def test_a_reset_is_not_answered_by_a_reset() -> None:
    line = opened(policy(Match(ip=BLOCKED[:1], ports=(443,)), InjectRst(), "leg-active", rst=0.0), dport=80)
    line.dport = 443
    assert line.L("R").untouched


# --- addresses and ports -------------------------------------------------------------------------


@BOTH
def test_c58_syn_to_a_blocked_address_meets_silence(version: int) -> None:
    for port in (80, 443, 8080):
        line = Line(policy(Match(ip=BLOCKED), SilentDrop()), version, dport=port)
        assert line.L("S").silent
        assert line.L("S").silent
    assert Line(policy(Match(ip=(ip_network("1.2.3.0/24"),)), SilentDrop()), version).L("S").untouched


@BOTH
def test_refused_by_reset(version: int) -> None:
    line = Line(policy(Match(ip=BLOCKED, ports=(443,)), InjectRst(trigger="drop"), "leg-active"), version)
    result = line.L("S")
    assert result.arrived is None
    assert (result.to_inside[0][TCP].flags, result.to_inside[0][TCP].ack) == ("RA", 1001)
    line = Line(policy(Match(ip=BLOCKED, ports=(443,)), InjectRst(), "leg-active"), version, dport=80)
    assert line.L("S").untouched


@BOTH
@pytest.mark.parametrize(("code", "numbers"), [("admin-prohibited", (13, 1)), ("port-unreachable", (3, 4))])
def test_refused_by_icmp(version: int, code: str, numbers: tuple[int, int]) -> None:
    line = Line(policy(Match(ip=BLOCKED), Icmp(code=code), "leg-active"), version)
    result = line.L("S")
    assert result.arrived is None
    error = result.to_inside[0]
    layer = error[ICMP] if version == 4 else error[ICMPv6DestUnreach]
    assert (layer.type, layer.code) == ((3, numbers[0]) if version == 4 else (1, numbers[1]))
    assert error.src == OUTSIDE[version]
    again = error.copy()
    if version == 4:
        del again[ICMP].chksum
    else:
        del again[ICMPv6DestUnreach].cksum
    assert bytes(again) == bytes(error)


@BOTH
def test_a_blocked_udp_port(version: int) -> None:
    line = Line(policy(Match(ports=(853,), transport="udp"), SilentDrop()), version, dport=853, udp=True)
    assert line.L(payload=b"x").silent
    assert (
        Line(policy(Match(ports=(853,), transport="tcp"), SilentDrop()), dport=853, udp=True)
        .L(payload=b"x")
        .untouched
    )


# --- bandwidth -----------------------------------------------------------------------------------


@BOTH
def test_policed_flow_goes_to_the_kernels_buckets(version: int) -> None:
    line = opened(sni(Policer(rate=140_000), profile="t21"), version)
    fired = line.L(payload=hello())
    assert fired.arrived is not None
    assert isinstance(fired.decision.handover, Police)
    assert fired.decision.handover.timeout == 600


def test_c51_a_busy_policed_flow_stays_policed_and_c49_an_idle_one_does_not() -> None:
    line = opened(sni(Policer(rate=140_000), profile="t21"))
    line.L(payload=hello())
    for _ in range(20):
        line.wait(400)
        assert line.R(payload=b"x").untouched
    assert line.box.counted["police_0"] == 1, "handed over once, and never given up by the kernel"
    assert line.R(payload=bytes(30_000)).silent
    line.wait(660)
    assert line.R(payload=bytes(30_000)).arrived is not None


@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_shaper_delays_in_its_direction_only(direction: str) -> None:
    line = opened(sni(Shape(rate=80_000, direction=direction)))
    line.L(payload=hello())
    start = line.now + 100  # the trigger has left the queue by then
    line.now = start
    for who, way in (("L", "up"), ("R", "down")):
        releases = [getattr(line, who)(payload=bytes(960)).decision.release_at for _ in range(3)]
        if direction in (way, "both"):
            assert releases == pytest.approx([start + 0.1, start + 0.2, start + 0.3])  # 1,000 B at 10 kB/s
        else:
            assert releases == [None] * 3


def test_a_faster_clock_does_not_change_the_rate() -> None:
    line = Line(sni(Shape(rate=80_000, direction="down")), time_scale=420)
    line.handshake()
    line.L(payload=hello())
    # 1,000 bytes take 0.1 s of real time, which are 42 s of this clock
    assert line.R(payload=bytes(960)).decision.release_at == pytest.approx(42)


def test_shaper_drops_only_what_its_queue_cannot_hold() -> None:
    line = opened(sni(Shape(rate=80_000, queue=5000, direction="down")))
    line.L(payload=hello())
    results = [line.R(payload=bytes(960)) for _ in range(10)]
    assert [result.silent for result in results] == [False] * 6 + [True] * 4


@pytest.mark.parametrize(("per", "second"), [("flow", 0.1), ("host", 0.2)])
def test_shaper_per_flow_or_per_host(per: str, second: float) -> None:
    line = opened(sni(Shape(rate=80_000, direction="down", per=per)))
    line.L(payload=hello())
    assert line.R(payload=bytes(960)).decision.release_at == pytest.approx(0.1)
    line.new_port()
    line.handshake()
    line.L(payload=hello())
    assert line.R(payload=bytes(960)).decision.release_at == pytest.approx(second)


# --- HTTP ----------------------------------------------------------------------------------------


def page(profile: str = "leg-passive", **fields: object) -> Policy:
    return policy(Match(http_host=names("x.com", "*.x.com")), Page(**fields), profile)


@BOTH
def test_c101_a_redirect_is_forged_and_the_request_goes_on(version: int) -> None:
    line = opened(page(location="http://blackhole.beeline.ru"), version, dport=80)
    result = line.L(payload=GET)
    assert bytes(result.arrived[TCP].payload) == GET
    forged = result.to_inside[0]
    assert forged[TCP].flags == "FPA"
    assert bytes(forged[TCP].payload).startswith(
        b"HTTP/1.1 302 Found\r\nLocation: http://blackhole.beeline.ru\r\n"
    )
    assert checksums_right(forged)
    assert line.R(payload=b"HTTP/1.1 200 OK\r\n\r\n").untouched, "the true answer arrives too"


def test_an_active_box_stops_the_request_and_tells_the_server() -> None:
    line = opened(page("leg-active", status=200, body="<h1>Доступ ограничен</h1>" * 200), dport=80)
    result = line.L(payload=GET)
    assert result.arrived is None
    body = b"".join(bytes(segment[TCP].payload) for segment in result.to_inside)
    assert "Доступ ограничен" in body.decode()
    assert [str(s[TCP].flags) for s in result.to_inside] == ["PA"] * (len(result.to_inside) - 1) + ["FPA"]
    assert result.to_outside[0][TCP].flags == "RA"
    assert line.L("FA").silent


@pytest.mark.parametrize(
    "request_",
    [
        GET.replace(b"Host", b"host"),
        GET.replace(b"x.com", b"x.com."),
        GET.replace(b"x.com", b"x.com\t"),
        GET.replace(b"GET ", b"GET  "),
        GET.replace(b"\r\n", b"\n"),
        GET.replace(b"x.com", b"n.com"),
    ],
)
def test_c104_unusual_requests_are_missed(request_: bytes) -> None:
    assert opened(page(location="http://block/"), dport=80).L(payload=request_).untouched


@pytest.mark.parametrize("cut", [3, 10, 30])
def test_c104_a_request_in_two_segments_is_missed(cut: int) -> None:
    line = opened(page(location="http://block/"), dport=80)
    assert line.L(payload=GET[:cut]).untouched
    assert line.L(payload=GET[cut:]).untouched


def test_a_port_in_the_host_header_does_not_hide_it() -> None:
    line = opened(page(location="http://block/"), dport=80)
    assert line.L(payload=GET.replace(b"x.com", b"www.x.com:80")).fired


# --- DNS -----------------------------------------------------------------------------------------


def lie(profile: str, **fields: object) -> Policy:
    return policy(Match(dns_qname=names("x.com")), DnsLie(**fields), profile)


def query(name: str = "x.com", kind: str = "A") -> bytes:
    return dns.message.make_query(name, kind, id=4711, use_edns=0).to_wire()


def answer(packet: IP) -> dns.message.Message:
    return dns.message.from_wire(bytes(packet["UDP"].payload))


@BOTH
def test_c107_a_sinkhole_is_injected_and_the_query_goes_on(version: int) -> None:
    line = Line(lie("leg-dns", a=("95.167.13.50",)), version, dport=53, udp=True)
    result = line.L(payload=query())
    assert result.arrived is not None, "the true answer will come as well"
    forged = answer(result.to_inside[0])
    assert forged.id == 4711
    assert [str(item) for rrset in forged.answer for item in rrset] == ["95.167.13.50"]
    assert checksums_right(result.to_inside[0])
    other = answer(line.L(payload=query(kind="AAAA")).to_inside[0])
    assert not other.answer
    assert other.rcode() == dns.rcode.NOERROR


def test_aaaa_sinkhole() -> None:
    line = Line(lie("leg-dns", aaaa=("2a01:620::50",)), 6, dport=53, udp=True)
    forged = answer(line.L(payload=query(kind="AAAA")).to_inside[0])
    assert [str(item) for rrset in forged.answer for item in rrset] == ["2a01:620::50"]


def test_nxdomain_in_the_path_drops_the_query() -> None:
    line = Line(lie("leg-active", rcode="nxdomain"), dport=53, udp=True)
    result = line.L(payload=query())
    assert result.arrived is None
    assert answer(result.to_inside[0]).rcode() == dns.rcode.NXDOMAIN
    assert line.L(payload=query("n.com")).untouched, "the next query of the same socket is judged by itself"


def test_dropped_query_does_not_take_the_socket_with_it() -> None:
    line = Line(policy(Match(dns_qname=names("x.com")), SilentDrop(), "leg-active"), dport=53, udp=True)
    assert line.L(payload=query()).silent
    assert line.L(payload=query("n.com")).untouched
    assert line.L(payload=query()).silent


def test_dns_over_tcp_is_answered_in_its_stream() -> None:
    line = opened(lie("leg-active", rcode="nxdomain"), dport=53)
    framed = len(query()).to_bytes(2, "big") + query()
    result = line.L(payload=framed)
    forged = bytes(result.to_inside[0][TCP].payload)
    assert dns.message.from_wire(forged[2:]).rcode() == dns.rcode.NXDOMAIN


# --- QUIC ----------------------------------------------------------------------------------------

QUIC22 = policy(Match(quic=QuicForm()), SilentDrop(residual=420, refresh=True))


def initial(size: int, version: int = 1) -> bytes:
    return (b"\xc3" + version.to_bytes(4, "big")).ljust(size, b"\0")


@BOTH
def test_c62_quic_of_1001_bytes_kills_the_flow(version: int) -> None:
    line = Line(QUIC22, version, udp=True)
    assert line.L(payload=initial(1001)).silent
    assert line.L(payload=b"short").silent
    assert line.R(payload=b"short").silent


@pytest.mark.parametrize(
    ("first", "port"),
    [(initial(1000), 443), (initial(1001), 8443), (initial(1200, 0xFF00001D), 443)],
    ids=["C63 shorter", "C64 another port", "C67 draft-29"],
)
def test_quic_that_passes(first: bytes, port: int) -> None:
    line = Line(QUIC22, udp=True, dport=port)
    assert line.L(payload=first).untouched
    assert line.L(payload=initial(1200)).untouched, "only the first datagram of a flow is judged"


def test_c68_quic_opened_from_outside_passes() -> None:
    line = Line(QUIC22, udp=True)
    assert line.R(payload=initial(1200)).untouched
    assert line.L(payload=initial(1200)).untouched


def test_c69_an_exempt_address_passes() -> None:
    rules = (Rule("white", Match(ip=BLOCKED), Allow()), *QUIC22.rules)
    line = Line(Policy("box", PROFILES["t22"], rules), udp=True)
    assert line.L(payload=initial(1200)).arrived is not None
    assert line.L(payload=initial(1200)).untouched


# --- a box that misses ---------------------------------------------------------------------------


def test_c38_a_share_of_triggers_gets_through() -> None:
    line = Line(sni(GraceDrop(), **{"grace-drop": 0.0176}))
    fired = 0
    for _ in range(3000):
        line.new_port()
        fired += line.L(payload=hello()).fired
    assert 0.010 < 1 - fired / 3000 < 0.027  # 1.76 % (IMC22q p.6), four standard deviations


@pytest.mark.parametrize("profile", ["leg-passive", "leg-dns"])
@pytest.mark.parametrize(
    "action", [SilentDrop(), RewriteRst(), Shape(rate=1000), Policer(rate=1000), GraceDrop((0, 0))]
)
def test_a_box_on_a_mirror_port_cannot_touch_packets(profile: str, action: SilentDrop) -> None:
    line = opened(sni(action, profile=profile))
    for result in (line.L(payload=hello()), line.R(payload=b"x"), line.L(payload=b"x"), line.L(payload=b"x")):
        assert result.decision.verdict is Verdict.PASS
        assert result.decision.handover is None or isinstance(result.decision.handover, Pass)
        assert result.decision.release_at is None


def test_what_is_no_query_gets_no_lie() -> None:
    response = bytearray(query())
    response[2] |= 0x80
    for message in (bytes(response), b"", b"\0" * 5, bytes(40)):
        assert DnsLie(rcode="nxdomain").forge(message) == b""


@pytest.mark.parametrize(("trigger", "fires"), [("tls", False), ("quic", True)])
def test_one_action_misses_by_what_triggers_it(trigger: str, *, fires: bool) -> None:
    line = opened(sni(SilentDrop(), **{f"drop {trigger}": 1.0, "drop": 0.0}))
    assert line.L(payload=hello()).silent is fires
