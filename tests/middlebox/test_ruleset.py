"""The nftables text, read as text; test_effects.py shows that it works."""

import re
import subprocess

import pytest

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.grace_drop import GraceDrop
from testbed.censor.actions.policer import Policer
from testbed.censor.actions.rst import InjectRst
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.handover import COUNTED, Drop, Police, counter_name
from testbed.censor.units import Seconds
from testbed.middlebox import kernel
from testbed.middlebox.marks import MAX_RULES, Position
from testbed.middlebox.ruleset import LONGEST, milliseconds, ruleset, segments
from testbed.world.enter import isolated_call
from testbed.world.queuerule import QueueingChain, queue_in
from tests.censor.line import sni
from tests.middlebox.lab import Declares, policy


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
    assert set(sets(ruleset(policy(Allow(), InjectRst())))) == {"c0_pass", "c0_acted_0", "c0_acted_1"}
    assert set(sets(ruleset(policy(SilentDrop(scope="packet"))))) == {"c0_pass", "c0_acted_0"}
    assert set(sets(ruleset(policy(SilentDrop(), Allow(), GraceDrop())))) == {
        "c0_pass",
        "c0_acted_0",
        "c0_acted_1",
        "c0_acted_2",
        "c0_held_0_0",
        "c0_held_2_0",
    }
    police = policy(Policer(rate=140e3), Policer(rate=140e3, direction="up"))
    first, second = "c0_held_0_0", "c0_held_1_0"
    assert set(sets(ruleset(police))) == {
        "c0_pass",
        "c0_acted_0",
        "c0_acted_1",
        first,
        f"{first}_up",
        f"{first}_down",
        second,
        f"{second}_up",
    }


def test_both_ip_versions_are_alike():
    text = ruleset(policy(SilentDrop(), Policer(rate=140e3)))
    assert set(chains(text, "ip")) == set(chains(text, "ip6"))
    assert set(sets(text, "ip")) == set(sets(text, "ip6"))
    assert "ipv6_addr" not in str(sets(text, "ip"))
    assert "ipv4_addr" not in str(sets(text, "ip6"))
    assert text.count("insert rule ip mangle FORWARD jump c0_before") == 1
    assert text.count("insert rule ip6 mangle FORWARD jump c0_before") == 1


def test_every_key_names_the_protocol_and_every_set_its_size():
    for table in ("ip", "ip6"):
        for declared in sets(ruleset(policy(SilentDrop(), Policer(rate=140e3))), table).values():
            assert "inet_proto" in declared
            assert re.search(r"size \d+;", declared)


def test_verdicts_first_then_passed_then_held_flows():
    before = chains(ruleset(policy(SilentDrop(), Policer(rate=140e3))))["c0_before"]
    assert [line.split()[-1] for line in before] == ["c0_verdict", "c0_passed", "c0_held_0_0", "c0_held_1_0"]


def test_times_are_the_censors_and_rates_are_real():
    text = ruleset(policy(SilentDrop(residual=420.0), Policer(rate=140e3, idle=600.0)), time_scale=420.0)
    handover = "\n".join(chains(text)["c0_handover"])
    assert (
        "@c0_held_0_0 { ip saddr . th sport . ip daddr . th dport . meta l4proto timeout 1000ms }" in handover
    )
    assert "timeout 1429ms" in handover
    assert "limit rate over 17500 bytes/second" in text


def test_a_profiles_residual_time_is_used_where_the_rule_gives_none():
    own = policy(SilentDrop())
    seconds = own.profile.residual_of("drop")
    assert f"timeout {round(seconds * 1000)}ms" in "\n".join(chains(ruleset(own))["c0_handover"])


@pytest.mark.parametrize("refresh", [True, False])
def test_only_refreshed_drops_are_updated_by_packets(refresh):
    held = chains(ruleset(policy(SilentDrop(refresh=refresh))))["c0_held_0_0"]
    assert any(line.startswith("update") for line in held) == refresh
    assert held[-1] == "counter name c0_flow_drop_0 goto c0_dropped_0"


def test_a_policed_packet_meets_its_limit_once():
    for per in ("flow", "host"):
        for direction in ("both", "up", "down"):
            lines = chains(ruleset(policy(Policer(rate=140e3, per=per, direction=direction))))["c0_held_0_0"]
            limits = [line for line in lines if "limit rate over" in line]
            interfaces = [line.split(" update")[0] for line in limits]
            assert (
                interfaces
                == {
                    "both": ['iifname "in*"', 'iifname != "in*"'],
                    "up": ['iifname "in*"'],
                    "down": ['iifname != "in*"'],
                }[direction]
            )
            assert lines[-1] == "accept"
            hosts = [re.search(r"_(up|down) { ip [sd]addr timeout", line) is not None for line in limits]
            assert set(hosts) == {per == "host"}


@pytest.mark.parametrize(
    ("rate", "burst", "limit"),
    [
        (140e3, 16_384, "limit rate over 17500 bytes/second }"),
        (5_200, 1_500, "limit rate over 650 bytes/second burst 850 bytes }"),
        (2e6, 16_384, "limit rate over 250000 bytes/second }"),
        (8, 1500, "limit rate over 1 bytes/second burst 1499 bytes }"),
    ],
)
def test_the_bucket_is_the_burst_but_never_less_than_a_second(rate, burst, limit):
    """nft's bucket holds one second of the rate and what `burst` names."""
    assert limit in ruleset(policy(Policer(rate=rate, burst=burst)))


def test_an_action_may_hand_over_in_several_ways():
    declared = Declares((Drop(5.0), Police(8e3, 1, 7.0), Drop(9.0, refresh=True)))
    text = ruleset(policy(Allow(), declared))
    assert [name for name in sets(text) if name.count("_") == 3] == [
        "c0_held_1_0",
        "c0_held_1_1",
        "c0_held_1_2",
    ]
    words = [line.partition(" update")[0] for line in chains(text)["c0_handover"] if "held_1" in line]
    assert words == [f"meta mark & 0xffff0f00 == {0x20000 | n:#x}" for n in (0x200, 0x300, 0x400)]


def test_censors_of_a_hop_have_nothing_in_common_but_the_way_from_one_to_the_next():
    box = policy(SilentDrop())
    first, second = (chains(ruleset(box, 1.0, Position(index, 2))) for index in range(2))
    assert not set(first) & set(second)
    assert [
        line.partition("jump ")[2] for line in segments((0, 1)).splitlines() if "ip mangle up jump" in line
    ] == [
        "segment_0",
        "segment_1",
    ]
    assert [
        line.partition("jump ")[2] for line in segments((0, 1)).splitlines() if "ip mangle down jump" in line
    ] == [
        "segment_1",
        "segment_0",
    ]


def test_more_rules_than_the_word_has_room_for():
    with pytest.raises(ValueError, match="65536 rules"):
        ruleset(policy(*[Allow()] * (MAX_RULES + 1)))


POLICIES = [(), (Allow(),), (SilentDrop(), GraceDrop(), Policer(rate=1e5, per="host")), (SilentDrop(),) * 300]


@pytest.mark.world
@pytest.mark.parametrize("actions", POLICIES, ids=len)
def test_the_kernel_takes_it(actions):
    """Also 300 rules, and from an ordinary user, whose netlink socket is small."""

    def load():
        # `iif "in"` is resolved when the rules are loaded
        subprocess.run(["ip", "link", "add", "in", "type", "veth"], check=True)
        kernel.install(policy(*actions), 1.0, 1)
        return kernel.counters(policy(*actions))

    counters = isolated_call(load)
    copying = {} if actions else {"kept_full": 0, "waiting_full": 0}  # no rule: nothing but data could matter
    assert counters == {"pass_full": 0, "held_full": 0} | copying | {
        counter_name(what, rule): 0 for what in COUNTED for rule in range(len(actions))
    }


@pytest.mark.world
def test_what_was_installed_can_be_removed_and_installed_again():
    """A removal leaves the tables to others: a delay line's rules stay."""
    mine = policy(SilentDrop(), Policer(rate=140e3), Allow())
    other = (
        "table ip mangle {\nchain delay_700 {\n}\n"
        "chain PREROUTING {\ntype filter hook prerouting priority mangle; iifname in jump delay_700\n}\n}\n"
    )

    def listed():
        command = ["nft", "list", "ruleset"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def body():
        subprocess.run(["ip", "link", "add", "in", "type", "veth"], check=True)
        subprocess.run(["nft", "-f", "-"], input=other, text=True, check=True)
        queue_in([QueueingChain("ip", "mangle", "delay_700", 700)])
        found = []
        for _ in range(2):
            kernel.install(mine, 1.0, 1)
            kernel.remove([(mine, Position())])
            found.append(listed())
        kernel.install(mine, 1.0, 1)
        return *found, listed()

    once, twice, installed = isolated_call(body)
    assert once == twice
    assert "c0_held_1_0" in installed
    assert [word for word in ("c0_", "set ") if word in once] == []
    assert once.count("queue") == 1, once


def test_a_flow_that_the_core_has_taken_is_kept_for_longer_than_any_hold():
    text = ruleset(sni(SilentDrop(residual=Seconds(420))))
    lines = [line for line in text.splitlines() if "update @c0_kept" in line]
    assert len(lines) == 4
    assert all(line.count("timeout 430000ms") == 2 for line in lines)


@pytest.mark.parametrize("seconds", [0.0, 0.001, 27.7 * 3600, 86400.0, 100_000_000.0, 36500 * 86400.0])
def test_times_have_numbers_of_eight_digits_which_are_all_that_nft_reads(seconds: float) -> None:
    parts = re.findall(r"(\d+)(d|ms)", milliseconds(seconds))
    assert all(len(number) <= 8 for number, _ in parts)
    said = sum(int(number) * {"d": 86_400_000, "ms": 1}[unit] for number, unit in parts)
    assert said == max(1, round(min(seconds, LONGEST) * 1000))


@pytest.mark.world
def test_the_kernel_takes_the_longest_time_at_the_slowest_clock():
    def body():
        kernel.install(sni(SilentDrop(residual=Seconds(36500 * 86400.0))), 0.001, 0)
        command = ["nft", "list", "ruleset"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "timeout 365d" in isolated_call(body)
