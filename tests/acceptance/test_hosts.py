"""Servers abroad and at the subscriber, as an ordinary user has them: reached, and required to be well.

Each failure has a twin in which the same host is well.
"""

import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testbed.run.open import StandingWorld, open_world
from tests.acceptance.conftest import Done

pytestmark = pytest.mark.world
Run = Callable[..., Done]

SCENARIO = """
title: A server of one's own
period: any
sources: [our choice]
operators: [mts]
hosts:
{hosts}
phases: {{p: {{}}}}
default_phase: p
controls: ["https://vk.com/"]
"""

WEB = f"{sys.executable} -m http.server --bind :: 8000"
TLS = "openssl s_server -port 4433 -cert $TESTBED_CHAIN -cert_chain $TESTBED_CHAIN -key $TESTBED_KEY -www"
SHOW = (
    "cat /etc/resolv.conf; echo $TESTBED_HOST $TESTBED_IPV4 $TESTBED_IPV6; "
    "ip -o addr; ls -l $TESTBED_KEY; sleep 86400"
)


def host(name: str, number: int, *services: str, more: str = "") -> str:
    """A host abroad with two addresses of each kind."""
    head = f"""
  {name}:
    names: {name}.example.net
    ipv4: [95.216.{number}.10, 95.216.{number}.11]
    ipv6: ["2a01:4f9:0:{number}::10", "2a01:4f9:0:{number}::11"]
    asn: 24940{more}
    services:
"""
    return head + "".join(f"      - {service}\n" for service in services)


def abroad(*services: str) -> str:
    return host("vpn", 1, *services)


QUOTE = """
from dataclasses import dataclass
from typing import ClassVar
from testbed.internet.services.base import PortNumber, Service

@dataclass(frozen=True, slots=True)
class Quote(Service):
    '''Quote of the day (RFC 865).'''

    key: ClassVar[str] = "quote"

    text: str
    port: PortNumber = 17

    def ports(self):
        return (("tcp", self.port),)

    async def serve(self, place, ready):
        from testbed.internet.transports import new_failure, serve_streams

        async def converse(reader, writer):
            writer.write(self.text.encode())

        failure = new_failure()
        await serve_streams(place.sockets["tcp", self.port], converse, failure)
        ready()
        await failure
"""
EVERY_HOST = (
    host("vpn", 1, f'command: {{run: "{WEB}", ready: {{tcp: 8000}}}}', "echo", "discard")
    + host("trusted", 2, f'command: {{run: "{TLS}", ready: {{tcp: 4433}}}}')
    + host(
        "refused",
        3,
        f'command: {{run: "{TLS}", ready: {{tcp: 4433}}}}',
        "web: {http: null}",
        more="\n    certificate: self-signed",
    )
    + host("shown", 4, f'command: {{run: "{SHOW}", ready: {{output: key.pem}}}}')
    + host("every", 5, "web", "http3", "dns")
    + host("quoting", 6, "quote.py:Quote: {text: patience}")
    + f'  helper:\n    at: mts\n    names: helper.example\n    services: [command: "{WEB}"]\n'
)


def write_scenario(folder: Path, hosts: str) -> str:
    """A scenario with these hosts in a folder with what they serve; gives its path."""
    folder.mkdir(exist_ok=True)
    (folder / "hello").write_text("hello from abroad\n")
    (folder / "quote.py").write_text(QUOTE)
    (folder / "own.yaml").write_text(SCENARIO.format(hosts=hosts))
    return str(folder / "own.yaml")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingWorld]:
    """All that only answers, in one world."""
    folder = tmp_path_factory.mktemp("hosts")
    path = write_scenario(folder / "mine", EVERY_HOST)
    with open_world(path, vantages=("mts", "outside"), out=folder / "run") as held:
        yield held


def ask(world: StandingWorld, *command: str, vantage: str = "mts") -> tuple[int, str]:
    """A subscriber's command: its status and what it printed."""
    done = world.run(command, vantage=vantage, capture_output=True, text=True)
    return done.returncode, done.stdout


def log_of(world: StandingWorld, service: str) -> str:
    return (world.folder / "logs" / f"host.{service}.log").read_text()


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[[str], str]:
    """Write a scenario with these hosts; gives its path."""

    return lambda hosts: write_scenario(tmp_path / "mine", hosts)


@pytest.mark.parametrize("version", ["-4", "-6"])
def test_a_subscriber_reaches_a_program_abroad(world: StandingWorld, version: str) -> None:
    url = f"http://vpn.example.net:8000/hello?{version}"
    assert ask(world, "curl", version, "-s", url) == (0, "hello from abroad\n")
    assert f'"GET /hello?{version} HTTP/1.1" 200' in log_of(world, "vpn.command")


def test_a_program_abroad_has_a_certificate_that_subscribers_trust(world: StandingWorld) -> None:
    curl = ("curl", "-sS", "-o", "/dev/null")
    assert ask(world, *curl, "https://trusted.example.net:4433/") == (0, "")
    wrong = (*curl, "--connect-to", "::trusted.example.net:", "https://other.example:4433/")
    assert ask(world, *wrong) == (60, "")  # peer's certificate: another name


@pytest.mark.parametrize("port", ["443", "4433"])
def test_a_host_may_show_a_certificate_that_clients_refuse(world: StandingWorld, port: str) -> None:
    assert ask(world, "curl", "-sS", f"https://refused.example.net:{port}/") == (60, "")


def test_a_host_abroad_has_a_resolver_addresses_and_a_key_of_its_own(world: StandingWorld) -> None:
    own = "nameserver 91.76.0.53\nnameserver 2a02:28::53\n"
    assert ask(world, "cat", "/etc/resolv.conf") == (0, own)
    log = log_of(world, "shown.command")
    assert log.startswith("nameserver 8.8.8.8\n")
    assert "shown.example.net 95.216.4.10 2a01:4f9:0:4::10" in log
    for address in ("95.216.4.10/", "95.216.4.11/", "2a01:4f9:0:4::10/", "2a01:4f9:0:4::11/"):
        assert address in log
    assert "-rw-------" in log


ECHO = """
import socket, sys
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    for address in ("95.216.1.10", "95.216.1.11", "2a01:4f9:0:1::10", "2a01:4f9:0:1::11"):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as one:
            one.settimeout(float(sys.argv[2]))
            one.connect((address, int(sys.argv[1])))
            one.send(b"ping")
            try:
                print(one.recv(9).decode(), end=" ")
            except TimeoutError:
                print("silence", end=" ")
"""


@pytest.mark.parametrize(
    ("port", "wait", "heard"), [("7", "5", "ping"), ("9", "0.5", "silence")], ids=["echo", "discard"]
)
def test_echo_and_discard_at_every_address_over_tcp_and_udp(
    world: StandingWorld, port: str, wait: str, heard: str
) -> None:
    """The other service answers at once: half a second of silence is no slowness."""
    assert ask(world, sys.executable, "-c", ECHO, port, wait) == (0, f"{heard} " * 8)


def test_web_http3_and_dns_abroad(world: StandingWorld) -> None:
    status, head = ask(world, "curl", "-sSI", "https://every.example.net/")
    assert (status, head.splitlines()[0].strip()) == (0, "HTTP/2 200")
    assert 'alt-svc: h3=":443"' in head
    assert sorted(log.name for log in (world.folder / "logs").glob("host.every.*")) == [
        "host.every.dns.log",
        "host.every.http3.log",
        "host.every.web.log",
    ]
    _, asked = ask(world, "dig", "+short", "@95.216.5.11", "every.example.net", "AAAA")
    assert asked.split() == ["2a01:4f9:0:5::10", "2a01:4f9:0:5::11"]


def test_a_program_at_the_subscriber(world: StandingWorld) -> None:
    for url in ("http://127.0.0.1:8000/hello", "http://helper.example:8000/hello"):
        assert ask(world, "curl", "-s", url) == (0, "hello from abroad\n")
    # It is not there for whom it does not concern:
    assert ask(world, "curl", "-s", "http://127.0.0.1:8000/hello", vantage="outside") == (7, "")


@pytest.mark.parametrize("version", ["-4", "-6"])
def test_a_service_of_ones_own_in_a_python_file(world: StandingWorld, version: str) -> None:
    assert ask(world, "curl", version, "-s", "telnet://quoting.example.net:17") == (0, "patience")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("echo 'no such key' >&2; exit 4", "the command ended with exit status 4 before it was ready"),
        ("echo 'no such key'; kill -9 $$", "the command was killed by SIGKILL before it was ready"),
    ],
)
def test_a_program_that_dies_makes_the_run_invalid_with_the_end_of_its_log(
    testbed: Run, scenario: Callable[[str], str], command: str, reason: str
) -> None:
    done = testbed(scenario(abroad(f'command: "{command}"')), "--", "true")
    assert done.status == 3, done.err
    for text in ("host.vpn.command", "no such key", reason):
        assert text in done.err
        assert text in " ".join(done.summary["problems"])


def test_a_program_that_dies_during_the_work_makes_the_run_invalid(
    testbed: Run, scenario: Callable[[str], str]
) -> None:
    path = scenario(
        abroad('command: {run: "echo up; sleep 1; echo out of memory; exit 9", ready: {output: up}}')
    )
    done = testbed(path, "--", "sleep", "2")
    assert done.status == 3, done.err
    assert "out of memory" in done.err
    assert "the command ended with exit status 9" in done.err
    sooner = testbed(path, "--", "true")
    assert sooner.status == 0, sooner.err


def test_a_program_that_is_never_ready_makes_the_run_invalid_in_bounded_time(
    testbed: Run, scenario: Callable[[str], str]
) -> None:
    command = 'command: {run: "echo thinking; sleep 60", ready: {tcp: 4433, within: 1 s}}'
    done = testbed(scenario(abroad(command)), "--", "true", timeout=30)
    assert done.status == 3, done.err
    assert "thinking" in done.err
    assert "not ready after 1 s: waited until something listens on TCP port 4433" in done.err
    assert done.summary["seconds"] < 10


def test_serve_a_new_host_abroad(testbed: Run, tmp_path: Path) -> None:
    (tmp_path / "hello").write_text("served\n")
    served = f"files.example.net:8000={WEB}"
    line = ("--vantage", "mts", "--", "curl", "-s", "http://files.example.net:8000/hello")
    done = testbed("free-network", "--serve", served, *line)
    assert (done.status, done.out) == (0, "served\n"), done.err
    assert "GET /hello" in (done.folder / "logs" / "host.files.command.log").read_text()
    without = testbed("free-network", *line)
    assert without.status == 6, without.err  # could not resolve host


def test_serve_at_the_subscriber_and_at_a_host_of_the_scenario(
    testbed: Run, scenario: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "hello").write_text("served\n")
    path = scenario(abroad("echo"))
    urls = ("http://127.0.0.1:8000/hello", "http://vpn.example.net:8000/hello")
    done = testbed(path, "--serve", f"mts={WEB}", "--serve", f"vpn={WEB}", "--", "curl", "-s", *urls)
    assert (done.status, done.out) == (0, "served\nserved\n"), done.err
    assert sorted(log.name for log in (done.folder / "logs").glob("host.*")) == [
        "host.mts.command.log",
        "host.vpn.command.log",
        "host.vpn.echo.log",
    ]


def test_another_operators_subscriber_joins_the_world(testbed: Run, tmp_path: Path) -> None:
    (tmp_path / "hello").write_text("from the neighbour\n")
    line = ("--vantage", "mts", "--", "curl", "-sm", "5", "http://95.24.0.100:8000/hello")  # Beeline's
    done = testbed("twitter-throttling-2021", "--serve", f"beeline={WEB}", *line)
    assert (done.status, done.out) == (0, "from the neighbour\n"), done.err
    assert testbed("twitter-throttling-2021", *line).status == 28  # no answer


def test_a_served_command_that_dies_makes_the_run_invalid(testbed: Run) -> None:
    done = testbed("free-network", "--vantage", "mts", "--serve", "vpn=echo gone; exit 1", "--", "true")
    assert done.status == 3, done.err
    assert "gone" in done.err


@pytest.mark.parametrize("text", ["vpn", "twitter.com=true", "VPN=true"])
def test_a_wrong_serve_is_input(testbed: Run, text: str) -> None:
    done = testbed("free-network", "--serve", text, "--", "true")
    assert done.status == 2, done.err
    assert "--serve" in done.err
    assert not done.folder.exists()


def test_an_authority_is_kept_over_runs(testbed: Run, tmp_path: Path) -> None:
    # the root that the subscriber's bundle ends with
    line = (
        "--vantage",
        "mts",
        "--",
        "sh",
        "-c",
        "tail -n 20 $SSL_CERT_FILE; curl -sSo /dev/null https://vk.com/",
    )
    kept = ("--authority", str(tmp_path / "authority"))
    first, second = (testbed("free-network", *kept, *line) for _ in range(2))
    other = testbed("free-network", *line)
    assert [done.status for done in (first, second, other)] == [0, 0, 0], first.err
    root = (tmp_path / "authority" / "root.pem").read_text()
    assert ssl.PEM_cert_to_DER_cert(root)
    assert first.out.endswith(root)
    assert second.out == first.out
    assert not other.out.endswith(root)


def test_an_authority_that_others_can_read_is_refused(testbed: Run, tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    folder.mkdir(mode=0o755)
    done = testbed("free-network", "--authority", str(folder), "--", "true")
    assert done.status == 2, done.err
    assert done.err == (
        f"testbed: --authority: {folder} is open to others (mode 755); "
        f"if nobody had a chance to read it: chmod 700 {folder}; otherwise name a new folder\n"
    )


def test_hosts_abroad_ask_a_resolver_of_their_own(testbed: Callable[..., Done]) -> None:
    """`ip netns exec` gives a command the resolver file of its host, where the operator's resolver lies."""
    line = "getent ahostsv4 www.bbc.com | head -n 1"
    script = f"{line}; for host in outside far domestic; do ip netns exec $host sh -c '{line}'; done"
    run = ("twitter-facebook-block-2022-03", "--vantage", "ertelecom", "--", "sh", "-c", script)
    done = testbed(*run)
    addresses = [line.split()[0] for line in done.out.splitlines()]
    assert addresses == ["5.3.3.17", "151.101.0.81", "151.101.0.81", "151.101.0.81"], done.err


def test_an_address_that_outside_adds_to_itself_is_routed(testbed: Callable[..., Done]) -> None:
    script = "{}; ping -n -c 1 -W 1 95.216.0.7 > ping; echo $?"
    add = "ip netns exec outside ip address add 95.216.0.7/32 dev lo"
    statuses = [
        testbed("free-network", "--vantage", "mts", "--", "sh", "-c", script.format(first)).out
        for first in (add, ":")
    ]
    assert statuses == ["0\n", "1\n"]


@pytest.mark.parametrize("version", ["-4", "-6"])
def test_what_a_command_reached_besides_sites(
    testbed: Callable[..., Done], scenario: Callable[[str], str], version: str
) -> None:
    path = scenario(abroad(f'command: {{run: "{WEB}", ready: {{tcp: 8000}}}}'))
    curl = ("--", "curl", "-s", version, "-o", "/dev/null")
    done = testbed(path, "--vantage", "mts", *curl, "http://vpn.example.net:8000/hello")
    assert list(done.summary["reached"]) == ["vpn.example.net 8000/tcp"]
    assert 500 < done.summary["reached"]["vpn.example.net 8000/tcp"] < 5000
    assert "no rule fired; reached vpn.example.net 8000/tcp, " in done.err
    twin = testbed(path, "--vantage", "mts", *curl, "https://twitter.com/")
    assert (twin.summary["reached"], "reached" in twin.err) == ({}, False)
