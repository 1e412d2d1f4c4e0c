"""Measurements made by hand, each step given in a few words."""

from testbed.measurement.ooni import Measurement

PAGE = {
    "code": 200,
    "body": "<title>Site</title>",
    "x_body_bytes": 500,
    "x_body_sha256": "aa",
    "headers_list": [],
}


def flow_of(target, vantage):
    """The one flow of a measurement made here."""
    return f"tcp {vantage}:40000 > {target}"


def measured(target="https://site.example/", vantage="mts", **steps):
    """`dns`, `tcp`, `tls`, `quic`, `http`: None for success, a failure string, or absent if not tried."""
    keys = {"queries": [], "tcp_connect": [], "tls_handshakes": [], "requests": [], "network_events": []}
    ends = [steps[step] for step in ("dns", "tcp", "tls", "quic", "http") if steps.get(step)]
    keys["failure"] = ends[0] if ends else None
    if "dns" in steps:
        answers = [{"answer_type": "A", "ipv4": ip} for ip in steps.get("addresses", ["1.2.3.4"])]
        keys["queries"] = [
            {
                "failure": steps["dns"],
                "answers": answers if steps["dns"] is None else [],
                "t0": 0.0,
                "t": 0.01,
            }
        ]
    if "tcp" in steps:
        keys["tcp_connect"] = [{"status": {"failure": steps["tcp"]}, "t0": 0.01, "t": 0.05}]
    if "tls" in steps:
        entry = {"network": "tcp", "failure": steps["tls"], "t0": 0.05, "t": steps.get("tls_end", 0.1)}
        entry |= {"x_leaf_sha256": steps.get("leaf", "11"), "x_issuer": steps.get("issuer", "CN=lab")}
        keys["tls_handshakes"] = [entry]
    if "quic" in steps:
        keys["tls_handshakes"] = [{"network": "udp", "failure": steps["quic"], "t0": 0.05, "t": 0.1}]
    if "http" in steps:
        response = PAGE | steps["page"] if "page" in steps else None if steps["http"] else PAGE
        keys["requests"] = [
            {"failure": steps["http"], "response": response, "t0": 0.1, "t": steps.get("end", 0.2)}
        ]
    if "speed" in steps:
        rate, seconds = steps["speed"]
        size = rate * seconds / 8
        keys["x_speed"] = {
            "bits_per_second": rate,
            "bytes": size,
            "seconds": seconds,
            "complete": seconds < 8,
        }
    reads = [
        {"operation": "read", "t0": at, "t": at, "num_bytes": 500, "failure": None}
        for at in steps.get("reads", [])
    ]
    keys["network_events"] = reads
    keys["x_flows"] = [flow_of(target, vantage)]
    document = {"input": target, "annotations": {"vantage": vantage}, "test_keys": keys}
    return Measurement.from_json(document)


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
