"""Names, addresses and ports say nothing of the label; what a flow does, says much."""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from random import Random

from testbed.censor.packet import parse
from testbed.censor.wire import checksum, pseudo_header
from testbed.dataset.exchanges import Exchanges, LabelledFlow
from testbed.dataset.features import features_of
from testbed.dataset.naming import named_phase
from testbed.model import OUTSIDE
from testbed.scenario.loader import load
from testbed.truth.expected import truth

Point = Sequence[float]


def flows(seeds: range) -> list[LabelledFlow]:
    exchanges = Exchanges([load("linkedin-ban-2016")], ["openssl"], [4])
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


def test_packets_have_the_drawn_ends_and_right_checksums() -> None:
    for one in flows(range(2)):
        for each in one.packets:
            packet = parse(each.raw)
            assert packet is not None
            ends = [str(ip_address(bytes(end))) for end in (packet.source, packet.destination)]
            drawn = [one.truth["client"], one.truth["server"]]
            assert ends == (drawn if each.up else drawn[::-1])
            body = each.raw[packet.transport_at :]
            covered = pseudo_header(packet.source, packet.destination, packet.protocol, len(body)) + body
            assert (checksum(each.raw[: packet.transport_at]), checksum(covered)) == (0, 0)
