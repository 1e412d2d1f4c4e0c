"""Servers that make clients send in small pieces, by what their SYN/ACKs announce."""

import socket
import subprocess
from collections.abc import Sequence

from testbed.errors import UnsupportedError
from testbed.model import Behaviour
from testbed.world.linux import program

_TABLE = "add table inet windows\nadd chain inet windows sent { type filter hook output priority mangle; }"


def limit_clients(listening: Sequence[socket.socket], given: Behaviour) -> None:
    """Let the SYN/ACKs of these TCP sockets announce the window and the segment size of `given`, if any.

    The window is announced once: later packets open it, so that only the first data are cut to it.
    Errors: UnsupportedError without nftables.
    """
    if given.mss:
        for one in listening:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, given.mss)
    if given.window:
        # A socket's own window cannot be smaller than some 1,100 bytes.
        names = [one.getsockname() for one in listening]
        rules = [_rule(name[0], name[1], given.window) for name in names]
        nft = [program("nft", "nftables"), "-f", "-"]
        script = "\n".join([_TABLE, *rules, ""])
        done = subprocess.run(nft, input=script, text=True, capture_output=True, check=False)
        if done.returncode:
            raise UnsupportedError(f"a small TCP window: nft: {done.stderr.strip()}")


def _rule(address: str, port: int, window: int) -> str:
    version = "ip6" if ":" in address else "ip"
    syn_ack = f"{version} saddr {address} tcp sport {port} tcp flags & (syn | ack) == (syn | ack)"
    return f"add rule inet windows sent {syn_ack} tcp window set {window}"
