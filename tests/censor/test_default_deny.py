"""Policies that refuse what they do not know, as data: allow-lists of mobile operators, UDP to hosting
networks, the freeze with its exceptions. C numbers are the conformance cases' names.
"""

from ipaddress import ip_network

import pytest
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.freeze import Freeze
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from tests.censor.line import INSIDE, OUTSIDE, Line, Result, hello, names, opened

BOTH = pytest.mark.parametrize("version", [4, 6])
EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
HERE = (ip_network("104.244.42.0/24"), ip_network("2606:1f80:f000::/48"))
ELSEWHERE = (ip_network("77.88.0.0/18"),)
SSH = b"SSH-2.0-OpenSSH_9.6\r\n"


def ping(line: Line) -> Result:
    if line.version == 4:
        return line.send(IP(src=INSIDE[4], dst=OUTSIDE[4]) / ICMP() / b"ping")
    return line.send(IPv6(src=INSIDE[6], dst=OUTSIDE[6]) / ICMPv6EchoRequest(data=b"ping"))


def initial(name: str) -> bytes:
    """What aioquic's client sends first."""
    setup = QuicConfiguration(is_client=True, server_name=name, alpn_protocols=["h3"])
    client = QuicConnection(configuration=setup)
    client.connect(("192.0.2.1", 443), now=0.0)
    return client.datagrams_to_send(now=0.0)[0][0]


# --- the mobile allow-list -----------------------------------------------------------------------


def allow_list(*allowed: Match) -> Policy:
    """Beeline, September 2025: SYN delivered and answered, everything after it silent (N4P#516)."""
    resolver = Match(ip=HERE, ports=(53,), transport="udp")
    rules = [Rule(f"allowed-{number}", match, Allow()) for number, match in enumerate((*allowed, resolver))]
    rules.append(Rule("rest", Match(ip=EVERYWHERE, data=True), SilentDrop()))
    return Policy("mob-wl", PROFILES["mob-wl"], tuple(rules))


BY_NAME = Match(tls_sni=names("vk.com", "*.vk.com"))
BY_ADDRESS = Match(ip=HERE)
BY_BOTH = Match(tls_sni=names("vk.com"), ip=HERE)


@BOTH
def test_c113_the_syn_is_answered_the_clienthello_is_silent_and_ping_is_dead(version: int) -> None:
    line = opened(allow_list(BY_NAME), version)
    for _ in range(3):
        assert line.L(payload=hello("x.com")).silent
        line.wait(1)
    assert line.R(payload=b"anything").silent
    assert line.L("FA").silent
    assert ping(line).silent


@BOTH
@pytest.mark.parametrize(
    ("allowed", "name", "passes"),
    [
        (BY_NAME, "vk.com", True),
        (BY_NAME, "m.vk.com", True),
        (BY_NAME, "x.com", False),
        (BY_ADDRESS, "x.com", True),
        (Match(ip=ELSEWHERE), "vk.com", False),
        (BY_BOTH, "vk.com", True),
        (BY_BOTH, "x.com", False),
        (Match(tls_sni=names("vk.com"), ip=ELSEWHERE), "vk.com", False),
    ],
)
def test_listed_names_or_addresses_or_both_pass(
    version: int, allowed: Match, name: str, passes: bool
) -> None:
    line = opened(allow_list(allowed), version)
    assert (line.L(payload=hello(name)).arrived is not None) is passes
    for send in (line.R, line.L, line.R):
        assert (send(payload=b"data").arrived is not None) is passes


@BOTH
def test_other_data_than_tls_is_silent(version: int) -> None:
    assert opened(allow_list(BY_NAME), version, dport=22).L(payload=SSH).silent
    assert opened(allow_list(BY_NAME), version, dport=80).L(payload=b"GET / HTTP/1.1\r\n\r\n").silent
    line = Line(allow_list(BY_NAME), version, udp=True)
    assert line.L(payload=initial("vk.com")).silent
    assert line.L(payload=b"x").silent


@BOTH
def test_the_operators_resolver_answers(version: int) -> None:
    line = Line(allow_list(BY_NAME), version, udp=True, dport=53)
    query = bytes.fromhex("126701000001000000000000017803636f6d0000010001")
    for _ in range(3):
        assert line.L(payload=query).arrived is not None
        assert line.R(payload=query).arrived is not None


def test_a_listed_address_answers_pings() -> None:
    assert ping(Line(allow_list(BY_ADDRESS))).arrived is not None


def test_twin_without_the_last_rule_everything_passes() -> None:
    rules = allow_list(BY_NAME).rules[:-1]
    line = opened(Policy("box", PROFILES["mob-wl"], rules))
    assert line.L(payload=hello("x.com")).arrived is not None
    assert ping(line).arrived is not None


# --- UDP to a hosting network, 2026 --------------------------------------------------------------


def udp_deny() -> Policy:
    """A UDP flow lives only if it begins with an Initial of an allowed name (NTC1823 #76-77)."""
    rules = (
        Rule("allowed", Match(quic_sni=names("vk.com"), ip=HERE), Allow()),
        Rule("rest", Match(ip=HERE, transport="udp"), SilentDrop(refresh=True)),
    )
    return Policy("t26", PROFILES["t26"], rules)


@BOTH
def test_c78_random_udp_is_dropped(version: int) -> None:
    line = Line(udp_deny(), version, udp=True, dport=51820)
    assert line.L(payload=b"\x17" * 200).silent
    assert line.R(payload=b"\x17" * 200).silent
    assert line.L(payload=initial("vk.com")).silent, "too late"


@BOTH
def test_c78_unless_the_flow_began_with_an_allowed_initial(version: int) -> None:
    line = Line(udp_deny(), version, udp=True)
    assert line.L(payload=initial("vk.com")).arrived is not None
    for send in (line.R, line.L):
        assert send(payload=b"\x17" * 200).arrived is not None


@BOTH
def test_c78_another_initial_is_dropped(version: int) -> None:
    line = Line(udp_deny(), version, udp=True)
    assert line.L(payload=initial("x.com")).silent
    assert line.L(payload=b"\x17" * 200).silent


def test_twin_another_network_and_tcp_are_left_alone() -> None:
    rules = tuple(
        Rule(r.name, Match(quic_sni=r.match.get("quic.sni"), ip=ELSEWHERE, transport="udp"), r.action)
        for r in udp_deny().rules
    )
    assert Line(Policy("t26", PROFILES["t26"], rules), udp=True).L(payload=b"x" * 200).arrived is not None
    assert Line(udp_deny()).L("S").arrived is not None


# --- the freeze and whom it spares, 2025 ---------------------------------------------------------


def freeze() -> Policy:
    """A hosting network frozen, SSH and listed names spared (N4P#490)."""
    rules = (
        Rule("ssh", Match(protocol=("ssh",)), Allow()),
        Rule("listed", Match(tls_sni=names("4pda.to")), Allow()),
        Rule("blocked", Match(tls_sni=names("x.com")), SilentDrop()),
        Rule("freeze", Match(ip=HERE), Freeze()),
    )
    return Policy("t25", PROFILES["t25"], rules)


@BOTH
@pytest.mark.parametrize(
    ("port", "first", "passes"),
    [
        (443, hello("n.com"), False),
        (443, hello("4pda.to"), True),
        (2222, SSH, True),
        (22, b"random", False),
    ],
    ids=["unlisted name", "listed name", "ssh", "unknown"],
)
def test_c94_ssh_and_listed_names_are_not_frozen(version: int, port: int, first: bytes, passes: bool) -> None:
    line = opened(freeze(), version, dport=port)
    assert line.L(payload=first).arrived is not None
    assert all(line.R(payload=bytes(1400)).arrived is not None for _ in range(40)) is passes


@BOTH
def test_a_blocked_name_in_a_frozen_network_is_blocked(version: int) -> None:
    line = opened(freeze(), version)
    assert line.L(payload=hello("x.com")).silent
    assert line.R(payload=b"data").silent


@BOTH
def test_pings_alone_by_transport(version: int) -> None:
    rules = (Rule("ping", Match(transport="icmp"), SilentDrop(scope="packet")),)
    line = Line(Policy("box", PROFILES["mob-wl"], rules), version)
    ping = IP(src="95.24.0.2", dst="1.2.3.4") / ICMP() if version == 4 else IPv6() / ICMPv6EchoRequest()
    assert line.raw(bytes(ping)).silent
    line.handshake()


def test_random_dns_queries_are_no_openvpn() -> None:
    rules = (Rule("vpn", Match(protocol=("openvpn",)), SilentDrop()),)
    line = Line(Policy("box", PROFILES["t23"], rules), udp=True, dport=53)
    for number in range(300):
        line.new_port()
        assert line.L(
            payload=number.to_bytes(2, "big") + b"\x01\0\0\x01\0\0\0\0\0\0\x01n\x03com\0\0\x01\0\x01"
        ).untouched
