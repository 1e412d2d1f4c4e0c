"""Names, addresses and ports say nothing of the label; what a flow does, says much."""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from random import Random
from typing import Any

import pytest

from testbed.censor.packet import parse
from testbed.censor.wire import checksum, pseudo_header
from testbed.dataset import exchanges as drawing
from testbed.dataset.exchanges import Exchanges, LabelledFlow
from testbed.dataset.features import features_of
from testbed.dataset.naming import named_phase
from testbed.dryrun.trial import try_out
from testbed.model import OUTSIDE
from testbed.scenario.loader import load
from testbed.truth.expected import truth

Point = Sequence[float]


def flows(seeds: range, ipv: int = 4) -> list[LabelledFlow]:
    exchanges = Exchanges([load("linkedin-ban-2016")], ["openssl"], [ipv])
    found = []
    for seed in seeds:
        block = exchanges.block(Random(seed))
        found += [next(block) for _ in range(10)]
    return found


def identity(one: LabelledFlow) -> Point:
    truth: Mapping[str, object] = one.truth
    name = str(truth["name"])
    addresses = [int(ip_address(str(truth[end]))) / 2**32 for end in ("client", "server")]
    ports = [int(str(truth[end])) / 65536 for end in ("client_port", "server_port")]
    return [len(name) / 20, ord(name[0]) / 128, ord(name[1]) / 128, *addresses, *ports]


def behaviour(one: LabelledFlow) -> Point:
    found = features_of(one.packets)
    return [found["packets_down"], found["rst_down"], found["duration"], found["payload_down"] / 1000]


def nearest_is_right(seen: Sequence[LabelledFlow], new: Sequence[LabelledFlow],
                     look: Callable[[LabelledFlow], Point]) -> float:  # fmt: skip
    """The accuracy of a nearest neighbour."""
    known = [(look(one), one.truth["label"] == "ok") for one in seen]
    right = 0
    for one in new:
        here = look(one)
        label = min(known, key=lambda k: sum((a - b) ** 2 for a, b in zip(k[0], here, strict=True)))[1]
        right += label == (one.truth["label"] == "ok")
    return right / len(new)


def test_a_classifier_by_name_address_and_port_has_chance_accuracy_and_one_by_behaviour_is_right() -> None:
    seen, new = flows(range(20)), flows(range(100, 120))
    free = sum(one.truth["label"] == "ok" for one in new) / len(new)
    assert 0.3 < free < 0.7
    assert nearest_is_right(seen, new, identity) < max(free, 1 - free) + 0.1
    assert nearest_is_right(seen, new, behaviour) > 0.9
    assert not {one.truth["name"] for one in seen} & {one.truth["name"] for one in new}


class SameTwice(Random):
    """Draws every name twice."""

    def choices(self, population, *args, **more):  # type: ignore[no-untyped-def]
        self.drawn = getattr(self, "drawn", 0) + 1
        return ["ba", population[(self.drawn - 1) // 2 % len(population)]]


def test_no_two_names_of_a_world_are_the_same() -> None:
    scenario = load("linkedin-ban-2016")
    cases = [one for one in truth(scenario, scenario.default_phase) if one.vantage != OUTSIDE]
    found = named_phase(scenario, scenario.default_phase, cases, SameTwice(0)).names
    assert len(found) > 1
    assert len(set(found.values())) == len(found)


class Forgetful(dict[Any, Any]):
    """Nothing is made once and used again."""

    def __setitem__(self, key: object, value: object) -> None:
        pass


@pytest.mark.parametrize(
    ("scenario", "phase", "clients", "ipv"),
    [
        ("linkedin-ban-2016", "", ["openssl", "chrome"], [4]),
        ("freeze-16kb-2025", "five-operators", ["openssl"], [4]),  # its boxes draw how they read a flow
        ("dns-hijack-2026", "hijack", ["probe"], [4]),  # lookups have numbers
    ],
)
def test_an_exchange_that_was_made_before_is_what_would_be_made_again(
    scenario: str, phase: str, clients: list[str], ipv: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    vantages = ["mts"] if scenario.startswith("linkedin") else None
    exchanges = Exchanges([load(scenario)], clients, ipv, phase=phase, vantages=vantages)
    tried, found = [0, 0], []
    for turn in (0, 1):
        if turn:
            monkeypatch.setattr(drawing, "MadeFlows", Forgetful)

        def counted(*args: Any, turn: int = turn, **more: Any) -> Any:
            tried[turn] += 1
            return try_out(*args, **more)

        monkeypatch.setattr(drawing, "try_out", counted)
        block = exchanges.block(Random(5))
        found.append([next(block) for _ in range(40)])
    assert found[0] == found[1]
    assert tried[1] >= 40
    assert vantages is None or tried[0] < 30


def test_packets_have_the_drawn_ends_and_right_checksums() -> None:
    for one in [*flows(range(2)), *flows(range(2), ipv=6)]:
        for each in one.packets:
            packet = parse(each.raw)
            assert packet is not None
            ends = [str(ip_address(bytes(end))) for end in (packet.source, packet.destination)]
            drawn = [one.truth["client"], one.truth["server"]]
            assert ends == (drawn if each.up else drawn[::-1])
            body = each.raw[packet.transport_at :]
            covered = pseudo_header(packet.source, packet.destination, packet.protocol, len(body)) + body
            assert packet.version == 6 or checksum(each.raw[: packet.transport_at]) == 0
            assert checksum(covered) == 0
