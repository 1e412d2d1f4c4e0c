"""New lists from one packet to the next: none is lost, old flows keep their fate, a wrong file is refused."""

import json
import os
import signal
import socket
import struct
import time

import pytest

from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.core import Censor
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from testbed.errors import InputError
from testbed.middlebox.loop import QUEUE_LENGTH
from testbed.scenario.namelists import read_names
from testbed.world.enter import isolated_call
from tests.censor.line import hello, names
from tests.middlebox.lab import CLIENT, SERVER, Lab, Running, ask, echo

pytestmark = pytest.mark.world


def with_names(patterns, profile: str = "t22") -> Policy:
    return Policy(
        "box", PROFILES[profile], (Rule("sni", Match(tls_sni=patterns), SilentDrop(residual=60.0)),)
    )


def running(lab: Lab, policy: Policy, reread) -> Running:
    """A real core on the hop that can be told to read again."""
    return Running(lab, Censor(policy, 1), policy, 1.0, QUEUE_LENGTH, reread)


def reload_and_wait(lab: Lab, box: Running, events: int = 1, timeout: float = 20.0) -> list[dict]:
    os.kill(box.child.pid, signal.SIGHUP)
    return wait_for_reloads(lab, events, timeout)


def wait_for_reloads(lab: Lab, events: int, timeout: float = 20.0) -> list[dict]:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        path = lab.run_dir / "events.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        told = [line["detail"] for line in lines if line["kind"] == "reload"]
        if len(told) >= events:
            return told
        time.sleep(0.02)
    raise TimeoutError("no reload")


def answered(lab: Lab, name: str, sport: int) -> bool:
    """Whether an echo server's answer to a ClientHello for `name` arrives on a new connection."""

    def body() -> bool:
        with socket.socket() as sock:
            sock.bind((CLIENT[4], sport))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # frees the port
            sock.settimeout(1.0)
            sock.connect((SERVER[4], 443))
            sock.sendall(hello(name))
            try:
                return sock.recv(65_535) == hello(name)
            except OSError:
                return False

    return bool(lab.fork("client", body).result())


def test_the_new_list_holds_and_old_flows_keep_their_fate():
    def body():
        lab = Lab()
        echo(lab)
        path = lab.run_dir / "names.txt"
        path.write_text("old.com\n")
        box = running(lab, with_names(read_names(path, "")[0]), lambda: with_names(read_names(path, "")[0]))
        before = answered(lab, "old.com", 5001), answered(lab, "new.com", 5002)
        path.write_text("new.com\n")
        told = reload_and_wait(lab, box)
        after = answered(lab, "old.com", 5003), answered(lab, "new.com", 5004)
        held = answered_again(lab, 5001)
        return before, after, held, told, box.stop()

    before, after, held, told, receipt = isolated_call(body)
    assert before == (False, True)
    assert after == (True, False)
    assert held is False, "a flow that the old list had dropped stays dropped for its residual time"
    assert told == [{"rules": 1, "seconds": told[0]["seconds"]}]
    assert receipt.faults == 0


def answered_again(lab: Lab, sport: int) -> bool:
    def body() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((CLIENT[4], sport))
            sock.settimeout(0.5)
            try:
                sock.connect((SERVER[4], 443))
            except OSError:
                return False
            return True

    return bool(lab.fork("client", body).result())


@pytest.mark.parametrize("count", [50_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_no_packet_is_lost_while_a_long_list_is_read(count):
    def flood():
        """Datagrams of new flows, so that each goes through the core, about 1,000 a second, each echoed."""
        sent, longest, last = 0, 0.0, time.monotonic()
        end = time.monotonic() + (8.0 if count > 100_000 else 2.0)
        while time.monotonic() < end:
            socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(5)]
            for port, sock in enumerate(socks, 10_000 + sent):
                sock.bind((CLIENT[4], port))
                sock.settimeout(2.0)
                sock.connect((SERVER[4], 443))
                sock.send(b"x")
            for sock in socks:
                sock.recv(64)  # a packet that was lost is a TimeoutError
                sock.close()
            sent += len(socks)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
            time.sleep(0.005)
        return sent, longest

    def body():
        lab = Lab()
        echo(lab)
        path = lab.run_dir / "names.txt"
        path.write_text("".join(f"*.site-{number}.example\n" for number in range(count)))
        box = running(lab, with_names(names("x.com")), lambda: with_names(read_names(path, "")[0]))
        flooding = lab.fork("client", flood)
        time.sleep(0.3)
        told = reload_and_wait(lab, box)
        sent, longest = flooding.result()
        return sent, longest, told, answered(lab, f"www.site-{count - 1}.example", 5001), box.stop()

    sent, longest, told, listed, receipt = isolated_call(body)
    assert "refused" not in told[0]
    assert listed is False
    assert sent > 500
    assert (receipt.queue_dropped, receipt.user_dropped, receipt.faults) == (0, 0, 0)
    assert receipt.packets >= sent, "the core was asked about every one"
    assert longest < 0.5, f"{longest} s without a packet, of {told[0]['seconds']} s of reading"


def test_what_cannot_be_taken_over_changes_nothing():
    answers = iter(
        [InputError.at("names.txt:3", "is wrong"), with_names(names("y.com"), "t21"), OSError("disk")]
    )

    def again():
        answer = next(answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def body():
        lab = Lab()
        echo(lab)
        box = running(lab, with_names(names("x.com")), again)
        told = reload_and_wait(lab, box)
        told = reload_and_wait(lab, box, 2)
        os.kill(box.child.pid, signal.SIGHUP)
        time.sleep(0.3)
        return told, answered(lab, "x.com", 5001), ask(lab, 4, b"hi"), box.stop()

    told, listed, replies, receipt = isolated_call(body)
    assert told[0]["refused"] == "names.txt:3: is wrong"
    assert told[1]["refused"] == "the profile is t21, and was t22"
    assert listed is False
    assert replies == [b"hi"]
    assert receipt.faults == 1


def test_many_signals_at_once_are_one_or_two_reloads():
    read = []

    def again():
        read.append(1)
        time.sleep(0.2)
        return with_names(names("y.com"))

    def body():
        lab = Lab()
        box = running(lab, with_names(names("x.com")), again)
        for _ in range(20):
            os.kill(box.child.pid, signal.SIGHUP)
            time.sleep(0.005)
        told = wait_for_reloads(lab, 2)
        time.sleep(0.5)
        return len(wait_for_reloads(lab, 2)), told, box.stop()

    count, _, receipt = isolated_call(body)
    assert count == 2
    assert receipt.status == 0


def test_a_rule_that_a_header_decides_is_refused_where_only_data_did():
    """The kernel lets each SYN pass for as long as the run lasts: nothing could act on one."""

    def box(match: Match) -> Policy:
        return Policy("box", PROFILES["t22"], (Rule("one", match, SilentDrop()),))

    by_name, by_port = box(Match(tls_sni=names("x.com"))), box(Match(ports=(443,)))
    with pytest.raises(ValueError, match="a rule by address, port or history, where only data decided"):
        Censor(by_name, 1).must_fit(by_port)
    Censor(by_port, 1).must_fit(by_name)
