"""Programs that build a world, and clients that people run in it."""

import shutil
from functools import partial

from testbed.doctor.checks.tools import run
from testbed.doctor.feature import Absent, Feature, Need


def runs(names: tuple[str, ...], option: str) -> str:
    """Run the first of these programs that is installed, and print its version."""
    name = next((name for name in names if shutil.which(name)), None)
    if name is None:
        raise Absent("not installed")
    lines = run(name, option).strip().splitlines()
    return lines[0] if lines else "runs"


def _program(name: str, option: str, package: str, cost: str, need: Need, *also: str) -> Feature:
    check = partial(runs, (name, *also), option)
    return Feature(name, name, need, cost, f"sudo apt-get install {package}", check, isolated=False)


_NEEDED, _USEFUL = Need.REQUIRED, Need.OPTIONAL

FEATURES = (
    _program("nft", "--version", "nftables", "no censor", _NEEDED),
    _program("ip", "-V", "iproute2", "links cannot be tried here, nor looked at in a world", _NEEDED),
    _program("tc", "-V", "iproute2", "rates of links cannot be tried here", _NEEDED),
    _program(
        "iptables-nft", "--version", "iptables", "tools that set up a firewall as a subscriber", _USEFUL
    ),
    _program("curl", "--version", "curl", "examples and tests with curl", _USEFUL),
    _program("dig", "-v", "dnsutils", "examples and tests with dig", _USEFUL),
    _program("openssl", "version", "openssl", "examples and tests with s_client", _USEFUL),
    _program("traceroute", "--version", "traceroute", "showing the path hop by hop", _USEFUL),
    _program("ping", "-V", "iputils-ping", "showing delay and loss", _USEFUL),
    _program("tcpdump", "--version", "tcpdump", "captures", _USEFUL),
    _program("tshark", "--version", "tshark", "reading captures in the terminal", _USEFUL),
    _program("iperf3", "--version", "iperf3", "throughput tests with iperf3", _USEFUL),
    _program("node", "--version", "nodejs", "Node programs as subscribers", _USEFUL),
    _program(
        "chromium",
        "--version",
        "chromium",
        "a browser as a subscriber",
        _USEFUL,
        "chromium-browser",
        "google-chrome",
    ),
)
