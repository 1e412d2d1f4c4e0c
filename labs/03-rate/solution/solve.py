"""A solution of lab 3: fetch, watch the round-trip time, calculate. Prints `task answer` lines."""

import re
import subprocess
import time

BYTES = 300_000
FEW, MANY = 50_000, 300_000  # bytes of the two transfers that give a rate


def run(*line: str) -> str:
    """What a command prints."""
    return subprocess.run(line, capture_output=True, text=True, check=False).stdout


def fetched(name: str) -> tuple[float, float]:
    """Seconds that the bytes take, and the longest round trip that the kernel saw, in milliseconds."""
    began, longest = time.monotonic(), 0.0
    curl = subprocess.Popen(["curl", "-s", "-o", "/dev/null", "-m", "60", f"https://{name}/bytes/{BYTES}"])
    while curl.poll() is None:
        time.sleep(0.2)
        found = re.findall(r"rcv_rtt:([\d.]+)", run("ss", "-tin", "dport = :443"))
        longest = max([longest, *map(float, found)])
    return time.monotonic() - began, longest


def seconds(name: str, size: int) -> float:
    """How long so many bytes take, at best of two: what else the machine does only makes it longer."""
    line = (
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-m",
        "110",
        "-w",
        "%{time_total}",
        f"https://{name}/bytes/{size}",
    )
    return min(float(run(*line)) for _ in range(2))


def rate(name: str) -> float:
    """kbit/s of IP packets: by the difference of two transfers, in which the beginning cancels out."""
    taken = seconds(name, MANY) - seconds(name, FEW)
    return 8 * (MANY - FEW) / taken * 1500 / 1460 / 1000


names = re.search(r"\((abs.*)\)", run("testbed", "lab", "check", "dropped"))[1].split(", ")
took = {name: fetched(name) for name in names}
slow = [name for name, (seconds, _) in took.items() if seconds > 3]
queued = max(slow, key=lambda name: took[name][1])
[dropped] = [name for name in slow if name != queued]
print("dropped", dropped)
print("queued", queued)
print("police", round(rate(dropped)))
print("shape", round(rate(queued)))
print("trigger", "the name in the ClientHello")
