"""Segments without data pass beside the queue, and the censor knows of them in time."""

import os
import signal
import socket
import time
from functools import partial
from pathlib import Path

import pytest

from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.decision import PASS, Decision, Direction, Event, Verdict
from testbed.censor.names import NameList
from testbed.censor.packet import ACK, PSH, RST, SYN
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from testbed.censor.wire import Endpoints, IpForm, TcpForm, tcp
from testbed.errors import UnsupportedError
from testbed.middlebox import loop, ruleset
from testbed.middlebox.copies import Copies
from testbed.middlebox.loop import serve_censor
from testbed.model import Placement
from testbed.world.children import Children
from testbed.world.enter import isolated_call
from testbed.world.netns import inside
from tests.censor.line import hello
from tests.middlebox.lab import CLIENT, FAMILY, PORT, SERVER, Lab, Stub, echo, payload_of

pytestmark = pytest.mark.world

BY_NAME = Match(tls_sni=NameList(("x.com",)))
SPORT = 4321


def box(match, action):
    return Policy("tspu", PROFILES["t22"], (Rule("rule", match, action),))


def talk(family, name):
    """Connect, say hello for a name to the echo server: what comes of it."""
    with socket.socket(FAMILY[family], socket.SOCK_STREAM) as sock:
        sock.bind((CLIENT[family], 0))
        sock.settimeout(0.7)
        try:
            sock.connect((SERVER[family], PORT))
        except TimeoutError:
            return "no connection"
        try:
            greeting = hello(name)
            sock.sendall(greeting)
            left = len(greeting)
            while left:
                left -= len(sock.recv(left)) or left
        except (ConnectionError, TimeoutError) as error:
            return type(error).__name__
        return "echo"


def queued(lab):
    """How many packets have been in the queue of the hop's censor (nfnetlink_queue.c, seq_show)."""
    with inside(lab.ns["hop"]):
        [line] = Path("/proc/thread-self/net/netfilter/nfnetlink_queue").read_text().splitlines()
    return int(line.split()[7])


def with_real_core(match, action, script):
    """In a new world with an echo server and a real censor of one rule; the script's value."""

    def body():
        lab = Lab()
        echo(lab)
        placement = Placement("lab", box(match, action))
        serve = partial(serve_censor, placement, 1, lab.run_dir, time.monotonic(), 1.0)
        with Children(lab.run_dir / "logs") as children:
            children.spawn("censor", serve, lab.ns["hop"])
            children.wait_ready(30)
            return script(lab)

    return isolated_call(body)


@pytest.mark.parametrize("family", [4, 6])
def test_of_a_connection_that_no_rule_concerns_the_queue_sees_the_clienthello_alone(family):
    def script(lab):
        return lab.fork("client", lambda: talk(family, "ok.example")).result(), queued(lab)

    assert with_real_core(BY_NAME, SilentDrop(), script) == ("echo", 1)


@pytest.mark.parametrize("family", [4, 6])
def test_a_listed_name_is_met_as_ever(family):
    def script(lab):
        return lab.fork("client", lambda: talk(family, "x.com")).result()

    assert with_real_core(BY_NAME, SilentDrop(), script) == "TimeoutError"


@pytest.mark.parametrize("family", [4, 6])
def test_where_a_header_decides_every_packet_comes(family):
    """The SYN is what is dropped."""

    def script(lab):
        return lab.fork("client", lambda: talk(family, "ok.example")).result()

    assert with_real_core(Match(ports=(PORT,)), SilentDrop(scope="packet"), script) == "no connection"


def stubbed(decide, script):
    """In a new world with a censor of one rule by name that answers by `decide`; its receipt.

    `asked` is how many packets were in its queue.
    """

    def body():
        lab = Lab()
        running = lab.censor(Stub(decide), box(BY_NAME, SilentDrop()))
        script(lab, running.child.pid)
        asked = queued(lab)
        receipt = running.stop()
        receipt.asked = asked
        return receipt

    return isolated_call(body)


def segment(flags, payload=b"", sport=SPORT):
    ends = Endpoints(*(socket.inet_aton(host) for host in (CLIENT[4], SERVER[4])), sport, PORT)
    return tcp(ends, TcpForm(1, 1, flags), IpForm(), payload)


def send(lab, *segments):
    """From the client, as they are."""

    def body():
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            for one in segments:
                raw.sendto(one, (SERVER[4], 0))

    lab.fork("client", body).result()


class Held:
    """While this process is stopped, what is sent waits for it."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)
        time.sleep(0.3)


def test_no_segment_overtakes_data_of_its_flow_that_waits_for_the_core(tmp_path):
    """A SYN before, a reset after: the core sees them in that order, all three at once."""
    order = tmp_path / "order"
    words = {SYN: "syn", PSH | ACK: "data", RST: "reset"}

    def decide(raw, way, _now):
        if way is Direction.UP:
            with order.open("a") as file:
                print(words[raw[33]], file=file)
        return PASS

    def script(lab, pid):
        with Held(pid):
            send(lab, segment(SYN), segment(PSH | ACK, b"data"), segment(RST))

    receipt = stubbed(decide, script)
    assert order.read_text().split() == ["syn", "data", "reset"]
    assert receipt.faults == 0


TAKEN = Decision(events=(Event("match", "rule", "", {}),))


@pytest.mark.parametrize(("answer", "asked"), [(PASS, 2), (TAKEN, 4)], ids=["not taken", "taken"])
def test_a_flow_that_a_rule_has_taken_comes_whole(monkeypatch, answer, asked):
    """Long after nothing of it can wait any more: a bare segment of it may be what the action looks for.

    The server's kernel answers each of the two by a reset.
    """
    monkeypatch.setattr(ruleset, "WAITING", 0.1)

    def script(lab, _pid):
        send(lab, segment(PSH | ACK, b"data"))
        time.sleep(0.5)
        send(lab, segment(ACK))

    def decide(raw, way, _now):
        return answer if way is Direction.UP and payload_of(raw) else PASS

    receipt = stubbed(decide, script)
    assert (receipt.asked, receipt.packets, receipt.faults) == (asked, 4, 0)


def test_copies_that_are_lost_make_the_run_invalid(monkeypatch):
    monkeypatch.setattr(loop, "SOCKET_BUFFER", 4096)

    def script(lab, pid):
        with Held(pid):
            send(lab, *(segment(SYN, sport=2000 + number) for number in range(500)))

    receipt = stubbed(lambda *_: PASS, script)
    assert receipt.packets < 500
    assert [words.partition(" at ")[0] for words in receipt.faults_in_words] == ["CopiesLostError"]


def test_a_core_that_would_act_on_what_has_passed_makes_the_run_invalid():
    receipt = stubbed(
        lambda raw, _way, _now: PASS if payload_of(raw) else Decision(Verdict.DROP, rule=0),
        lambda lab, _: send(lab, segment(SYN)),
    )
    assert receipt.faults_in_words == ["a rule would have acted on a packet that had passed"]
    assert receipt.rules["rule"]["claimed"]["drop"] == 0


def test_which_way_a_copy_went(tmp_path):
    ways = tmp_path / "ways"

    def decide(_raw, way, _now):
        with ways.open("a") as file:
            print(way.name, file=file)
        return PASS

    # Nobody listens: the server's kernel answers the SYN by a reset, and the client's its reset by nothing.
    stubbed(decide, lambda lab, _: send(lab, segment(SYN)) or time.sleep(0.3))
    assert ways.read_text().split() == [Direction.UP.name, Direction.DOWN.name]


def test_a_group_that_another_reads_is_refused():
    def body():
        with pytest.raises(UnsupportedError, match="EPERM"):
            Copies(7, 4096), Copies(7, 4096)

    isolated_call(body)
