"""sitecheck: is a site blocked here, and how? One JSON object for each URL, in the fields of `testbed score`.

python sitecheck.py URL…
"""

import json
import socket
import ssl
import sys
import time
from urllib.parse import urlsplit

LIMIT = 6.0  # seconds without an answer that count as blocked
SLOW = 400_000  # bit/s


def check(url: str) -> dict[str, object]:
    """Connect, complete TLS, read the page; the first step that fails is the verdict."""
    parts = urlsplit(url)
    name, path = parts.hostname or "", parts.path or "/"
    try:
        address = socket.getaddrinfo(name, 443, socket.AF_INET, socket.SOCK_STREAM)[0][4]
    except socket.gaierror as error:
        return blocked(url, "dns.nxdomain", error)
    try:
        plain = socket.create_connection(address[:2], LIMIT)
    except TimeoutError as error:
        return blocked(url, "ip.drop", error)
    except OSError as error:
        return blocked(url, "ip.rst", error)
    try:
        with ssl.create_default_context().wrap_socket(plain, server_hostname=name) as sealed:
            return transfer(url, sealed, f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n")
    except ssl.SSLCertVerificationError as error:
        return blocked(url, "tls.mitm", error)
    except TimeoutError as error:
        return blocked(url, "tls.sni.drop|throttle", error)
    except OSError as error:
        return blocked(url, "tls.sni.rst", error)


def transfer(url: str, sealed: ssl.SSLSocket, request: str) -> dict[str, object]:
    """Read the answer. What comes slowly, or stops, is a verdict as well."""
    began, received = time.monotonic(), 0
    sealed.sendall(request.encode())
    try:
        while data := sealed.recv(65536):
            received += len(data)
    except TimeoutError as error:
        return blocked(url, "freeze|throttle", error, received=received)
    rate = 8 * received / (time.monotonic() - began)
    if received > 50_000 and rate < SLOW:
        return blocked(url, "throttle", f"{rate:.0f} bit/s", rate=rate)
    return {"target": url, "verdict": "free", "rate": rate}


def blocked(url: str, mechanism: str, words: object, **numbers: float) -> dict[str, object]:
    """The record of a site that is blocked."""
    return {"target": url, "verdict": "blocked", "mechanism": mechanism, "words": str(words), **numbers}


if __name__ == "__main__":
    for target in sys.argv[1:]:
        print(json.dumps(check(target)), flush=True)
