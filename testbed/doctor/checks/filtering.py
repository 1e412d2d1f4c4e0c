"""nft sets keyed by 4-tuple, which carry out a decision for every later packet of its flow."""

from testbed.doctor.checks.tools import datagrams_through, run
from testbed.doctor.feature import Absent, Feature, Need
from testbed.world.linux import loopback_up

_FLOW = "ip saddr . udp sport . ip daddr . udp dport"
_DATAGRAMS, _BYTES = 20, 500


def _arrived(*rules: str) -> int:
    """How many of a burst of datagrams of one flow pass these rules. The table remains for inspection."""
    loopback_up()
    table = f"""
    table inet t {{
        set s {{ type ipv4_addr . inet_service . ipv4_addr . inet_service; flags dynamic,timeout; size 64; }}
        chain c {{ type filter hook output priority 0; {"; ".join(rules)}; }}
    }}"""
    run("nft", "-f", "-", stdin=table)
    return datagrams_through(_DATAGRAMS, _BYTES)


def _elements() -> str:
    return run("nft", "list", "set", "inet", "t", "s").partition("elements")[2]


def timeout() -> str:
    """A packet adds its flow to a set, with a timeout of its own."""
    _arrived(f"add @s {{ {_FLOW} timeout 30s }}")
    if "expires" not in _elements():
        raise Absent("the packet's flow is not in the set, or has no timeout")
    return "per-element timeout"


def limit() -> str:
    """A flow's own limit drops packets above its rate, and only those."""
    arrived = _arrived(
        f"add @s {{ {_FLOW} timeout 30s limit rate over 100 bytes/second burst 5000 bytes }}",
        f"{_FLOW} @s drop",
    )
    return _some(arrived)


def quota() -> str:
    """A flow's own quota drops packets beyond its volume, and only those."""
    arrived = _arrived(f"add @s {{ {_FLOW} timeout 30s quota over 5000 bytes }}", f"{_FLOW} @s drop")
    return _some(arrived)


def _some(arrived: int) -> str:
    if not 0 < arrived < _DATAGRAMS:
        raise Absent(f"{arrived} of {_DATAGRAMS} datagrams passed; some should, and some should not")
    return f"{arrived} of {_DATAGRAMS} datagrams passed"


def delete() -> str:
    """A packet removes its flow from a set."""
    _arrived(f"add @s {{ {_FLOW} timeout 30s }}", f"delete @s {{ {_FLOW} }}")
    if left := _elements():
        raise Absent(f"the flow is still in the set:{left}")
    return "delete in a rule"


_NFT = "use a kernel of 5.15 or newer with CONFIG_NF_TABLES_INET, and install nftables 1.0 or newer"

FEATURES = (
    Feature(
        "nft-timeout",
        "nft sets with a timeout per element",
        Need.REQUIRED,
        "no residual blocking",
        _NFT,
        timeout,
    ),
    Feature("nft-limit", "nft limit per element", Need.REQUIRED, "no throttling (policers)", _NFT, limit),
    Feature("nft-quota", "nft quota per element", Need.REQUIRED, "no freeze after N bytes", _NFT, quota),
    Feature(
        "nft-delete",
        "nft delete in a rule",
        Need.REQUIRED,
        "a reused port keeps the old verdict",
        _NFT,
        delete,
    ),
)
