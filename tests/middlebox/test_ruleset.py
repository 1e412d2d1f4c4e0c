"""The nftables text, read as text; test_effects.py shows that it works."""

import re
import subprocess

import pytest

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.drop import Drop
from testbed.censor.actions.grace_drop import GraceDrop
from testbed.censor.actions.police import Police
from testbed.censor.actions.rst import InjectRst
from testbed.middlebox import kernel
from testbed.middlebox.marks import MAX_RULES
from testbed.middlebox.policer import Policer
from testbed.middlebox.ruleset import COUNTED, counter, ruleset
from testbed.world.enter import isolated_call
from tests.middlebox.lab import policy


def read(text, table):
    """The sets and the chains of one IP version; a chain may come in several pieces."""
    sets, chains, here, chain = {}, {}, "", ""
    for line in text.splitlines():
        words = line.split()
        if words[0] == "table":
            here = words[1]
        elif here != table:
            continue
        elif words[0] == "set":
            sets[words[1]] = line
        elif words[0] == "chain":
            chain = words[1]
        elif line.startswith(" "):
            chains.setdefault(chain, []).append(line.strip())
    return sets, chains


def chains(text, table="ip"):
    return read(text, table)[1]


def sets(text, table="ip"):
    return read(text, table)[0]


def test_only_the_sets_that_a_policy_needs():
    assert set(sets(ruleset(policy(Allow(), InjectRst())))) == {"pass"}
    assert set(sets(ruleset(policy(Drop(scope="packet"))))) == {"pass"}
    assert set(sets(ruleset(policy(Drop(), Allow(), GraceDrop())))) == {"pass", "drop_0", "drop_2"}
    police = policy(Police(rate=140e3), Police(rate=140e3, direction="up"))
    assert set(sets(ruleset(police))) == {"pass", "police_0", "up_0", "down_0", "police_1", "up_1"}


def test_both_ip_versions_are_alike():
    text = ruleset(policy(Drop(), Police(rate=140e3)))
    assert set(chains(text, "ip")) == set(chains(text, "ip6"))
    assert set(sets(text, "ip")) == set(sets(text, "ip6"))
    assert "ipv6_addr" not in str(sets(text, "ip"))
    assert "ipv4_addr" not in str(sets(text, "ip6"))
    assert text.count("insert rule ip mangle FORWARD jump before") == 1
    assert text.count("insert rule ip6 mangle FORWARD jump before") == 1


def test_every_key_names_the_protocol_and_every_set_its_size():
    for table in ("ip", "ip6"):
        for declared in sets(ruleset(policy(Drop(), Police(rate=140e3))), table).values():
            assert "inet_proto" in declared
            assert re.search(r"size \d+;", declared)


def test_verdicts_first_then_passed_then_held_flows():
    before = chains(ruleset(policy(Drop(), Police(rate=140e3))))["before"]
    assert [line.split()[-1] for line in before] == ["verdict", "passed", "drop_0", "police_1"]


def test_times_are_the_censors_and_rates_are_real():
    text = ruleset(policy(Drop(residual=420.0), Police(rate=140e3, idle=600.0)), time_scale=420.0)
    handover = "\n".join(chains(text)["handover"])
    assert "@drop_0 { ip saddr . th sport . ip daddr . th dport . meta l4proto timeout 1000ms }" in handover
    assert "timeout 1429ms" in handover
    assert "limit rate over 17500 bytes/second" in text


def test_a_profiles_residual_time_is_used_where_the_rule_gives_none():
    own = policy(Drop())
    seconds = own.profile.residual_of("drop")
    assert f"timeout {round(seconds * 1000)}ms" in "\n".join(chains(ruleset(own))["handover"])


@pytest.mark.parametrize("refresh", [True, False])
def test_only_refreshed_drops_are_updated_by_packets(refresh):
    held = chains(ruleset(policy(Drop(refresh=refresh))))["drop_0"]
    assert any(line.startswith("update") for line in held) == refresh
    assert held[-1] == "counter name flow_drop_0 drop"


def test_a_policed_packet_meets_its_limit_once():
    for per in ("flow", "host"):
        for direction in ("both", "up", "down"):
            lines = chains(ruleset(policy(Police(rate=140e3, per=per, direction=direction))))["police_0"]
            limits = [line for line in lines if "limit rate over" in line]
            interfaces = [line.split(" update")[0] for line in limits]
            assert (
                interfaces
                == {
                    "both": ['iif "in"', 'iif != "in"'],
                    "up": ['iif "in"'],
                    "down": ['iif != "in"'],
                }[direction]
            )
            assert lines[-1] == "accept"
            hosts = [re.search(r"@(up|down)_0 { ip [sd]addr timeout", line) is not None for line in limits]
            assert set(hosts) == {per == "host"}


@pytest.mark.parametrize(
    ("rate", "burst", "kernel"),
    [
        (140e3, 16_384, (17_500, 0, 17_500)),
        (5_200, 1_500, (650, 850, 1_500)),
        (2e6, 16_384, (250_000, 0, 250_000)),
        (8, 1500, (1, 1499, 1500)),
    ],
)
def test_the_bucket_is_the_burst_but_never_less_than_a_second(rate, burst, kernel):
    policer = Policer.of(Police(rate=rate, burst=burst), 0)
    assert (policer.rate, policer.burst, policer.bucket) == kernel


def test_more_rules_than_the_word_has_room_for():
    with pytest.raises(ValueError, match="65536 rules"):
        ruleset(policy(*[Allow()] * (MAX_RULES + 1)))


POLICIES = [(), (Allow(),), (Drop(), GraceDrop(), Police(rate=1e5, per="host")), (Drop(),) * 300]


@pytest.mark.world
@pytest.mark.parametrize("actions", POLICIES, ids=len)
def test_the_kernel_takes_it(actions):
    """Also 300 rules, and from an ordinary user, whose netlink socket is small."""

    def load():
        # `iif "in"` is resolved when the rules are loaded
        subprocess.run(["ip", "link", "add", "in", "type", "veth"], check=True)
        kernel.install(policy(*actions), 1.0, 1)
        return kernel.counters()

    counters = isolated_call(load)
    assert counters == {"pass_full": 0, "held_full": 0} | {
        counter(what, rule): 0 for what in COUNTED for rule in range(len(actions))
    }


@pytest.mark.world
def test_what_was_installed_can_be_removed_and_installed_again():
    """A removal leaves the tables to others: a delay line's rules stay."""
    mine = policy(Drop(), Police(rate=140e3), Allow())
    other = "*mangle\n-A PREROUTING -i in -j NFQUEUE --queue-num 700\nCOMMIT\n"

    def listed():
        command = ["nft", "list", "ruleset"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def body():
        subprocess.run(["ip", "link", "add", "in", "type", "veth"], check=True)
        subprocess.run(["iptables-nft-restore", "--noflush"], input=other, text=True, check=True)
        found = []
        for _ in range(2):
            kernel.install(mine, 1.0, 1)
            kernel.remove(mine, 1.0)
            found.append(listed())
        kernel.install(mine, 1.0, 1)
        return *found, listed()

    once, twice, installed = isolated_call(body)
    assert once == twice
    assert "police_1" in installed
    assert [word for word in ("police", "drop_0", "full", "before", "sent", "set ") if word in once] == []
    assert once.count("queue") == 1, once
