"""Methods of circumvention in a scenario file: what they become, and what is wrong with them."""

from dataclasses import replace

import pytest

from testbed.errors import InputError
from testbed.measurement.passage import Passage
from testbed.scenario.loader import load
from testbed.scenario.summary import way_lines
from testbed.scenario.tojson import to_json
from testbed.scenario.ways import with_servers

CONTROLS = 'controls: ["https://vk.com/"]\n'
ENTRY = '{name: doh, recipe: {resolver: "https://dns.google/dns-query"}, phase: block, vantage: mts, \
target: "https://twitter.com/", fails_by: reset}'
PROXY = """\
{phase: block, vantage: mts, name: own-proxy, target: "https://twitter.com/",
     recipe: {proxy: "socks5://server:1080", server: [{command: {run: proxy, ready: {tcp: 1080}}}]}%s}"""


def with_way(desk, entry: str):
    return desk.load(CONTROLS, f"{CONTROLS}circumvention:\n  - {entry}\n")


def fault(desk, entry: str) -> str:
    found = desk.problems(CONTROLS, f"{CONTROLS}circumvention:\n  - {entry}\n")
    return "\n".join(f"{one.place.partition(' ')[2]}: {one.message}; {one.remedy}" for one in found)


def test_from_the_file_to_values_and_to_text(desk):
    scenario = with_way(desk, ENTRY)
    (way,) = scenario.circumvention
    assert (way.name, way.phase, way.vantage, way.target.url) == (
        "doh",
        "block",
        "mts",
        "https://twitter.com/",
    )
    assert way.recipe.passage == Passage(resolver="https://dns.google/dns-query")
    assert (way.fails_by, way.direct, way.server) == ("reset", "blocked", None)
    assert way_lines(scenario) == ["block: doh  https://twitter.com/ from mts must fail by reset"]
    (plain,) = to_json(scenario)["circumvention"]
    assert plain["recipe"]["passage"]["resolver"] == "https://dns.google/dns-query"


def test_a_server_has_a_machine_of_its_own(desk):
    scenario = with_way(desk, PROXY % "")
    assert scenario.world.hosts == ()
    (host,) = with_servers(scenario, "block", ["mts"]).world.hosts
    assert (host.key, host.ipv4, host.country, host.services) == ("way1", ("95.216.4.1",), "FI", ())
    assert with_servers(scenario, "free", ["mts"]).world.hosts == ()


def test_a_server_where_the_file_says(desk):
    placed = ', server: {ipv4: 52.58.40.50, ipv6: "2a05:d014:40::50", asn: 16509, country: DE}'
    (way,) = with_way(desk, PROXY % placed).circumvention
    assert (way.server.ipv4, way.server.asn) == (("52.58.40.50",), 16509)


def test_a_recipe_beside_the_scenario(desk):
    (desk.folder / "recipes").mkdir()
    (desk.folder / "recipes/mine.yaml").write_text(
        "title: Mine\nproxy: http://127.0.0.1:8080\nprograms: nc\n"
    )
    (way,) = with_way(desk, ENTRY.replace('{resolver: "https://dns.google/dns-query"}', "mine")).circumvention
    assert (way.recipe.name, way.recipe.programs, way.recipe.passage.proxy) == (
        "mine",
        ("nc",),
        "http://127.0.0.1:8080",
    )


RESOLVER = 'resolver: "https://dns.google/dns-query"'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '{resolver: "https://dns.google/dns-query"}',
            "split-segment",
            "circumvention[0].recipe: there is no recipe 'split-segment'; did you mean 'split-segments'?",
        ),
        (
            RESOLVER,
            "resolver: 8.8.8.8",
            "'8.8.8.8' is none of udp://, tcp://, tls://, https://; write such as",
        ),
        (RESOLVER, "resolver: udp://dns.google", "'dns.google' is no address"),
        (RESOLVER, "proxy: socks4://127.0.0.1", "'socks4://127.0.0.1' is none of socks5://, http://"),
        (RESOLVER, "client: [{command: run}]", "nothing goes through the client's services; add 'proxy: …'"),
        (RESOLVER, "proxi: x", "circumvention[0].recipe.proxi: unknown key 'proxi'; did you mean 'proxy'?"),
        (
            RESOLVER,
            'proxy: "http://server:1", server: [{comand: run}]',
            "circumvention[0].recipe.server[0]: unknown service 'comand'; did you mean 'command'?",
        ),
        ("mts", "mtz", "circumvention[0].vantage: unknown vantage 'mtz'; did you mean 'mts'?"),
        ("mts", "outside", "circumvention[0].vantage: nothing is blocked outside; name an operator"),
        ("block,", "blok,", "circumvention[0].phase: unknown phase 'blok'; did you mean 'block'?"),
        ("reset}", "rest}", "no rule 'rest' is in force at mts in phase 'block'; did you mean 'reset'?"),
        ("twitter.com", "twiter.com", "no site of the world 'small' answers to 'twiter.com'"),
        (
            "https://twitter.com/",
            "https://vk.com/",
            "https://vk.com/ is not blocked at mts in phase 'block'; remove the entry, or write 'direct: ok'",
        ),
        (
            "phase: block",
            "phase: free",
            "https://twitter.com/ is not blocked at mts in phase 'free'; remove the entry, or write",
        ),
        ("name: doh", "name: the way", "'the way' is not a good name"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(desk, old, new, said):
    assert old in ENTRY
    assert said in fault(desk, ENTRY.replace(old, new))


def test_two_of_one_name(desk):
    assert "there is a method 'doh' already" in fault(desk, f"{ENTRY}\n  - {ENTRY}")


def test_a_server_where_another_is(desk):
    placed = ', server: {ipv4: 104.244.42.1, ipv6: "2a05:d014:40::50"}'
    said = fault(desk, PROXY % placed)
    assert "cannot be there: the address 104.244.42.1 belongs to twitter.com already" in said


def test_a_tool_alone_may_be_tried(desk):
    entry = ENTRY.replace("https://twitter.com/", "https://vk.com/").replace("fails_by: reset", "direct: ok")
    (way,) = with_way(desk, entry).circumvention
    assert way.direct == "ok"


def test_a_rule_for_a_country_means_a_server_there(desk):
    rule = "match: {tls.sni: [twitter.com]}"
    home = 'match: {ip: "country:RU", ports: 443}'
    block = "outcome: tls.sni.rst, by: reset"
    entry = (PROXY % ", server: domestic").replace("name: own", "direct: ok, name: own")
    text = (
        desk.path.read_text()
        .replace(rule, home)
        .replace(block, "outcome: ok")
        .replace(CONTROLS, f"{CONTROLS}circumvention:\n  - {entry}\n")
    )
    desk.path.write_text(text)
    scenario = desk.load()
    (place,) = scenario.phases["block"].placements
    (address,) = scenario.circumvention[0].server.ipv4
    assert address in str(place.policy.rules[0].match.to_json()["ip"])
    assert scenario.world.hosts == ()


def test_without_tools_the_rest_is_the_same(desk):
    with_way(desk, ENTRY)
    plain = load(desk.path, tools=False)
    assert plain == replace(load(desk.path), circumvention=())
    desk.path.write_text(desk.path.read_text().replace("fails_by: reset", "fails_by: nothing"))
    assert load(desk.path, tools=False).circumvention == ()
    with pytest.raises(InputError, match="no rule 'nothing' is in force"):
        load(desk.path)


def test_compared_with_another_target(desk):
    entry = ENTRY.replace("fails_by: reset", 'instead_of: {target: "https://twitter.com/"}').replace(
        'target: "https://twitter.com/", instead', 'target: "https://vk.com/", instead'
    )
    (way,) = with_way(desk, entry).circumvention
    assert (way.target.url, way.compared_target.url) == ("https://vk.com/", "https://twitter.com/")
    assert "no site of the world 'small' answers to 'twiter.com'" in fault(
        desk, entry.replace('{target: "https://twitter', '{target: "https://twiter')
    )
