"""Make docs/mechanisms/pictures/rates.svg, a policer's and a shaper's rate over time: python tools/rates.py.

A client in a world downloads behind each of them, at the same rate; its machine
notes which packets come when.
"""

import socket
import subprocess
import tempfile
import time
from io import StringIO
from pathlib import Path

from testbed import open_world

PICTURE = Path(__file__).resolve().parents[1] / "docs/mechanisms/pictures/rates.svg"
RATE, SECONDS, BIN = 140, 30.0, 0.5  # kbit/s, that of 2021 (IMC21); s, how long to look; s, one point
HOST = "www.wikipedia.org"
ETH_P_IP = 0x0800  # linux/if_ether.h
DOWNLOAD = ("curl", "-4", "-s", "--http1.1", "-o", "/dev/null", f"https://{HOST}/bytes/9000000")
SCENARIO = """\
title: One rate, two ways to keep it
period: 2021
sources: [IMC21]
world: runet
censors:
  box:
    profile: t21
    rules:
      - name: limited
        match: {{tls.sni: {host}}}
        action: {{{action}: {{rate: {rate} kbit/s, {further}}}}}
phases: {{limited: {{mts: box}}}}
default_phase: limited
expect:
  - {{target: "https://{host}/bytes/200000", vantage: mts, outcome: throttle, by: limited}}
controls: ["https://vk.com/"]
"""
BOXES = {"policer": ("police", "burst: 16 KiB"), "shaper": ("shape", "queue: 64 KiB")}
COLOURS = {"policer": "#d55e00", "shaper": "#0072b2"}

Arrivals = list[tuple[float, int]]  # seconds since the first packet, octets of IP


def arrivals() -> Arrivals:
    """Download for SECONDS; when packets of the server came by the interface, and their octets of IP."""
    found: Arrivals = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP)) as wire:
        wire.settimeout(5)
        began = time.monotonic()
        with subprocess.Popen(DOWNLOAD, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
            while time.monotonic() - began < SECONDS + 1:
                packet, (_, _, direction, *_) = wire.recvfrom(1 << 16)
                if direction != socket.PACKET_OUTGOING and packet[9] == socket.IPPROTO_TCP:
                    found.append((time.monotonic() - began, len(packet)))
            client.terminate()
    return [(at - found[0][0], size) for at, size in found]


def measured(box: str) -> Arrivals:
    """What a subscriber of MTS gets behind that box."""
    action, further = BOXES[box]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rates.yaml")
        path.write_text(SCENARIO.format(host=HOST, action=action, rate=RATE, further=further))
        with open_world(path, out=Path(folder, "run")) as world:
            return world.call(arrivals)


def rates(found: Arrivals) -> tuple[list[float], list[float]]:
    """(seconds, kbit/s) of each bin."""
    octets = [0] * int(SECONDS / BIN)
    for at, size in found:
        if at < SECONDS:
            octets[int(at / BIN)] += size
    return [BIN * number for number in range(len(octets))], [size * 8 / BIN / 1000 for size in octets]


def picture(curves: dict[str, Arrivals]) -> str:
    """The curves as SVG that loads nothing."""
    from matplotlib import rc_context  # here: a test that asks for the picture's name alone would load it
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    axes = figure.subplots()
    for name, found in curves.items():
        axes.step(*rates(found), where="post", color=COLOURS[name], linewidth=1.2, label=name)
    axes.axhline(RATE, color="#555555", linestyle="--", linewidth=1, label=f"configured: {RATE} kbit/s")
    axes.set_xlabel("seconds since the first packet")
    axes.set_ylabel(f"kbit/s, in steps of {BIN} s")
    axes.set_title("A download behind a policer and behind a shaper of the same rate", fontsize=10)
    axes.set_xlim(0, SECONDS)
    axes.set_ylim(0, 4 * RATE)  # the burst at the beginning goes beyond
    axes.legend(frameon=False)
    axes.grid(visible=True, color="#dddddd", linewidth=0.5)
    out = StringIO()
    with rc_context({"svg.hashsalt": "testbed", "svg.fonttype": "path"}):  # whatever another picture wants
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()[out.getvalue().index("<svg") :]


def main() -> None:
    """Measure and draw."""
    PICTURE.write_text(picture({box: measured(box) for box in BOXES}), encoding="utf-8")


if __name__ == "__main__":
    main()
