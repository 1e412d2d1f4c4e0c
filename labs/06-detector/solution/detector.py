"""A solution of lab 6: one thing changed at a time."""

import json
import subprocess
import sys
from urllib.parse import urlsplit

import dns.message
import dns.query
import dns.rdatatype
import dns.resolver

RESET, TIMEOUT, CERTIFICATE = 35, 28, 60  # curl's exit statuses
NOBODYS = "www.wikipedia.org"  # a name that nobody filters


def curl(url: str, *more: str) -> int:
    """curl's exit status."""
    line = ["curl", "-s", "-o", "/dev/null", "-m", "4", *more, url]
    return subprocess.run(line, check=False).returncode


def private(name: str) -> set[str]:
    """The addresses, asked for where the operator cannot read."""
    answer = dns.query.tls(
        dns.message.make_query(name, "A"), "8.8.8.8", server_hostname="dns.google", timeout=4
    )
    return {one.address for rrset in answer.answer for one in rrset if one.rdtype == dns.rdatatype.A}


def opinion(target: str) -> tuple[str, str]:
    """The verdict and the mechanism."""
    name = urlsplit(target).hostname
    honest = private(name)
    said = {one.address for one in dns.resolver.resolve(name, "A")}
    if not said & honest:
        return "blocked", "dns.poison"
    ended = curl(target)
    if ended not in (RESET, TIMEOUT):
        return "free", ""  # a page, or a certificate that is the server's own fault
    # The name or the server? Another name to the same address.
    other = curl(f"https://{NOBODYS}/", "-k", "--connect-to", f"::{min(honest)}:")
    if other in (RESET, TIMEOUT):
        return "free", ""
    return "blocked", "tls.sni.rst" if ended == RESET else "tls.sni.drop"


target = sys.argv[1]
verdict, mechanism = opinion(target)
print(json.dumps({"target": target, "verdict": verdict, "mechanism": mechanism}))
