"""`hosts:` of scenario and world files: what they become, and what is refused and how."""

import json
from pathlib import Path

import pytest

from testbed.errors import Problem
from testbed.internet.services.command import Command, Readiness
from testbed.internet.services.echo import Echo
from testbed.internet.services.web import Web
from testbed.model import Host
from testbed.scenario.jsonschema import scenario_schema, world_schema
from testbed.scenario.summary import host_lines
from testbed.scenario.tojson import to_json
from tests.scenario.conftest import SCENARIO, WORLD, Desk

VPN = """\
hosts:
  vpn:
    names: [vpn.example.net, vpn.example.org]
    ipv4: 95.216.1.10
    ipv6: ["2a01:4f9:0:1::10", "2a01:4f9:0:1::11"]
    asn: 24940
    services:
      - echo
      - web: {https: 8443}
"""
HELPER = """\
  helper:
    at: mts
    names: helper.example
    services:
      - command: {run: ./serve, ready: {udp: 5353, within: 2 min}}
"""


def with_hosts(desk: Desk, hosts: str) -> None:
    desk.path.write_text(SCENARIO.replace("censors:\n", hosts + "censors:\n"))


def test_a_host_abroad_and_one_at_a_subscriber(desk: Desk) -> None:
    with_hosts(desk, VPN + HELPER)
    vpn, helper = desk.load().world.hosts
    assert vpn == Host(
        "vpn",
        ("vpn.example.net", "vpn.example.org"),
        ("95.216.1.10",),
        ("2a01:4f9:0:1::10", "2a01:4f9:0:1::11"),
        24940,
        "US",
        "trusted",
        services=(Echo(), Web(https=8443)),
    )
    command = Command("./serve", Readiness(udp=5353, within=120.0), str(desk.folder.resolve()))
    assert helper == Host("helper", ("helper.example",), at="mts", services=(command,))


def test_without_hosts_there_are_none(desk: Desk) -> None:
    assert desk.load().world.hosts == ()


def test_a_single_value_is_the_first_parameter(desk: Desk) -> None:
    with_hosts(desk, "hosts: {a: {at: mts, services: [echo: 4000, command: ./serve]}}\n")
    assert desk.load().world.hosts[0].services == (
        Echo(4000),
        Command("./serve", folder=str(desk.folder.resolve())),
    )


def test_hosts_of_the_world_file_come_first(desk: Desk) -> None:
    (desk.folder / "small.yaml").write_text(WORLD + VPN)
    with_hosts(desk, "hosts:\n" + HELPER)
    assert [host.key for host in desk.load().world.hosts] == ["vpn", "helper"]


def test_a_host_of_an_operator_that_is_left_out_is_left_out(desk: Desk) -> None:
    (desk.folder / "small.yaml").write_text(WORLD + "hosts:\n" + HELPER)
    left_out = SCENARIO.replace("world: small.yaml\n", "world: small.yaml\noperators: [obit]\n")
    left_out = left_out.replace("mts: tspu", "obit: tspu").replace("vantage: mts", "vantage: obit")
    desk.path.write_text(left_out)
    assert desk.load().world.hosts == ()


def test_names_and_addresses_of_hosts_are_targets(desk: Desk) -> None:
    with_hosts(desk, VPN)
    controls = 'controls: ["https://vpn.example.net/", "https://95.216.1.10/", "dns://95.216.1.10/vk.com"]'
    desk.path.write_text(desk.path.read_text().replace('controls: ["https://vk.com/"]', controls))
    assert len(desk.load().controls) == 3


@pytest.mark.parametrize("entry", ["site:vpn.example.org", "country:NL"])
def test_rules_may_mean_a_host_by_its_name_or_country(desk: Desk, entry: str) -> None:
    with_hosts(desk, VPN.replace("asn: 24940", "asn: 24940\n    country: NL"))
    desk.path.write_text(desk.path.read_text().replace("{tls.sni: [twitter.com]}", f"{{ip: '{entry}'}}"))
    desk.path.write_text(desk.path.read_text().replace("action: rst-rewrite", "action: drop"))
    desk.path.write_text(desk.path.read_text().split("expect:")[0])
    (rule,) = desk.load().phases["block"].placements[0].policy.rules
    assert sorted(map(str, rule.match["ip"])) == [
        "2a01:4f9:0:1::10/128",
        "2a01:4f9:0:1::11/128",
        "95.216.1.10/32",
    ]


def test_show_lists_them(desk: Desk) -> None:
    with_hosts(desk, VPN + HELPER)
    addresses = "95.216.1.10, 2a01:4f9:0:1::10, 2a01:4f9:0:1::11"
    assert host_lines(desk.load()) == [
        f"vpn: vpn.example.net, vpn.example.org, {addresses}, AS24940: echo, web",
        "helper: helper.example, at mts: command",
    ]


def test_json_has_every_parameter(desk: Desk) -> None:
    with_hosts(desk, VPN)
    (host,) = json.loads(json.dumps(to_json(desk.load())))["world"]["hosts"]
    assert host == {
        "key": "vpn",
        "names": ["vpn.example.net", "vpn.example.org"],
        "ipv4": ["95.216.1.10"],
        "ipv6": ["2a01:4f9:0:1::10", "2a01:4f9:0:1::11"],
        "asn": 24940,
        "country": "US",
        "certificate": "trusted",
        "behaviour": {},
        "https_record": [],
        "ech": "",
        "zones": [],
        "block_body": "",
        "at": "",
        "services": [{"echo": {"port": 7}}, {"web": {"http": 80, "https": 8443}}],
        "in_order": False,
    }


@pytest.mark.parametrize("schema", [scenario_schema(), world_schema()])
def test_the_schema_knows_every_service_and_its_parameters(schema: dict) -> None:
    parts = schema["$defs"]
    reference = schema["properties"]["hosts"]["additionalProperties"]["$ref"]
    assert reference == "#/$defs/HostPart"
    assert parts["HostPart"]["properties"]["services"]["items"]["$ref"] == "#/$defs/ServiceCall"
    assert {"command", "discard", "dns", "doh", "dot", "echo", "http3", "web"} <= set(
        parts["ServiceCall"]["properties"]
    )
    assert set(parts["Readiness"]["properties"]) == {"tcp", "udp", "file", "output", "within"}


WRONG = {  # what is replaced in VPN, by what -> place, message, remedy
    "unknown service": (
        "- echo",
        "- ecko",
        "x.yaml:12 hosts.vpn.services[0]",
        "unknown service 'ecko'",
        "did you mean 'echo'?",
    ),
    "unknown parameter": (
        "https: 8443",
        "htps: 8443",
        "x.yaml:13 hosts.vpn.services[1].web",
        "unknown key 'htps'",
        "did you mean 'https'?",
    ),
    "no port": (
        "https: 8443",
        "https: 70000",
        "x.yaml:13 hosts.vpn.services[1].web.https",
        "70000 is too large",
        "write 65535 or less",
    ),
    "two services in one entry": (
        "- echo",
        "- {echo: 7, discard: 9}",
        "x.yaml:12 hosts.vpn.services[0]",
        "an entry is one service, not 2",
        "'- '",
    ),
    "no service": (
        "services:\n      - echo\n      - web: {https: 8443}",
        "services: []",
        "x.yaml:11 hosts.vpn.services",
        "it is empty",
        "give it at least one entry",
    ),
    "unknown key of a host": (
        "asn: 24940",
        "asn: 24940\n    contry: NL",
        "x.yaml:11 hosts.vpn.contry",
        "unknown key 'contry'",
        "did you mean 'country'?",
    ),
    "address of a site": (
        "ipv4: 95.216.1.10",
        "ipv4: 104.244.42.1",
        "x.yaml:8 hosts.vpn.ipv4",
        "104.244.42.1 belongs to twitter.com already",
        "another",
    ),
    "address of the far side": (
        "ipv4: 95.216.1.10",
        "ipv4: 87.245.192.2",
        "x.yaml:8 hosts.vpn.ipv4",
        "87.245.192.2 belongs to every world's far already",
        "another",
    ),
    "own address twice": (
        "1::11",
        "1::10",
        "x.yaml:9 hosts.vpn.ipv6[1]",
        "belongs to host 'vpn' already",
        "another",
    ),
    "address of a subscriber": (
        "ipv4: 95.216.1.10",
        "ipv4: 91.76.0.100",
        "x.yaml:8 hosts.vpn.ipv4",
        "91.76.0.100 belongs to mts already",
        "another",
    ),
    "reserved address": (
        "ipv4: 95.216.1.10",
        "ipv4: 10.0.0.1",
        "x.yaml:8 hosts.vpn.ipv4",
        "'10.0.0.1' is in a reserved range",
        "public",
    ),
    "one IP version": (
        "    ipv4: 95.216.1.10\n",
        "",
        "x.yaml:6 hosts.vpn",
        "the key 'ipv4' is missing",
        "or 'at: OPERATOR'",
    ),
    "name of a site": (
        "vpn.example.org",
        "t.co",
        "x.yaml:7 hosts.vpn.names[1]",
        "'t.co' belongs to twitter.com already",
        "another",
    ),
    "no host name": (
        "vpn.example.org",
        "VPN.example.org",
        "x.yaml:7 hosts.vpn.names[1]",
        "'VPN.example.org' is not a host name",
        "lower case",
    ),
    "key of an operator": (
        "  vpn:",
        "  mts:",
        "x.yaml:6 hosts.mts",
        "there is an operator 'mts' already",
        "another",
    ),
    "reserved key": ("  vpn:", "  far:", "x.yaml:6 hosts.far", "'far' is a reserved word", "another"),
    "long key": (
        "  vpn:",
        "  vpn-of-the-ministry:",
        "x.yaml:6 hosts.vpn-of",
        "is not a valid key for a host",
        "15",
    ),
    "two on one port": (
        "- echo",
        "- echo: 8443",
        "x.yaml:13 hosts.vpn.services[1]",
        "'echo' listens on TCP port 8443 already",
        "another port",
    ),
    "empty command": (
        "- echo",
        "- command: ''",
        "x.yaml:12 hosts.vpn.services[0].command",
        "the command is empty",
        "",
    ),
    "two signs": (
        "- echo",
        "- command: {run: ./x, ready: {tcp: 1, file: y}}",
        "x.yaml:12 hosts.vpn.services[0].command.ready",
        "one sign of readiness",
        "",
    ),
    "no regular expression": (
        "- echo",
        "- command: {run: ./x, ready: {output: '('}}",
        "x.yaml:12 hosts.vpn.services[0].command.ready",
        "'(' is not a regular expression",
        "",
    ),
    "time without unit": (
        "- echo",
        "- command: {run: ./x, ready: {within: 10}}",
        "x.yaml:12 hosts.vpn.services[0].command.ready.within",
        "no unit",
        "75 s",
    ),
    "no time at all": (
        "- echo",
        "- command: {run: ./x, ready: {within: 0 s}}",
        "x.yaml:12 hosts.vpn.services[0].command.ready",
        "more than 0",
        "",
    ),
    "readiness that another shows": (
        "- echo",
        "- command: {run: ./x, ready: {tcp: 8443}}",
        "x.yaml:12 hosts.vpn.services[0]",
        "its readiness cannot be seen: 'web' listens on TCP port 8443",
        "another port",
    ),
}


def says(found: Problem, place: str, message: str, remedy: str) -> None:
    assert found.place.endswith(place) or place in found.place, found
    assert message in found.message, found
    assert remedy in found.remedy, found


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_its_place_and_remedy(desk: Desk, case: str) -> None:
    old, new, place, message, remedy = WRONG[case]
    assert old in VPN
    with_hosts(desk, VPN.replace(old, new))
    says(desk.problem(), place, message, remedy)


@pytest.mark.parametrize(
    ("old", "new", "place", "message", "remedy"),
    [
        ("at: mts", "at: mtts", "hosts.helper.at", "unknown vantage 'mtts'", "did you mean 'mts'?"),
        (
            "at: mts",
            "at: mts\n    ipv4: 95.216.1.10",
            "hosts.helper.ipv4",
            "a host at 'mts' has the addresses of its subscriber",
            "remove 'ipv4'",
        ),
    ],
)
def test_a_host_at_a_vantage_that_is_wrong(
    desk: Desk, old: str, new: str, place: str, message: str, remedy: str
) -> None:
    with_hosts(desk, "hosts:\n" + HELPER.replace(old, new))
    says(desk.problem(), place, message, remedy)


def test_a_world_files_host_is_checked_alike(desk: Desk) -> None:
    (desk.folder / "small.yaml").write_text(WORLD + VPN.replace("- echo", "- ecko"))
    says(
        desk.problem(),
        "small.yaml:18 hosts.vpn.services[0]",
        "unknown service 'ecko'",
        "did you mean 'echo'?",
    )


def test_a_scenarios_host_cannot_have_the_key_of_one_of_the_world(desk: Desk) -> None:
    (desk.folder / "small.yaml").write_text(WORLD + VPN)
    with_hosts(desk, "hosts: {vpn: {at: mts, services: [echo]}}\n")
    says(desk.problem(), "x.yaml:5 hosts.vpn", "there is a host 'vpn' already", "another key")


PLUGIN = """\
from dataclasses import dataclass
from typing import ClassVar

from testbed.internet.services.base import PortNumber, Service


@dataclass(frozen=True, slots=True)
class Time(Service):
    key: ClassVar[str] = "time"

    port: PortNumber = 37

    def ports(self):
        return (("tcp", self.port),)

    async def serve(self, place, ready):
        ready()
"""


@pytest.mark.parametrize("where", ["x.yaml", "small.yaml"])
def test_a_service_from_a_python_file(desk: Desk, where: str) -> None:
    (desk.folder / "mine.py").write_text(
        f"{PLUGIN}# {where}"
    )  # a file of its own: modules are kept by content
    hosts = VPN.replace("- echo", "- mine.py:Time: {port: 3700}")
    with_hosts(desk, hosts if where == "x.yaml" else "")
    (desk.folder / "small.yaml").write_text(WORLD + (hosts if where == "small.yaml" else ""))
    scenario = desk.load()
    service = scenario.world.hosts[0].services[0]
    assert (service.key, service.ports()) == ("time", (("tcp", 3700),))
    assert "mine.py" in scenario.files


@pytest.mark.parametrize(
    ("old", "new", "place", "message", "remedy"),
    [
        ("class Time(Service)", "class Time", "", "mine.py:8: Time is not a service", "derive it"),
        ("    async def serve", "    async def save", "", "has no method 'serve'", "async def serve"),
        ('"time"', '""', "", "has no key", 'key: ClassVar[str] = "time"'),
        ("(frozen=True, slots=True)", "", "", "mine.py:7 does not run: TypeError: cannot inherit", "python"),
        ("from dataclasses", "raise SystemExit(0)\nfrom dataclasses", "", "mine.py:1", "remove the call"),
        ("port: PortNumber", "prt: PortNumber", ".port", "unknown key 'port'", "did you mean 'prt'?"),
    ],
)
def test_a_python_file_that_is_no_service(
    desk: Desk, old: str, new: str, place: str, message: str, remedy: str
) -> None:
    assert old in PLUGIN
    (desk.folder / "mine.py").write_text(PLUGIN.replace(old, new))
    with_hosts(desk, VPN.replace("- echo", "- mine.py:Time: {port: 3700}"))
    says(desk.problem(), f"x.yaml:12 hosts.vpn.services[0].mine.py:Time{place}", message, remedy)


def test_files_of_commands_are_beside_the_file_that_names_them(desk: Desk, tmp_path: Path) -> None:
    (desk.folder / "servers").mkdir()
    with_hosts(desk, VPN.replace("- echo", "- command: {run: ./x, folder: servers}"))
    command = desk.load().world.hosts[0].services[0]
    assert isinstance(command, Command)
    assert command.folder == str(desk.folder.resolve() / "servers")
