"""What each way of a client sets up at the subscriber, and takes back."""

import pytest

from testbed.model.clientway import ways_known
from testbed.model.ways.fetch import Fetching
from testbed.model.ways.queue import Queued
from testbed.model.ways.redirect import Redirected
from testbed.model.ways.tproxy import TransparentlyProxied
from testbed.model.ways.transparent import Transparent
from testbed.model.ways.tun import TunnelDevice

SERVER = ("95.216.2.1",)


def done(way, ipv=4, servers=SERVER):
    return [" ".join(step.do) for step in way.steps(ipv, servers)]


def test_every_way_is_found_by_its_key():
    assert sorted(ways_known()) == ["fetch", "queue", "redirect", "tproxy", "transparent", "tun"]


def test_redirection_spares_the_tool():
    rule = "-p tcp -m multiport --dports 80,443 -m owner ! --uid-owner daemon -j REDIRECT --to-ports 988"
    assert done(Redirected(988, user="daemon")) == [f"iptables-nft -w -t nat -A OUTPUT {rule}"]
    (six,) = Redirected(988, group="7", ports=(443,)).steps(6, ())
    assert six.do[:4] == ("ip6tables-nft", "-w", "-t", "nat")
    assert six.undo == tuple("-D" if word == "-A" else word for word in six.do)


@pytest.mark.parametrize("named", [{}, {"user": "a", "group": "b"}])
def test_redirection_needs_one_owner(named):
    with pytest.raises(ValueError, match="as which user, or in which group"):
        Redirected(988, **named)


def test_connections_reach_a_transparent_proxy_as_they_are():
    mine = TransparentlyProxied(988, mark=2, ports=(443,))
    rule, ports = "iptables-nft -w -t mangle -A", "-p tcp -m multiport --dports 443"
    mark = "0x100000/0x100000"
    assert done(mine) == [
        "ip -4 route add local default dev lo table 51821",
        "ip -4 rule add pref 9010 fwmark 0x100000/0x100000 lookup 51821",
        f"{rule} PREROUTING -i lo {ports} -m mark --mark {mark} -j TPROXY --on-port 988 --tproxy-mark {mark}",
        f"{rule} OUTPUT {ports} -m mark ! --mark 0x2/0x2 -j MARK --set-xmark {mark}",
    ]
    assert mine.needs == ("tproxy",)
    assert TransparentlyProxied(988, user="daemon").needs == ("tproxy", "owner", "users")
    with pytest.raises(ValueError, match="say as which user, in which group, or with which mark"):
        TransparentlyProxied(988, user="daemon", mark=2)


def test_a_queue_gets_the_first_packets_that_the_tool_did_not_send():
    up = (
        "iptables-nft -w -t mangle -A POSTROUTING -p tcp -m multiport --dports 443 -m connbytes "
        "--connbytes 1:6 --connbytes-dir original --connbytes-mode packets "
        "-m mark ! --mark 0x40000000/0x40000000 -j NFQUEUE --queue-num 200"
    )
    assert done(Queued(200, ports=(443,), first=6)) == [up]
    both = done(Queued(200, ports=(443,), first=6, answers=3, udp=True))
    assert [line.split()[5] for line in both] == ["POSTROUTING", "PREROUTING"] * 2
    assert "--sports 443 -m connbytes --connbytes 1:3 --connbytes-dir reply" in both[1]


def test_a_tunnel_has_a_table_of_its_own_and_spares_its_server():
    assert done(TunnelDevice("wgt")) == [
        "ip -4 route add default dev wgt table 51820",
        "ip -4 rule add pref 9000 to 95.216.2.1 lookup main",
        "ip -4 rule add pref 9001 lookup main suppress_prefixlength 0",
        "ip -4 rule add pref 9002 lookup 51820",
    ]
    assert done(TunnelDevice("sbt", "tool")) == []


def test_what_needs_nothing_set_up():
    assert done(Transparent("NFQUEUE")) == []
    fetching = Fetching('curl "$TESTBED_TARGET"')
    assert (done(fetching), fetching.command) == ([], 'curl "$TESTBED_TARGET"')
    with pytest.raises(ValueError, match=r"must fetch \$TESTBED_TARGET"):
        Fetching("curl")
