"""The newer techniques through the kernel: what a real socket meets, and that the receipts agree."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_network

import pytest

from testbed.censor.actions.base import Action
from testbed.censor.actions.block_host import BlockHost
from testbed.censor.actions.connection_limit import ConnectionLimit
from testbed.censor.actions.data_drop import DropAfterData
from testbed.censor.actions.divert import Divert
from testbed.censor.actions.fin import InjectFin
from testbed.censor.actions.freeze import Freeze
from testbed.censor.actions.loss import Loss
from testbed.censor.core import Censor
from testbed.censor.policy import Match
from testbed.world.enter import isolated_call
from tests.censor.line import hello, names, policy
from tests.censor.parsers.real import WG_DATA, WG_INITIATION
from tests.middlebox.lab import CLIENT, FAMILY, PORT, SERVER, Lab, ask, echo

pytestmark = pytest.mark.world

BOTH = pytest.mark.parametrize("family", [4, 6])
NOBODY = {4: "198.51.100.9", 6: "2001:db8:2::9"}  # no host has these
UDP = Match(transport="udp", ports=(PORT,))
ELSEWHERE = Match(ip=(ip_network("192.0.2.128/32"),))
LISTED = Match(tls_sni=names("x.com"))


def live(match: Match, action: Action, script: Callable[[Lab], object], profile: str = "t25"):
    """What the script sees behind a censor of one rule, and what the rule did, by the kernel's account."""
    with_policy = policy(match, action, profile)

    def body():
        lab = Lab()
        echo(lab)
        running = lab.censor(Censor(with_policy, 1), with_policy)
        seen = script(lab)
        receipt = running.stop()
        counts = receipt.rules["rule"]
        assert receipt.faults == receipt.queue_dropped == receipt.user_dropped == 0
        assert counts["claimed"].items() <= counts["kernel"].items()
        return seen, counts["kernel"]

    return isolated_call(body)


def greet(lab: Lab, family: int, name: str = "x.com", times: int = 1, host: str = "") -> list[str]:
    """Say hello over TCP to the echo server, several times: how each connection goes."""

    def once() -> str:
        with socket.socket(FAMILY[family], socket.SOCK_STREAM) as sock:
            sock.settimeout(0.4)
            try:
                sock.connect((host or SERVER[family], PORT))
            except TimeoutError:
                return "no connection"
            try:
                sock.sendall(hello(name))
                return "echo" if sock.recv(65_535) else "end"
            except TimeoutError:
                return "silence"

    return lab.fork("client", lambda: [once() for _ in range(times)]).result()


@BOTH
@pytest.mark.parametrize("match", [UDP, ELSEWHERE], ids=["rule", "twin"])
def test_frozen_after_25_packets_and_the_server_locked(family, match):
    def script(lab: Lab) -> object:
        first = ask(lab, family, *[b"x"] * 15, wait=0.2)
        return first, ask(lab, family, b"x", b"x", sport=4001, wait=0.2)

    (first, second), kernel = live(match, Freeze(), script)
    if match is ELSEWHERE:
        assert (first, second) == ([b"x"] * 15, [b"x"] * 2)
        return
    assert first == [b"x"] * 12 + [None] * 3
    assert second == [None] * 2
    assert kernel["drop"] == 2, "the first of each flow, in Python"
    assert kernel["flow_drop"] == 3, "the rest, in the kernel"


@BOTH
def test_wireguard_dies_after_two_data_packets(family):
    def script(lab: Lab) -> object:
        return ask(lab, family, WG_INITIATION, WG_DATA, WG_DATA, WG_INITIATION, wait=0.2)

    seen, kernel = live(Match(protocol=("wireguard",)), DropAfterData("wireguard"), script, "t23")
    assert seen == [WG_INITIATION, WG_DATA, None, None]
    assert (kernel["drop"], kernel["flow_drop"]) == (1, 1)
    twin, kernel = live(Match(protocol=("wireguard",)), DropAfterData("wireguard", 99), script, "t23")
    assert None not in twin
    assert not any(kernel.values())


@BOTH
def test_the_third_connection_is_one_too_many(family):
    match = Match(tls_sni=names("*"))
    seen, kernel = live(match, ConnectionLimit(flows=2), lambda lab: greet(lab, family, "n.com", 4))
    assert seen == ["echo", "echo", "silence", "silence"]
    assert kernel["drop"] == 2
    twin, _ = live(match, ConnectionLimit(flows=4), lambda lab: greet(lab, family, "n.com", 4))
    assert twin == ["echo"] * 4


@BOTH
def test_the_stream_ends_by_a_forged_fin(family):
    seen, kernel = live(LISTED, InjectFin(trigger="drop"), lambda lab: greet(lab, family))
    assert seen == ["end"]
    assert kernel["inject"] >= 1
    twin, kernel = live(LISTED, InjectFin(trigger="drop"), lambda lab: greet(lab, family, "n.com"))
    assert (twin, kernel["inject"]) == (["echo"], 0)


@BOTH
def test_about_half_of_the_datagrams_are_lost_each_way(family):
    def script(lab: Lab) -> object:
        return ask(lab, family, *[bytes([number]) for number in range(20)], wait=0.15)

    seen, kernel = live(UDP, Loss(0.5, direction="up"), script, "t24")
    assert 3 <= seen.count(None) <= 17
    assert kernel["drop"] == seen.count(None)
    twin, kernel = live(UDP, Loss(0.0), script, "t24")
    assert (twin.count(None), kernel["drop"]) == (0, 0)


@BOTH
@pytest.mark.parametrize("blocked", [True, False])
def test_a_blocked_host_is_refused_in_the_inside_hosts_name(family, blocked):
    networks = (ip_network(SERVER[family]),) if blocked else ELSEWHERE["ip"]

    def answered(lab: Lab) -> str:
        """The blocked host connects to a listening inside host."""
        ready, tell = os.pipe()

        def listen() -> None:
            with socket.socket(FAMILY[family], socket.SOCK_STREAM) as sock:
                sock.bind((CLIENT[family], 7))
                sock.listen()
                os.write(tell, b"r")
                sock.settimeout(0.3)
                with suppress(TimeoutError):
                    sock.accept()

        def connect() -> str:
            with socket.socket(FAMILY[family], socket.SOCK_STREAM) as sock:
                sock.settimeout(0.3)
                try:
                    sock.connect((CLIENT[family], 7))
                except ConnectionRefusedError:
                    return "refused"
                return "connected"

        inside = lab.fork("client", listen)
        os.read(ready, 1)
        outcome = lab.fork("server", connect).result()
        inside.result()
        return str(outcome)

    def script(lab: Lab) -> object:
        return greet(lab, family), answered(lab)

    seen, kernel = live(Match(ip=networks), BlockHost(), script, "t22")
    assert seen == ((["no connection"], "refused") if blocked else (["echo"], "connected"))
    assert (kernel["drop"] > 0, kernel["replace"] > 0) == (blocked, blocked)


@BOTH
@pytest.mark.parametrize("diverted", [True, False])
def test_led_to_another_server_that_answers_in_the_asked_ones_name(family, diverted):
    action = Divert(to4=SERVER[4], to6=SERVER[6], port=PORT)
    match = Match(ports=(PORT, 53)) if diverted else ELSEWHERE

    def query(lab: Lab) -> bytes | None:
        def body() -> bytes | None:
            with socket.socket(FAMILY[family], socket.SOCK_DGRAM) as sock:
                sock.settimeout(0.4)
                sock.connect((NOBODY[family], 53))  # only its own replies are received
                try:
                    sock.send(b"query")
                    return sock.recv(100)
                except OSError:
                    return None

        return lab.fork("client", body).result()

    def script(lab: Lab) -> object:
        try:
            stream = greet(lab, family, host=NOBODY[family])
        except OSError:  # no such host
            stream = ["no connection"]
        return query(lab), stream

    seen, kernel = live(match, action, script, "leg-active")
    assert seen == ((b"query", ["echo"]) if diverted else (None, ["no connection"]))
    assert (kernel["replace"] > 5) is diverted
