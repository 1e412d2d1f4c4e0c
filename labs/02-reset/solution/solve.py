"""A solution of lab 2, by the field instrument. Prints `task answer` lines."""

import json
import re
import subprocess
import time
from pathlib import Path
from threading import Event

from scapy.all import AsyncSniffer, wrpcap


def run(*line: str) -> str:
    """What a command prints."""
    return subprocess.run(line, capture_output=True, text=True, check=False).stdout


def looked(name: str) -> dict[str, dict]:
    """The findings about a name: "instrument what" -> finding."""
    seen = json.loads(run("testbed", "probe", "--json", "--with", "hop,injected", f"https://{name}/"))
    return {f"{one['instrument']} {one['what']}": one for one in seen["findings"]}


names = re.search(r"\((.*)\)", run("testbed", "lab", "check", "watched"))[1].split(", ")
seen = {name: found for name in names if (found := looked(name)).get("hop ClientHello", {}).get("hop")}
suspects = {name: found["injected suspect"]["header"] for name, found in seen.items()}
servers = {name: found["injected server"]["header"] for name, found in seen.items()}
[watched] = [name for name in seen if suspects[name]["ttl"] != servers[name]["ttl"]]
[rewritten] = [name for name in seen if name != watched]
capture = Path("resets.pcap").resolve()
listening = Event()
sniffer = AsyncSniffer(filter="port 443", started_callback=listening.set)  # tcpdump wants subordinate ids
sniffer.start()
assert listening.wait(10), "no capture"
run("curl", "-s", "-o", "/dev/null", "-m", "5", f"https://{watched}/")
time.sleep(0.5)
wrpcap(str(capture), sniffer.stop())
print("watched", watched)
print("rewritten", rewritten)
print("arrives", suspects[watched]["ttl"])
print("hop", seen[watched]["hop ClientHello"]["hop"])
print("forged", "--capture", capture)
print("servers", "a box in the path")
print("unseen", "the one that sees a copy")
