"""Lists of a million: right answers, and work that does not grow with the list."""

import random
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.censor.match.address import Networks
from testbed.censor.names import NameMatcher

LABELS = st.text(alphabet="ab-", min_size=1, max_size=3)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.tuples(st.sampled_from(["{}", "*.{}", "*{}", "*{}*"]), NAMES).map(lambda p: p[0].format(p[1]))


def matches(pattern: str, name: str) -> bool:
    """The pattern language, said the slow way."""
    core = pattern.strip("*")
    if pattern.startswith("*") and pattern.endswith("*"):
        return core in name
    if pattern.startswith("*"):
        return name.endswith(core)
    return name == core


@given(st.lists(PATTERNS, max_size=60), st.lists(NAMES, max_size=30))
def test_names_mean_what_each_pattern_says(patterns: list[str], names: list[str]) -> None:
    matcher = NameMatcher(patterns)
    for name in names:
        assert (name in matcher) is any(matches(pattern, name) for pattern in patterns)


@given(st.lists(PATTERNS, min_size=40, max_size=80, unique=True), NAMES)
def test_many_parts_are_found_as_few_are(patterns: list[str], name: str) -> None:
    parts = [f"*{pattern.strip('*')}*" for pattern in patterns]
    assert (name in NameMatcher(parts)) is any(matches(part, name) for part in parts)


@given(st.lists(PATTERNS, max_size=20), st.lists(st.one_of(NAMES, st.binary(max_size=9)), max_size=9))
def test_keywords_are_found_anywhere_in_bytes(patterns: list[str], pieces: list[str | bytes]) -> None:
    payload = b"\0".join(piece if isinstance(piece, bytes) else piece.encode() for piece in pieces)
    found = set(NameMatcher(patterns).found_in(payload))
    wanted = {pattern.strip("*") for pattern in patterns}
    assert found == {word for word in wanted if word.encode() in payload.lower()}


class Counting(set[str]):
    """Counts the questions it is asked."""

    asked = 0

    def __contains__(self, name: object) -> bool:
        Counting.asked += 1
        return super().__contains__(name)


def listed(count: int) -> list[str]:
    forms = ("site-{}.example", "*.all-{}.example", "*end-{}.example", "*part-{}-*")
    return [forms[number % 4].format(f"{number * 7919 % count:07d}") for number in range(count)]


@pytest.mark.parametrize("count", [1_000, 100_000])
def test_a_look_up_asks_as_often_in_a_long_list_as_in_a_short_one(count: int) -> None:
    matcher = NameMatcher(listed(count))
    for kind in ("_exact", "_suffixes", "_endings", "_parts"):
        setattr(matcher, kind, Counting(getattr(matcher, kind)))
    Counting.asked = 0
    assert "www.nobody-lists-this.example.org" not in matcher
    assert Counting.asked < 60
    Counting.asked = 0
    assert not list(matcher.found_in(bytes(range(256)) * 5 + b"www.nobody-lists-this.example.org"))
    assert Counting.asked < 40_000


@pytest.mark.slow
def test_a_million_names() -> None:
    patterns = listed(1_000_000)
    matcher = NameMatcher(patterns)
    for pattern in patterns[::997]:
        core = pattern.strip("*")
        assert f"www{core}" in matcher if pattern.startswith("*.") else core in matcher
        assert f"{core}x.org".replace("part", "prat") not in matcher


def addresses(rng: random.Random, version: int) -> str:
    return str(ip_address(rng.getrandbits(32) if version == 4 else rng.getrandbits(128)))


def prefixes(rng: random.Random, count: int) -> list[str]:
    made = []
    for number in range(count):
        version = 6 if number % 5 == 0 else 4
        bits = 32 if version == 4 else 128
        length = rng.randint(bits // 4, bits) if number % 2 else bits
        made.append(str(ip_network(f"{addresses(rng, version)}/{length}", strict=False)))
    return made


def test_prefixes_of_mixed_lengths() -> None:
    rng = random.Random(20210310)
    networks = [ip_network(text) for text in prefixes(rng, 400)]
    table = Networks(tuple(networks))
    asked = [ip_address(addresses(rng, version)) for version in (4, 6) for _ in range(300)]
    for network in networks:  # the edges, and just beyond
        first, last = int(network.network_address), int(network.broadcast_address)
        kind = type(network.network_address)
        asked += [kind(n) for n in (first - 1, first, last, last + 1) if 0 <= n < 1 << network.max_prefixlen]
    for address in asked:
        expected = any(address.version == network.version and address in network for network in networks)
        assert (address.packed in table) is expected, address


def test_nested_and_neighbouring_prefixes() -> None:
    texts = ("10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/9", "11.128.0.0/9", "0.0.0.0/32", "255.255.255.255/32")
    table = Networks(tuple(map(ip_network, texts)))
    inside = ("10.0.0.0", "10.255.255.255", "11.255.255.255", "0.0.0.0", "255.255.255.255")
    assert all(ip_address(text).packed in table for text in inside)
    assert not any(
        ip_address(text).packed in table for text in ("9.255.255.255", "12.0.0.0", "0.0.0.1", "::")
    )
    assert b"" not in table
    assert b"\0" * 4 not in Networks(())


def test_everything_is_a_prefix_too() -> None:
    table = Networks((ip_network("0.0.0.0/0"), ip_network("::/0")))
    assert bytes(4) in table
    assert b"\xff" * 16 in table


@pytest.mark.slow
def test_three_hundred_thousand_prefixes() -> None:
    rng = random.Random(1)
    texts = prefixes(rng, 300_000)
    table = Networks(tuple(map(ip_network, texts)))
    assert all(ip_network(text).network_address.packed in table for text in texts[::101])
    assert len(table._ranges[4][0]) <= 240_000
