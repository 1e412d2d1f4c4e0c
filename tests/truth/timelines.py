"""Measurements made by hand in OONI's format, each step given in a few words."""

from base64 import b64encode
from functools import cache

import trustme

from testbed.measurement.ooni import Measurement

BODY = "<title>Site</title>" + "x" * 481
PAGE = {"code": 200, "body": BODY, "body_is_truncated": False, "headers_list": []}


@cache
def certificate(authority, serial=1):
    """A leaf of an authority with that name, as a record has it; another serial is another leaf."""
    ca = _authority(authority)
    pem = ca.issue_cert("site.example", common_name=f"leaf {serial}").cert_chain_pems[0].bytes().decode()
    return {"data": "".join(pem.splitlines()[1:-1]), "format": "base64"}


@cache
def _authority(name):
    return trustme.CA(organization_name=name)


def flow_of(target, vantage):
    """The one flow of a measurement made here."""
    return f"tcp {vantage}:40000 > {target}"


def measured(target="https://site.example/", vantage="mts", **steps):
    """`dns`, `tcp`, `tls`, `quic`, `http`: None for success, a failure string, or absent if not tried."""
    keys = {"queries": [], "tcp_connect": [], "tls_handshakes": [], "requests": [], "network_events": []}
    ends = [steps[step] for step in ("dns", "tcp", "tls", "quic", "http") if steps.get(step)]
    keys["failure"] = ends[0] if ends else None
    if "dns" in steps:
        keys["queries"] = [lookup(steps["dns"], *steps.get("addresses", ["1.2.3.4"]))]
    if "tcp" in steps:
        keys["tcp_connect"] = [connect(steps["tcp"])]
    if "tls" in steps:
        entry = {"network": "tcp", "failure": steps["tls"], "t0": 0.05, "t": steps.get("tls_end", 0.1)}
        shown = certificate(steps.get("issuer", "lab"), steps.get("leaf", 1))
        keys["tls_handshakes"] = [entry | {"peer_certificates": [shown]}]
    if "quic" in steps:
        keys["tls_handshakes"] = [{"network": "udp", "failure": steps["quic"], "t0": 0.05, "t": 0.1}]
    if "http" in steps:
        response = PAGE | steps["page"] if "page" in steps else PAGE | {"code": 0} if steps["http"] else PAGE
        end = 0.1 + steps["speed"][1] if "speed" in steps else steps.get("end", 0.2)
        exchange = {"failure": steps["http"], "response": response, "t0": 0.1, "t": end}
        keys["requests"] = [exchange | {"request": {"url": target.removeprefix("put+")}}]
    if "speed" in steps:
        keys["x_speed"] = {"bits_per_second": steps["speed"][0], "direction": "down"}
    keys["network_events"] = reads(*steps.get("reads", [])) + samples(*steps.get("speed", (0, 0)))
    keys["x_flows"] = [flow_of(target, vantage)]
    document = {"input": target, "annotations": {"vantage": vantage}, "test_keys": keys}
    return Measurement.from_json(document)


def lookup(failure, *addresses, resolver="91.76.0.53:53", engine="udp", name="site.example"):
    """What one resolver said."""
    answers = [{"answer_type": "A", "ipv4": ip} for ip in addresses] if failure is None else []
    query = {"failure": failure, "answers": answers, "t0": 0.0, "t": 0.01}
    return query | {"engine": engine, "resolver_address": resolver, "hostname": name}


def connect(failure, ip="1.2.3.4", port=443):
    """One attempt to connect."""
    return {"ip": ip, "port": port, "status": {"failure": failure}, "t0": 0.01, "t": 0.05}


def handshake(failure, name="site.example", ip="1.2.3.4"):
    """One TLS handshake."""
    entry = {"network": "tcp", "address": f"{ip}:443", "server_name": name, "failure": failure}
    return entry | {"t0": 0.05, "t": 0.1, "peer_certificates": [] if failure else [certificate("lab")]}


def reads(*times):
    """Events of 500 bytes that came at these times."""
    return [{"operation": "read", "t0": at, "t": at, "num_bytes": 500, "failure": None} for at in times]


def samples(rate, seconds):
    """What had come every quarter of a second of a transfer at `rate` bit/s, and at its end."""
    if not seconds:
        return []
    times = [n / 4 for n in range(1, int(4 * seconds) + 1)] + [seconds]
    return [
        {"operation": "bytes_received_cumulative", "failure": None, "t0": 0.1 + at, "t": 0.1 + at,
         "num_bytes": int(rate * at / 8)}
        for at in times
    ]  # fmt: skip


def page(status=200, body=BODY, **headers):
    """A response, or the changes to one."""
    listed = [[name.replace("_", "-"), value] for name, value in headers.items()]
    return {"code": status, "body": body, "headers_list": listed}


def binary(data):
    """Bytes as df-001 has them."""
    return {"data": b64encode(data).decode(), "format": "base64"}


def fine(target="https://site.example/", vantage="mts", **changes):
    """Everything worked."""
    http = {} if target.startswith("dns") else {"http": None}
    tcp = {} if target.startswith(("dns", "h3")) else {"tcp": None}
    crypto = (
        {"tls": None}
        if target.startswith(("https", "put+https"))
        else {"quic": None}
        if target.startswith("h3")
        else {}
    )
    return measured(target, vantage, **({"dns": None} | tcp | crypto | http | changes))
