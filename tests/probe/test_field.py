"""The field instrument in a world with a box of each kind, and in the same world without any."""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from testbed.run.open import StandingWorld, open_world
from tests.docs.pages import ROOT
from tests.probe.sidebyside import LookDone

pytestmark = [pytest.mark.world, pytest.mark.timeout(300)]

SCENARIO = """\
title: One box of each kind, for the field instrument
period: any
sources: [our choice]
operators: [mts]
sites: {www.microsoft.com: {behaviour: {resets: 25 %}}}
censors:
  tspu:
    profile: t25
    rules:
      - {name: domestic, match: {ip: "country:RU"}, action: allow}
      - {name: reset, match: {tls.sni: twitter.com}, action: {rst-rewrite: {residual: 8 s}}}
      - {name: silence, match: {tls.sni: www.facebook.com}, action: {grace-drop: {packets: [5, 8]}}}
      - {name: dropped, match: {tls.sni: www.instagram.com}, action: {drop: {residual: 3 s}}}
      - {name: slow, match: {tls.sni: www.youtube.com}, action: {police: {rate: 200 kbit/s}}}
      - {name: frozen, match: {tls.sni: www.bbc.com}, action: {freeze: {octets: 16 KiB}}}
      - {name: crowd, match: {tls.sni: meduza.io}, action: {connection-limit: {flows: 5, lock: 3 s}}}
      - {name: quic, match: {quic.sni: www.wikipedia.org}, action: drop}
      - {name: gone, match: {ip: site:www.dw.com}, action: drop}
  isp:
    profile: leg-passive
    hop: 4
    rules:
      - {name: mirror, match: {http.host: www.linkedin.com}, action: {rst: {ttl: 64}}}
      - {name: lie, match: {dns.qname: www.linkedin.com, dns.qtype: A}, action: {dns: {a: 95.167.13.50}}}
      - {name: page, match: {http.host: www.bbc.com}, action: {page: {location: operator}}}
  active:
    profile: leg-active
    hop: 5
    rules:
      - {name: notice, match: {http.host: ok.ru}, action: {page: {status: 200, body: operator}}}
      - {name: portal, match: {http.host: [www.reddit.com, vk.com]}, action: {page: {location: "http://login.example/"}}}
phases: {blocked: {mts: [tspu, isp, active]}, free: {}}
default_phase: blocked
expect:
  - {phase: blocked, vantage: mts, target: "https://twitter.com/", outcome: tls.sni.rst, by: reset}
controls: ["https://vk.com/"]
"""
LOOKS = {  # what is asked of each target
    "https://twitter.com/": "web,hop,injected,clients",
    "https://www.facebook.com/": "hop",
    "https://www.youtube.com/": "hop,speed",
    "https://www.bbc.com/": "hop,freeze",
    "https://meduza.io/": "connections",
    "h3://www.wikipedia.org/": "hop",
    "https://www.dw.com/": "hop",
    "http://www.linkedin.com/": "dns,hop,injected",
    "dns://8.8.8.8/www.linkedin.com": "hop,injected",
    "https://www.instagram.com/": "residual",
    "-6 https://www.facebook.com/": "hop",
    "-6 h3://www.wikipedia.org/": "hop",
    "-6 tcp://www.dw.com:443/": "web,hop",
    "-6 dns://[2001:4860:4860::8888]/www.linkedin.com?type=A": "hop",
}
MORE_LOOKS = {  # when the others, which measure times, are done
    "dns+tcp://8.8.8.8/www.linkedin.com": "hop",
    "http://www.bbc.com/": "hop",
    "http://ok.ru/": "hop",
    "http://www.reddit.com/": "hop",
    "--control vk.com http://www.reddit.com/": "hop",
    **{f"https://www.microsoft.com/{number}": "web,hop" for number in range(4)},
}
Seen = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingWorld]:
    folder = tmp_path_factory.mktemp("field")
    (folder / "field.yaml").write_text(SCENARIO)
    with open_world(folder / "field.yaml", vantages=("mts",), out=folder / "run") as held:
        yield held


def look(world: StandingWorld, looks: Mapping[str, str]) -> Seen:
    """Each at the same time as the others, in a process of its own."""
    options = ["--json", "--connections", "8", "--residual", "8", "--with"]
    asked = [[*options, instruments, *target.split()] for target, instruments in looks.items()]
    ran = world.run(
        [sys.executable, "-m", "tests.probe.sidebyside"],
        vantage="mts",
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert ran.returncode == 0, ran.stderr
    done = [LookDone(*one) for one in json.loads(ran.stdout)]
    assert [one for one in done if one.status not in (0, 1)] == []
    return {target: json.loads(one.out) for target, one in zip(looks, done, strict=True)}


def looked(world: StandingWorld) -> Seen:
    """Everything in one phase, in two turns, side by side: each target has a box of its own."""
    return {**look(world, LOOKS), **look(world, MORE_LOOKS)}


@pytest.fixture(scope="module")
def blocked(world: StandingWorld) -> Seen:
    return looked(world)


@pytest.fixture(scope="module")
def free(world: StandingWorld, blocked: Seen) -> Seen:
    """The twin: the same looks without a censor."""
    world.phase("free")
    return looked(world)


def findings(seen: Mapping[str, Any], instrument: str) -> dict[str, Mapping[str, Any]]:
    return {one["what"]: one for one in seen["findings"] if one["instrument"] == instrument}


HOPS = {
    "https://twitter.com/": 2,
    "https://www.facebook.com/": 2,
    "https://www.youtube.com/": 2,  # slow
    "https://www.bbc.com/": 2,  # frozen
    "h3://www.wikipedia.org/": 2,
    "https://www.dw.com/": 2,
    "http://www.linkedin.com/": 4,
    "dns://8.8.8.8/www.linkedin.com": 4,
    "dns+tcp://8.8.8.8/www.linkedin.com": 4,
    "http://www.bbc.com/": 4,  # the page of an on-path box, after which the genuine answer comes
    "http://ok.ru/": 5,  # the page of an in-path box
    "http://www.reddit.com/": 5,
    "--control vk.com http://www.reddit.com/": None,  # a page that the control has as well
    "-6 https://www.facebook.com/": 2,
    "-6 h3://www.wikipedia.org/": 2,
    "-6 tcp://www.dw.com:443/": 2,
    "-6 dns://[2001:4860:4860::8888]/www.linkedin.com?type=A": 4,
}


def test_the_hop_of_every_way_to_interfere(blocked: Seen, free: Seen) -> None:
    assert {target: blocked[target].get("hop") for target in HOPS} == HOPS
    assert {target: free[target].get("hop") for target in HOPS} == dict.fromkeys(HOPS)
    routers = findings(blocked["http://www.linkedin.com/"], "hop")["request"]["routers"]
    assert routers == ["91.76.0.1", "91.76.0.2", "91.76.0.3", "91.76.0.4"]


def test_what_fails_at_times_is_looked_at_again(blocked: Seen, free: Seen) -> None:
    """A server that resets some connections is no censor; what a box resets fails each time."""
    faulty = [seen[target]["verdict"] for seen in (blocked, free) for target in seen if "microsoft" in target]
    assert "blocked" not in faulty, faulty
    again = findings(blocked["https://twitter.com/"], "again")[""]
    assert (again["failed"], again["control_failed"], again["odd"]) == (5, 0, True)
    assert findings(free["https://twitter.com/"], "again") == {}


def test_each_layer_says_how_it_ended(blocked: Seen, free: Seen) -> None:
    target = "https://twitter.com/"
    ended = {what: one["failure"] for what, one in findings(blocked[target], "web").items()}
    cut = dict.fromkeys(("TLS", "HTTP/1.1 over TLS", "HTTP/2"), "connection_reset")
    fine = dict.fromkeys(("TCP", "HTTP/1.1", "QUIC", "HTTP/3"))
    assert ended == cut | fine
    assert (blocked[target]["verdict"], blocked[target]["mechanism"]) == ("blocked", "tls.sni.rst")
    assert {one["failure"] for one in findings(free[target], "web").values()} == {None}
    assert findings(free[target], "web")["HTTP/2"]["code"] == 200
    assert free[target]["verdict"] == "free"


def test_what_was_injected_has_the_header_fields_of_its_box(blocked: Seen, free: Seen) -> None:
    """A mirror at hop 4 sends with 64, so that 61 arrive; the server's 64 have 13 routers behind them."""
    seen = findings(blocked["http://www.linkedin.com/"], "injected")
    own, forged = seen["server"]["header"], seen["suspect"]["header"]
    assert (own["flags"], own["ttl"]) == ("SYN+ACK", 51)
    assert {name: forged[name] for name in ("flags", "ttl", "window", "options")} == {
        "flags": "RST+ACK", "ttl": 61, "window": 0, "options": "",
    }  # fmt: skip
    # TSPU rewrites the server's own packets: the hop limit is the server's.
    rewritten = findings(blocked["https://twitter.com/"], "injected")["suspect"]["header"]
    assert (rewritten["flags"], rewritten["ttl"]) == ("RST+ACK", 51)
    for target in ("http://www.linkedin.com/", "https://twitter.com/"):
        assert findings(free[target], "injected")["suspect"]["words"] == "none"
    answers = findings(blocked["dns://8.8.8.8/www.linkedin.com"], "injected")
    assert [one["header"]["ttl"] for one in answers.values()] == [61, 51]
    assert list(findings(free["dns://8.8.8.8/www.linkedin.com"], "injected")) == ["answer 1"]


def test_dns_over_every_transport_and_of_every_type(blocked: Seen, free: Seen) -> None:
    """The box forges what it can read: A over UDP and TCP, and nothing within TLS."""
    seen = findings(blocked["http://www.linkedin.com/"], "dns")
    assert set(seen) == {
        f"{way} {kind}" for way in ("UDP", "TCP", "DoT", "DoH") for kind in ("A", "AAAA", "HTTPS")
    }
    assert seen["UDP A"]["answers"] == ["95.167.13.50"]
    others = {tuple(seen[f"{way} A"]["answers"]) for way in ("DoT", "DoH")}
    assert others == {("108.174.10.10",)}
    assert [what for what, one in seen.items() if one["odd"]] == ["UDP A", "TCP A"]
    assert blocked["http://www.linkedin.com/"]["mechanism"] == "dns.poison"
    assert [
        what for what, one in findings(free["http://www.linkedin.com/"], "dns").items() if one["odd"]
    ] == []


def test_clients_by_name_and_a_post_quantum_hello_among_them(blocked: Seen, free: Seen) -> None:
    """A box of 2025 reads one packet at a time: the long hellos pass it."""
    seen = {key: one["answers"] for key, one in findings(blocked["https://twitter.com/"], "clients").items()}
    long = {"chrome": ["ServerHello"] * 3, "firefox": ["ServerHello"], "go": ["ServerHello"]}
    assert seen == {"openssl": ["reset"]} | long
    seen = {key: one["answers"] for key, one in findings(free["https://twitter.com/"], "clients").items()}
    assert seen == {"openssl": ["ServerHello"]} | long


def test_numbers(blocked: Seen, free: Seen) -> None:
    """Rate 200 kbit/s, freeze after 16 KiB, five connections, three seconds."""
    speed = findings(blocked["https://www.youtube.com/"], "speed")
    assert [
        180_000 < speed[way]["rate"] < 210_000 < speed[way]["control_rate"] for way in ("down", "up")
    ] == [True] * 2
    frozen = findings(blocked["https://www.bbc.com/"], "freeze")[""]
    assert (14_000 < frozen["ip_octets"] <= 16_384, frozen["odd"]) == (True, True), frozen
    crowd = findings(blocked["https://meduza.io/"], "connections")
    assert crowd[""]["connections"] == 5
    lock = crowd["other ports"]
    assert lock["shortest"] <= 3 <= lock["longest"] <= 8, lock
    lasts = findings(blocked["https://www.instagram.com/"], "residual")["4-tuple"]
    assert lasts["shortest"] <= 3 <= lasts["longest"] < 7, lasts
    others = findings(blocked["https://www.instagram.com/"], "residual")["other ports"]
    assert (others["residual"], others["shortest"], others["odd"]) == (0, 0, False), others

    assert not any(one["odd"] for one in findings(free["https://www.youtube.com/"], "speed").values())
    assert findings(free["https://www.bbc.com/"], "freeze")[""]["received"] > 65_536
    assert findings(free["https://meduza.io/"], "connections")[""]["connections"] is None
    assert findings(free["https://www.instagram.com/"], "residual")["4-tuple"]["residual"] is None
