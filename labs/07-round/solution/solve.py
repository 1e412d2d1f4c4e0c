"""A solution of lab 7: each trick through a proxy of its own. Prints `task answer` lines."""

import os
import re
import socket
import subprocess
import time

TRICKS = {
    "bad-sequence": "bad-sequence",
    "low-ttl": "low-ttl:8",
    "out-of-band": "segments:name out-of-band",
    "records": "records",
    "segments": "segments",
}
BOXES = {
    "out-of-band, records, segments": "reads every packet by itself, also what comes again",
    "bad-sequence, low-ttl, out-of-band, records, segments": (
        "reads every stretch of the stream once and packet by packet"
    ),
    "low-ttl, out-of-band, records": "puts the stream together and takes what comes first",
    "records": "puts the stream together as the server does",
    "none": "puts the stream together as the server does and TLS records too",
}


RESET = 35  # curl's exit status


def is_reset(name: str) -> bool:
    """Whether the connection is reset: a page that comes late is none of the box's doing."""
    line = ["curl", "-so", "/dev/null", "-m", "20", f"https://{name}/"]
    return subprocess.run(line, check=False).returncode == RESET


def opens(name: str, *more: str) -> bool:
    """Whether the page comes."""
    return not subprocess.run(
        ["curl", "-so", "/dev/null", "-m", "8", *more, f"https://{name}/"], check=False
    ).returncode


def gets_through(name: str, trick: str, port: int) -> bool:
    """Whether the page comes through a proxy with this trick."""
    at = f"127.0.0.1:{port}"
    line = [os.environ["TESTBED_PYTHON"], "-m", "testbed.evade", "--listen", at, *trick.split()]
    proxy = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.05)
        return opens(name, "-x", f"http://{at}")
    finally:
        proxy.kill()


question = subprocess.run(
    ["testbed", "lab", "check", "name"], capture_output=True, text=True, check=True
).stdout
names = re.search(r"\((.*)\)", question)[1].split(", ")
[name] = [one for one in names if is_reset(one)]
passes = ", ".join(
    trick for port, (trick, words) in enumerate(TRICKS.items(), 1080) if gets_through(name, words, port)
)
print("name", name)
print("passes", passes or "none")
print("box", BOXES.get(passes or "none", "?"))
print("cost", "records")
