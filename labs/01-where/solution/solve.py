"""A solution of lab 1, by hand: pings, and DNS queries with chosen hop limits. Prints `task answer` lines."""

import re
import socket
import ssl
import subprocess
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype

OTHER = "9.9.9.9"
NOBODY = "198.51.100.1"  # no resolver is there: what answers is on the way


def question(task: str) -> str:
    """What the lab asks."""
    return subprocess.run(
        ["testbed", "lab", "check", task], capture_output=True, text=True, check=True
    ).stdout


def name_in(task: str) -> str:
    """The name that the question is about."""
    return re.search(
        r"(?:for|about|does) ([a-z.]+\.(?:com|io)) ", question(task).replace(",", " ").replace("?", " ")
    )[1]


def address(message) -> str:
    """The first IPv4 address of an answer."""
    return next(one.address for rrset in message.answer for one in rrset if one.rdtype == dns.rdatatype.A)


def resolver() -> str:
    """The operator's."""
    return re.search(r"^nameserver ([\d.]+)$", Path("/etc/resolv.conf").read_text(), re.MULTILINE)[1]


def ask(name: str, server: str = OTHER):
    """An answer over UDP."""
    return dns.query.udp(dns.message.make_query(name, "A"), server, timeout=5)


def answered(name: str, hop_limit: int) -> bool:
    """Whether a query that lives for so many hops is answered, at an address where no resolver is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hop_limit)
        sock.settimeout(1)
        sock.sendto(dns.message.make_query(name, "A").to_wire(), (NOBODY, 53))
        try:
            sock.recv(512)
        except OSError:
            return False
        return True


def router() -> str:
    """The one that the question numbers."""
    number = re.search(r"router number (\d)", question("router"))[1]
    line = ["ping", "-c", "1", "-W", "2", "-t", number, OTHER]
    said = subprocess.run(line, capture_output=True, text=True, check=False).stdout
    return re.search(r"From ([\d.]+)", said)[1]


lied, forged = name_in("lie"), name_in("who")
print("router", router())
print("lie", address(ask(lied, resolver())))
print("right", address(ask(lied)))
print("who", "a box on the way" if answered(forged, 64) else "the resolver")
print(
    "hop", next(limit for limit in range(1, 10) if answered(forged, limit)) - 1
)  # the router before passed it on
private = dns.message.make_query(forged, "A")
trusted = ssl.create_default_context()
print(
    "encrypted", address(dns.query.tls(private, OTHER, server_hostname="dns.quad9.net", ssl_context=trusted))
)
