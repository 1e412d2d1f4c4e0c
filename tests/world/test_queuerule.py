"""The rule that queues, as iptables reads it; what the kernel refuses is named, and changes nothing."""

import subprocess
from collections import Counter

import pytest

from testbed.errors import UnsupportedError
from testbed.middlebox import netfilter
from testbed.world.enter import isolated_call
from testbed.world.queuerule import QueueingChain, queue_in

TABLES = "".join(
    f"table {family} mangle {{\nchain FORWARD {{\ntype filter hook forward priority mangle;\n}}\n"
    "chain q {\n}\n}\n"
    for family in ("ip", "ip6")
)


def add_tables() -> None:
    subprocess.run(["nft", "-f", "-"], input=TABLES, text=True, check=True)


@pytest.mark.world("iptables-nft")
def test_each_chain_ends_with_its_queue_as_by_iptables() -> None:
    def body() -> list[str]:
        add_tables()
        queue_in(
            [
                QueueingChain("ip", "mangle", "FORWARD", 1),
                QueueingChain("ip", "mangle", "q", 65_535),
                QueueingChain("ip6", "mangle", "q", 2),
            ]
        )
        listed = [
            subprocess.run([program, "-t", "mangle", "-S"], capture_output=True, text=True, check=True).stdout
            for program in ("iptables-nft", "ip6tables-nft")
        ]
        return [line for line in "".join(listed).splitlines() if line.startswith("-A")]

    assert isolated_call(body) == [
        "-A FORWARD -j NFQUEUE --queue-num 1",
        "-A q -j NFQUEUE --queue-num 65535",
        "-A q -j NFQUEUE --queue-num 2",
    ]


@pytest.mark.world
def test_a_chain_that_is_not_there_is_named_and_no_other_is_changed() -> None:
    def body() -> tuple[str, Counter[str]]:
        add_tables()
        fine, missing = (QueueingChain("ip6", "mangle", chain, 1) for chain in ("FORWARD", "none"))
        with pytest.raises(UnsupportedError) as caught:
            queue_in([fine, missing])
        refused, rules = str(caught.value), netfilter.rules()
        queue_in([fine])
        return refused, netfilter.rules() - rules

    refused, added = isolated_call(body)
    assert refused.startswith(
        "ip6 mangle none: the kernel refuses xtables' NFQUEUE (No such file or directory); it needs "
    )
    assert added == {"ip6 mangle FORWARD": 1}


@pytest.mark.world
def test_hundreds_at_once() -> None:
    """Their answers would overflow the socket."""

    def body() -> int:
        made = "".join(f"chain q{number} {{\n}}\n" for number in range(600))
        subprocess.run(["nft", "-f", "-"], input=f"table ip mangle {{\n{made}}}\n", text=True, check=True)
        queue_in([QueueingChain("ip", "mangle", f"q{number}", number) for number in range(600)])
        return sum(netfilter.rules().values())

    assert isolated_call(body) == 600
