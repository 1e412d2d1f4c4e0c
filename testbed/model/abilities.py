"""What programs that bring their own rules ask of a machine: names, and what tries each. Pure.

The doctor shows all of them, a recipe names those that its tool needs; `testbed.world.capable` tries them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from testbed.errors import nearest

_OUT, _IN = "-t mangle -A POSTROUTING -p tcp", "-t mangle -A PREROUTING -p tcp"
_FIRST_PACKETS: Final = "-m connbytes --connbytes 1:6 --connbytes-dir original --connbytes-mode packets"
_XT: Final = "sudo modprobe {} (CONFIG_NETFILTER_XT_{})"


@dataclass(frozen=True, slots=True)
class Ability:
    """Something that a machine can do for a subscriber's programs. `tries`: commands that all succeed."""

    name: str
    title: str
    cost: str  # what does not work without it
    remedy: str
    tries: tuple[str, ...] = ()


ABILITIES: Final = {
    one.name: one
    for one in (
        Ability(
            "users",
            "several users",
            "tools that become another user, and redirection by owner",
            "root, or subordinate ids for this user (see above)",
        ),
        Ability(
            "tun",
            "/dev/net/tun",
            "tunnel devices",
            "sudo chmod 666 /dev/net/tun; in a container also --device /dev/net/tun",
        ),
        Ability(
            "queue",
            "a subscriber's own NFQUEUE",
            "nfqws, dpibreak",
            _XT.format("xt_NFQUEUE", "TARGET_NFQUEUE"),
            (f"iptables-nft {_OUT} -j NFQUEUE --queue-num 9",),
        ),
        Ability(
            "nft-queue",
            "nft's queue statement",
            "zapret's scripts for nft; those for iptables run",
            "sudo modprobe nft_queue (CONFIG_NFT_QUEUE)",
            ("nft add table ip q", "nft add chain ip q c", "nft add rule ip q c queue num 9"),
        ),
        Ability(
            "connbytes",
            "counting a connection's packets",
            "tools that take the first packets only: nfqws",
            _XT.format("xt_connbytes", "MATCH_CONNBYTES"),
            (f"iptables-nft {_OUT} {_FIRST_PACKETS} -j ACCEPT",),
        ),
        Ability(
            "redirect",
            "REDIRECT",
            "transparent proxies: tpws, redsocks, sshuttle",
            _XT.format("xt_REDIRECT", "TARGET_REDIRECT"),
            ("iptables-nft -t nat -A OUTPUT -p tcp -j REDIRECT --to-ports 9",),
        ),
        Ability(
            "owner",
            "the owner match",
            "a transparent proxy beside its client: its own connections would come back to it",
            _XT.format("xt_owner", "MATCH_OWNER"),
            ("iptables-nft -A OUTPUT -m owner --uid-owner 0 -j ACCEPT",),
        ),
        Ability(
            "tproxy",
            "TPROXY",
            "transparent proxies that keep the address",
            _XT.format("xt_TPROXY", "TARGET_TPROXY"),
            (f"iptables-nft {_IN} -j TPROXY --on-port 9 --tproxy-mark 1",),
        ),
        Ability(
            "conntrack",
            "the conntrack match",
            "rules by a connection's state",
            "sudo modprobe xt_conntrack (CONFIG_NETFILTER_XT_MATCH_CONNTRACK)",
            ("iptables-nft -A OUTPUT -m conntrack --ctstate NEW -j ACCEPT",),
        ),
        Ability(
            "ipset",
            "ipset",
            "lists of addresses: zapret's scripts",
            "sudo apt-get install ipset; sudo modprobe xt_set (CONFIG_IP_SET, CONFIG_NETFILTER_XT_SET)",
            ("ipset create s hash:ip", "iptables-nft -A OUTPUT -m set --match-set s dst -j ACCEPT"),
        ),
        Ability(
            "u32",
            "the u32 match",
            "rules by a packet's bytes: dpibreak without nft",
            _XT.format("xt_u32", "MATCH_U32"),
            ("iptables-nft -A OUTPUT -m u32 --u32 0>>24=0x45 -j ACCEPT",),
        ),
        Ability(
            "masquerade",
            "MASQUERADE",
            "a tunnel's far end that forwards",
            _XT.format("xt_MASQUERADE", "TARGET_MASQUERADE"),
            ("iptables-nft -t nat -A POSTROUTING -j MASQUERADE",),
        ),
    )
}


def check_abilities(names: Iterable[str]) -> None:
    """ValueError, with the nearest name, for an ability that there is not."""
    for name in names:
        if name not in ABILITIES:
            raise ValueError(f"there is no ability {name!r}; {nearest(name, ABILITIES)}")
