"""Finding the program that the user named, and saying what to do if it is not there."""

import os
import shutil
import stat
from collections.abc import Mapping

from testbed.errors import Exit, TestbedError

MISSING, NOT_EXECUTABLE = 127, 126  # exit statuses, as every shell has them

# Debian packages of programs that are often run in a world.
PACKAGES = {
    "aioquic": "python3-aioquic",
    "chromium": "chromium",
    "curl": "curl",
    "delv": "bind9-dnsutils",
    "dig": "bind9-dnsutils",
    "drill": "ldnsutils",
    "firefox": "firefox-esr",
    "firefox-esr": "firefox-esr",
    "fping": "fping",
    "git": "git",
    "go": "golang",
    "sshd": "openssh-server",
    "wg": "wireguard-tools",
    "wireguard-go": "wireguard-go",
    "host": "bind9-host",
    "hping3": "hping3",
    "iperf3": "iperf3",
    "kdig": "knot-dnsutils",
    "mtr": "mtr-tiny",
    "nc": "netcat-openbsd",
    "ncat": "ncat",
    "nmap": "nmap",
    "node": "nodejs",
    "nping": "nmap",
    "nslookup": "bind9-dnsutils",
    "openssl": "openssl",
    "openvpn": "openvpn",
    "ping": "iputils-ping",
    "python": "python3",
    "socat": "socat",
    "ss-local": "shadowsocks-libev",
    "ssh": "openssh-client",
    "strace": "strace",
    "tcpdump": "tcpdump",
    "tcptraceroute": "tcptraceroute",
    "tor": "tor",
    "tracepath": "iputils-tracepath",
    "traceroute": "traceroute",
    "tshark": "tshark",
    "wget": "wget",
    "whois": "whois",
    "wireshark": "wireshark",
}


class ProgramError(TestbedError):
    """The program cannot be run. Carries the exit status that a shell would give."""

    exit_status = Exit.INPUT

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status, self.message = status, message

    def __str__(self) -> str:
        return self.message


def find_program(name: str, environment: Mapping[str, str]) -> str:
    """The path of the program `name` by `environment`'s PATH; ProgramError, one message, if there is none."""
    path = environment.get("PATH", os.defpath)
    if found := shutil.which(name, path=path):
        return found
    if not name:
        raise ProgramError(MISSING, "the program's name is empty; give one after --")
    if "/" in name:
        raise _not_run(name)
    raise ProgramError(MISSING, "; ".join([f"{name}: no such program", *_hints(name, path)]))


def _not_run(name: str) -> ProgramError:
    """Why the file `name` is no program that can be run."""
    try:
        state = os.stat(name)  # noqa: PTH116 (Path.exists hides why)
    except (FileNotFoundError, NotADirectoryError):
        return ProgramError(MISSING, f"{name}: no such file")
    except OSError as error:
        return ProgramError(NOT_EXECUTABLE, f"{name}: {error.strerror}")
    if stat.S_ISDIR(state.st_mode):
        return ProgramError(NOT_EXECUTABLE, f"{name}: is a folder")
    why = "is not executable; try chmod +x, or its interpreter before it"
    return ProgramError(NOT_EXECUTABLE, f"{name}: {why}")


def _hints(name: str, path: str) -> list[str]:
    if name in PACKAGES:
        return [f"install it: apt-get install {PACKAGES[name]}"]
    from difflib import get_close_matches  # slow to load

    nearest = get_close_matches(name, _programs(path) | set(PACKAGES), n=1)
    return [f"did you mean '{nearest[0]}'?"] if nearest else []


def _programs(path: str) -> set[str]:
    names: set[str] = set()
    for folder in path.split(os.pathsep):
        try:
            names.update(entry.name for entry in os.scandir(folder or "."))
        except OSError:  # PATH may name what is not there
            continue
    return names
