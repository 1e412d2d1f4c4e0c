"""Run by the tests: one end of a tunnel, and, as the subscriber, pings through it.

tunnel.py openvpn server FOLDER ADDRESS     keys and certificates lie in FOLDER
tunnel.py openvpn client FOLDER ADDRESS     prints {"up": whether the handshake completed, "replies": n}
tunnel.py wireguard server|client FOLDER ADDRESS
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

NEAR, FAR = "10.8.0.2", "10.8.0.1"  # inside the tunnel
OPENVPN, WIREGUARD = 1194, 51820
PINGS = 20
PATIENCE = 15.0  # seconds for a handshake


def until(happened: Callable[[], bool], patience: float = PATIENCE) -> bool:
    end = time.monotonic() + patience
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def run(*command: str, text: str | None = None) -> str:
    return subprocess.run(command, check=True, text=True, input=text, stdout=subprocess.PIPE).stdout


def replies() -> int:
    """How many of the pings are answered."""
    ping = ["ping", "-n", "-q", "-c", str(PINGS), "-i", "0.2", "-W", "1", FAR]
    said = subprocess.run(ping, check=False, text=True, stdout=subprocess.PIPE).stdout
    counted = re.search(r"(\d+) received", said)
    return int(counted[1]) if counted else 0


def openvpn(kind: str, end: str, folder: Path, address: str) -> list[str]:
    """OpenVPN's command line; either end knows the other by its certificate's fingerprint."""
    other = "client" if end == "server" else "server"
    proto = "udp" if kind == "openvpn" else f"tcp-{end}"
    line = ["openvpn", "--dev", "tun", "--proto", proto, "--port", str(OPENVPN), "--disable-dco"]
    line += ["--cert", str(folder / f"{end}.crt"), "--key", str(folder / f"{end}.key")]
    line += ["--peer-fingerprint", (folder / f"{other}.fingerprint").read_text("ascii")]
    if end == "server":
        return [*line, "--tls-server", "--dh", "none", "--local", address, "--ifconfig", FAR, NEAR]
    return [*line, "--tls-client", "--nobind", "--remote", address, "--ifconfig", NEAR, FAR]


def openvpn_client(kind: str, folder: Path, address: str) -> dict[str, object]:
    log = folder / "client.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(openvpn(kind, "client", folder, address), stdout=out) as process,
    ):
        try:
            up = until(lambda: "Initialization Sequence Completed" in log.read_text("utf-8", "replace"))
            return {"up": up, "replies": replies() if up else 0}
        finally:
            process.terminate()


def wireguard(end: str, folder: Path, address: str) -> tuple["subprocess.Popen[bytes]", str]:
    """wireguard-go with one peer: its process and its interface."""
    other = "client" if end == "server" else "server"
    device, own, far = (f"wg-{end}", FAR, NEAR) if end == "server" else (f"wg-{end}", NEAR, FAR)
    process = subprocess.Popen(["wireguard-go", "--foreground", device])
    if not until(lambda: Path(f"/var/run/wireguard/{device}.sock").exists()):
        raise SystemExit("wireguard-go does not serve")
    peer = ["peer", (folder / f"{other}.public").read_text("ascii").strip(), "allowed-ips", f"{far}/32"]
    if end == "client":
        peer += ["endpoint", f"{address}:{WIREGUARD}"]
    run("ip", "address", "add", f"{own}/24", "dev", device)
    run("ip", "link", "set", device, "up")
    port = ["listen-port", str(WIREGUARD)] if end == "server" else []
    run("wg", "set", device, "private-key", str(folder / f"{end}.wg"), *port, *peer)
    return process, device


def wireguard_client(folder: Path, address: str) -> dict[str, object]:
    process, device = wireguard("client", folder, address)
    try:
        answered = replies()
        shaken = int(run("wg", "show", device, "latest-handshakes").split()[-1])
        return {"up": shaken > 0, "replies": answered}
    finally:
        process.terminate()


def main(kind: str, end: str, place: str, address: str) -> None:
    folder = Path(place)
    if end == "client":
        wired = kind == "wireguard"
        seen = wireguard_client(folder, address) if wired else openvpn_client(kind, folder, address)
        print(json.dumps(seen))
    elif kind != "wireguard":
        os.execvp("openvpn", openvpn(kind, end, folder, address))
    else:
        sys.exit(wireguard(end, folder, address)[0].wait())


if __name__ == "__main__":
    main(*sys.argv[1:])
