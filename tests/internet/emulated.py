"""A small far side in a world of its own, in which tests call functions."""

import pickle
import socket
import subprocess
import tempfile
from pathlib import Path

from testbed.internet.authority import Authority
from testbed.internet.far_side import serve_far_side
from testbed.model import ORDINARY, Behaviour, PublicResolver, Site, World
from testbed.vantage.environment import prepare
from testbed.world.children import Call, Children, call
from testbed.world.enter import run_isolated
from testbed.world.netns import Namespace, inside

TWITTER = Site(("twitter.com", "www.twitter.com", "api.twitter.com"), "104.244.42.1", "2606:1f80::1", 13414)
VK = Site(("vk.com",), "87.240.132.67", "2a00:bdc0::67", 47541, "RU")
FAULTS = ("self-signed", "expired", "wrong-name", "unknown-authority", "incomplete")
BEHAVIOURS = {
    "redirect": Behaviour(redirect="https://twitter.com/elsewhere"),
    "gone": Behaviour(status=451, title="Unavailable", size=900),
    "headers": Behaviour(headers=("X-Cache: HIT", "Server:")),
    "early": Behaviour(early_answer=413),
    "slow": Behaviour(wait=0.5, pace=800_000.0),
    "window": Behaviour(window=100),
    "mss": Behaviour(mss=88),
    "published": Behaviour(),
    "repositories": Behaviour(repositories=True),
    "drafts": Behaviour(quic_draft_29=True),
    "skips": Behaviour(skips_ccs=True),
    "further": Behaviour(pages=('/status {"up": true}', "/robots.txt User-agent: *")),
}


def _odd_sites():
    """A site for each behaviour and each fault of a certificate: early.example, expired.example, …"""
    for number, name in enumerate((*BEHAVIOURS, *FAULTS)):
        yield Site(
            (f"{name}.example",),
            f"198.18.0.{number + 1}",
            f"2001:db8::{number + 1:x}",
            64500,
            certificate=name if name in FAULTS else "trusted",
            behaviour=BEHAVIOURS.get(name, ORDINARY),
            https_record=("h3", "h2") if name == "published" else (),
        )


STUN = Site(("stun.example",), "198.18.1.1", "2001:db8:1::1", 64500, stun=3478)
ODD = {site.name.removesuffix(".example"): site for site in _odd_sites()}
GOOGLE = PublicResolver("dns.google", ("8.8.8.8", "8.8.4.4"), ("2001:4860:4860::8888",), 15169)
WORLD = World("small", (), (TWITTER, VK, *ODD.values(), STUN), (GOOGLE,))


class FarSide:
    """The far side and a vantage in one namespace. `call` runs a function there, in a process of its own."""

    def __init__(self):
        self.ours, theirs = socket.socketpair()

        def world():
            self.ours.close()
            return run_isolated(lambda: _serve_calls(theirs))

        self.world = Call(world, name="the world")
        theirs.close()

    def call(self, function, *arguments, **options):
        """`function(vantage, *arguments, **options)`, all of it picklable; its value, or what it raised."""
        _send(self.ours, (function, arguments, options))
        self.ours.settimeout(60)
        try:
            fine, value = _receive(self.ours)
        except TimeoutError:
            self.world.kill()
            raise
        if not fine:
            raise value
        return value

    def close(self):
        self.ours.close()
        status = self.world.result()
        assert status == 0, f"the world ended with status {status}"


class Vantage:
    """Where a called function is: a namespace, an environment, the run's root certificate."""

    def __init__(self, namespace, environment, authority, folder):
        self.namespace = namespace
        self.environment = environment
        self.authority = authority
        self.folder = folder
        self.root = folder / "mts" / "root.pem"


def _serve_calls(connection):
    [namespace] = Namespace.create_hosts(["mts"])
    with inside(namespace):
        _give_addresses()
        authority = Authority.create()
        with tempfile.TemporaryDirectory() as folder, Children(Path(folder) / "logs") as children:
            children.spawn("far", lambda ready: (connection.close(), serve_far_side(WORLD, authority, ready)))
            children.wait_ready(30)
            environment = prepare(Path(folder), authority, GOOGLE.ipv4, "mts")
            vantage = Vantage(namespace, environment, authority, Path(folder))
            while (wanted := _receive(connection)) is not None:
                _send(connection, _outcome(vantage, *wanted))
    return 0


def _give_addresses():
    owners = [(s.ipv4, s.ipv6) for s in WORLD.sites] + [(*r.ipv4, *r.ipv6) for r in WORLD.resolvers]
    lines = ["link set lo up", *(f"addr add {a}/{_length(a)} dev lo" for owned in owners for a in owned)]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)


def _length(address):
    return "128 nodad" if ":" in address else 32


def _outcome(vantage, function, arguments, options):
    try:
        return True, call(lambda: function(vantage, *arguments, **options))
    except Exception as error:
        return False, error


def _send(connection, value):
    data = pickle.dumps(value)
    connection.sendall(len(data).to_bytes(8, "big") + data)


def _receive(connection):
    with connection.makefile("rb") as file:
        length = int.from_bytes(file.read(8), "big")
        return pickle.loads(file.read(length)) if length else None
