"""Research tools that scan: zgrab2, and Censored Planet's. Made-up outputs follow the source that each names.

Those of CenTrace, CenFuzz, CenDPI and zgrab2 are also their own, from runs in worlds.
Hyperquack and Satellite measure from abroad, and no program of theirs is public: their own rows are the ones
that Censored Planet publishes as examples (github.com/censoredplanet/censoredplanet-analysis, commit 31830c6,
pipeline/e2e_test_data, Apache-2.0). In all of these files long values are cut, and end with "…".
"""

from pathlib import Path

import pytest

from tests.detectors.say import complaints, read, short

RECORDED = Path(__file__).with_name("data")
RESET = "read tcp 192.0.2.2:4000->192.0.2.1:443: read: connection reset by peer"
SILENT = "read tcp 192.0.2.2:4000->192.0.2.1:443: i/o timeout"
DIAL = "dial tcp 192.0.2.1:443: i/o timeout"


# -- zgrab2: processing.go, module.go and status.go


def grab(status, error=None, module="tls", port=443, **result):
    scan = {"status": status, "protocol": module, "port": port, "result": result, "timestamp": "2026-11-26"}
    return {
        "ip": "192.0.2.1",
        "domain": "a.example",
        "data": {module: scan | ({"error": error} if error else {})},
    }


HELLO = {"handshake_log": {"server_hello": {"version": {"name": "TLSv1.2"}}}}
GRABS = {
    "success": (grab("success"), "free", ()),
    "a reset is called io-timeout": (grab("io-timeout", RESET), "blocked", ("tls.sni.rst",)),
    "silence": (grab("io-timeout", SILENT), "blocked", ("tls.sni.drop", "throttle")),
    "an end is called io-timeout": (grab("io-timeout", "EOF"), "blocked", ("tls.sni.fin",)),
    "a dropped SYN": (grab("connection-timeout", DIAL), "blocked", ("ip.drop",)),
    "refused": (grab("connection-refused", "dial tcp: connection refused"), "blocked", ("ip.rst",)),
    "a reset at the request": (grab("io-timeout", RESET, **HELLO), "blocked", ("tls.sni.rst", "http.rst")),
    "not asked": (grab("blocklisted-target"), "inconclusive", ()),
}


@pytest.mark.parametrize("case", GRABS)
def test_zgrab2(case):
    record, said, found = GRABS[case]
    report = read("zgrab2", [record])
    assert short(report) == {"https://a.example/": (said, found)}
    assert report.complaints == ()


def test_zgrab2_as_it_ran_in_a_world():
    """Its modules tls, http, and http over TLS, to a reset, a silence, a page, addresses without a host."""
    report = read("zgrab2", (RECORDED / "zgrab2.jsonl").read_text("utf-8"))
    gone = {f"https://{name}/": ("blocked", ("ip.drop",)) for name in ("api.twitter.com", "nobody.example")}
    sealed = {
        "https://twitter.com/": ("blocked", ("tls.sni.rst",)),
        "https://www.facebook.com/": ("blocked", ("tls.sni.drop", "throttle")),
        "https://vk.com/": ("free", ()),
    }
    plain = {
        "http://twitter.com/": ("free", ()),  # the page of this box says nothing that a page of a box says
        "http://www.facebook.com/": ("blocked", ("http.rst",)),
        "http://vk.com/": ("free", ()),
    }
    found = {one.target: (one.said, one.mechanisms) for one in report.verdicts if "://" in one.target}
    assert found == sealed | plain | gone | {f"http{url[5:]}": verdict for url, verdict in gone.items()}
    over_tls = [one for one in report.verdicts if "TLS Dialer: could not successfully" in one.words]
    assert [one.layer for one in over_tls] == ["tls", "tls"]  # and not ip, for all that it says "dial"
    (unknown,) = (one for one in report.verdicts if "://" not in one.target)
    assert (unknown.target, unknown.mechanisms) == ("nosuch.example", ("dns.nxdomain",))
    assert report.complaints == ()


def test_zgrab2_over_http():
    record = grab("io-timeout", RESET, "http", 80)
    assert short(read("zgrab2", [record])) == {"http://a.example/": ("blocked", ("http.rst",))}
    page = grab("success", None, "http", 80, response={"status_code": 451, "body": ""})
    assert short(read("zgrab2", [page])) == {"http://a.example/": ("blocked", ("http.page",))}


def test_zgrab2_bad_input():
    report = read(
        "zgrab2", [grab("quantum-error"), {"ip": "192.0.2.1", "error": "no such module", "mood": 1}]
    )
    assert [(one.kind, one.message) for one in report.complaints] == [
        ("unknown failure", "status 'quantum-error'"), ("unknown field", "'mood'"),
        ("not a result", "no such module"),
    ]  # fmt: skip


# -- Hyperquack: docs/http.rst of censoredplanet; v2 as in clients' JSONL of 2021


def quack(anomaly, error="", service="https", **more):
    trials = [{"matches_template": not anomaly, "error": error, "response": None}] * (4 if anomaly else 1)
    control = {"control_url": "example.com", "matches_template": True}
    base = {
        "vp": "192.0.2.1",
        "location": {},
        "service": service,
        "test_url": "twitter.com",
        "anomaly": anomaly,
    }
    return (
        base
        | {"response": [control, *trials, control], "controls_failed": False, "stateful_block": False}
        | more
    )


def test_hyperquack():
    def one(record):
        return short(read("hyperquack", [record]))["twitter.com"]

    assert one(quack(anomaly=False)) == ("free", ())
    assert one(quack(True, RESET)) == ("blocked", ("tls.sni.rst",))
    assert one(quack(True, RESET, "echo")) == ("blocked", ("http.rst",))
    assert one(quack(True, SILENT)) == ("blocked", ("tls.sni.drop", "throttle"))
    assert one(quack(True, DIAL)) == ("blocked", ("ip.drop",))
    assert one(quack(True, "", "http")) == ("blocked", ("http.page",))
    assert one(quack(True, RESET, controls_failed=True)) == ("inconclusive", ())


def test_hyperquack_raw():
    row = {
        "domain": "twitter.com",
        "server_ip": "192.0.2.1",
        "domain_is_control": False,
        "controls_failed": False,
    }
    silent = row | {
        "received_error": SILENT,
        "source": "https-2021",
        "no_response_in_measurement_matches_template": True,
    }
    assert short(read("hyperquack", [silent])) == {"twitter.com": ("blocked", ("tls.sni.drop", "throttle"))}
    fine = row | {"no_response_in_measurement_matches_template": False}
    assert short(read("hyperquack", [fine])) == {"twitter.com": ("free", ())}
    assert read("hyperquack", [row | {"domain_is_control": True}, fine]).verdicts[0].target == "twitter.com"
    assert complaints(read("hyperquack", [{"a": 1}])) == [("not a result", "line 1")]


def test_hyperquack_as_it_is_published():
    """v2 of 2021 over discard, echo, http and https: a pair of each is free, and what is not."""
    report = read("hyperquack", (RECORDED / "hyperquack-v2.jsonl").read_text("utf-8"))
    assert [(one.target, one.said, one.mechanisms) for one in report.verdicts if one.said != "free"] == [
        ("123rf.com", "blocked", ("http.rst",)),
        ("www.youporn.com", "blocked", ("http.page",)),
        ("104.com.tw", "blocked", ("http.page",)),  # two of its trials had no port left: not counted
        ("xhamster.com", "blocked", ("http.drop", "throttle")),
        ("104.com.tw", "blocked", ("http.page",)),
        ("1337x.to", "blocked", ("http.page",)),
        ("4genderjustice.org", "inconclusive", ()),
    ]
    assert (len(report.verdicts), report.complaints) == (16, ())


def test_hyperquack_whose_own_machine_failed_concludes_nothing():
    port = "dial tcp 0.0.0.0:0->192.0.2.1:443: bind: address already in use"
    assert short(read("hyperquack", [quack(True, port)])) == {"twitter.com": ("inconclusive", ())}
    other = quack(True, "TLS versions do not match")
    assert short(read("hyperquack", [other])) == {"twitter.com": ("blocked", ("tls.mitm", "http.page"))}
    assert read("hyperquack", [other]).complaints == ()


# -- Satellite: docs/dns.rst of censoredplanet


def resolved(**more):
    base = {"vp": "192.0.2.53", "test_url": "twitter.com", "passed_liveness": True, "connect_error": False}
    return base | {"in_control_group": True, "anomaly": False, "excluded": False, "response": []} | more


def answer(rcode=0, error="", **addresses):
    return {
        "url": "twitter.com",
        "has_type_a": bool(addresses),
        "rcode": rcode,
        "error": error,
        "response": addresses,
    }


def test_satellite():
    def one(record):
        return short(read("satellite", [record]))["twitter.com"]

    lie = answer(**{"203.0.113.9": {"matched": []}})
    assert one(resolved()) == ("free", ())
    assert one(resolved(anomaly=True, response=[lie])) == ("blocked", ("dns.poison",))
    assert one(resolved(anomaly=True, response=[answer(3)])) == ("blocked", ("dns.nxdomain",))
    silent = answer(-1, "read udp: i/o timeout")
    assert one(resolved(connect_error=True, response=[silent])) == ("blocked", ("dns.drop",))
    assert one(resolved(passed_liveness=False)) == ("inconclusive", ())
    assert one(resolved(anomaly=True, excluded=True, exclude_reason=["is_CDN"])) == ("inconclusive", ())
    assert complaints(read("satellite", [resolved(anomaly=None)])) == [("not a result", "line 1")]


def test_satellite_as_it_is_published():
    """v2.2 of October 2021, and v2.1 of April, whose `response` has another form."""
    report = read("satellite", (RECORDED / "satellite-v2.jsonl").read_text("utf-8"))
    assert [(one.target, one.said, one.mechanisms) for one in report.verdicts if one.said != "free"] == [
        ("1922.gov.tw", "blocked", ("dns.error",)),
        ("1922.gov.tw", "blocked", ("dns.drop", "dns.error")),
        ("ajax.aspnetcdn.com", "blocked", ("ip.rst", "dns.error")),
        ("alipay.com", "inconclusive", ()),
        ("1337x.to", "blocked", ("dns.nxdomain",)),
        ("104.com.tw", "blocked", ("dns.error",)),
        ("9gag.com", "blocked", ("dns.poison",)),
        ("9gag.com", "blocked", ("dns.poison",)),
        ("custhelp.com", "blocked", ("dns.poison",)),  # its answer is the resolver's own address
        ("www.unwatch.org", "inconclusive", ()),
        ("www.americorps.gov", "blocked", ("dns.error",)),
    ]
    assert (len(report.verdicts), report.complaints) == (16, ())


# -- CenTrace: pcap_parse.py, and the columns of its examples/analyzed_output.csv

COLUMNS = (
    "IP Address,Censored Keyword,Result Code,TTL difference,Censored T_TTL,Control T_TTL,Control Response"
    " Type,Censorship Response Type,Payloads Differ,Control Payload,Censored Payload,On Path?,"
    "Middlebox IP before,AS/Country,Middlebox IP,AS/Country,Middlebox IP after,AS/Country"
)


def traced(code, ttl, control, seen, name="twitter.com"):
    return f"192.0.2.1,{name},ResponseCode.{code},-9,{ttl},12,{control},{seen},True,,,False,,,,,,\n"


def test_centrace_as_it_ran_in_a_world():
    """Behind a box of t22: the server's own packets become resets, and CenTrace blames its firewall.

    The server closes at CenTrace's ClientHello, which offers no group, so the control's response is a FIN.
    """
    report = read("centrace", (RECORDED / "centrace-rewrite.csv").read_text("utf-8"))
    assert short(report) == {"https://twitter.com/": ("blocked", ("tls.sni.rst", "http.rst"))}
    assert [one.words for one in report.verdicts] == ["ENDPOINT_FIREWALL: RST where the control got FIN"]
    assert report.complaints == ()


def test_centrace():
    def one(row):
        (verdict,) = read("centrace", f"{COLUMNS}\n{row}").verdicts
        return verdict.target, verdict.said, verdict.mechanisms, dict(verdict.parameters)

    site = "https://twitter.com/"
    assert one(traced("CAN_IDENTIFY_SERVER", 3, "TLS", "RST")) == (
        site,
        "blocked",
        ("tls.sni.rst",),
        {"hop": 2.0},
    )
    assert one(traced("TERMINATING_TTL_PAST_CONTROL", 38, "TLS", "RST")) == (
        site,
        "blocked",
        ("tls.sni.rst",),
        {},
    )
    assert one(traced("NO_OBSERVED_CENSORSHIP", 12, "TLS", "TLS")) == (site, "free", (), {})
    assert one(traced("PROBE_TERMINATED_EARLY", "", "TLS", "TIMEOUT"))[1] == "inconclusive"
    plain = one(traced("CAN_IDENTIFY_SERVER", 3, "HTTP", "TIMEOUT"))
    assert plain[:3] == ("http://twitter.com/", "blocked", ("http.drop",))


def test_centrace_bad_input():
    row = traced("NO_OBSERVED_CENSORSHIP", 12, "TLS", "TLS")
    report = read("centrace", f"{COLUMNS}\n{row}{row}{row[:30]}\n" + traced("A_NEW_CODE", 3, "TLS", "RST"))
    assert complaints(report) == [
        ("duplicate", "line 3"), ("truncated line", "line 4"), ("unknown failure", "line 5"),
    ]  # fmt: skip
    assert complaints(read("centrace", "192.0.2.1|twitter.com|False|[]\n")) == [("not a result", "line 1")]


# -- CenFuzz: README and cmd/analyze/analyze.go


def fuzzed(
    name="Normal", *, matches, error=None, request="GET / HTTP/1.1\r\nHost:twitter.com\r\n\r\n", **more
):
    record = {"IP": "192.0.2.1", "Domain": "twitter.com", "TestName": name, "IsNormal": name == "Normal"}
    return (
        record
        | {"MatchesUncensored": matches, "Request": request, "Error": error, "UncensoredError": None}
        | more
    )


def test_cenfuzz_as_it_ran_in_a_world():
    """Two of its ways to write the name, and the request as it is, behind a t22 box; long values are cut."""
    report = read("cenfuzz", (RECORDED / "cenfuzz-tls.jsonl").read_text("utf-8"))
    assert short(report) == {"https://twitter.com/": ("blocked", ("tls.sni.rst",))}
    assert report.verdicts[0].words.endswith("connection reset by peer; 5 of 6 ways to write it pass")
    assert report.complaints == ()


def test_cenfuzz():
    ways = [fuzzed("Hostname Padding", matches=True, StartTime=str(n)) for n in range(3)]
    (verdict,) = read(
        "cenfuzz", [fuzzed(matches=False, error=RESET), *ways, fuzzed("Path", matches=False)]
    ).verdicts
    assert (verdict.target, verdict.mechanisms) == ("http://twitter.com/", ("http.rst",))
    assert verdict.words.endswith("; 3 of 4 ways to write it pass")
    assert short(read("cenfuzz", [fuzzed(matches=True)])) == {"http://twitter.com/": ("free", ())}
    tls = fuzzed(
        matches=False,
        error={"Op": "read", "Err": {"Err": "i/o timeout"}},
        request={"Servername": "twitter.com"},
    )
    assert short(read("cenfuzz", [tls]))["https://twitter.com/"] == ("blocked", ("tls.sni.drop", "throttle"))
    both = fuzzed(matches=False, error=RESET, UncensoredError=SILENT)
    assert short(read("cenfuzz", [both])) == {"http://twitter.com/": ("inconclusive", ())}
    assert complaints(read("cenfuzz", [fuzzed("Path", matches=True)])) == [("not a result", "")]


# -- CenDPI: internal/netcap/netcap.go


def connection(*packets, probe="None[]", control=False, port=443):
    made = [
        {"SequenceNum": n, "Incoming": True, "IP": {}, "TCP": {"Flags": flags, "Data": data}}
        for n, (flags, data) in enumerate(packets, 1)
    ]
    name = "example.com" if control else "twitter.com"
    return {
        "Probe": probe,
        "Domain": name,
        "Control": control,
        "TargetIP": "192.0.2.1",
        "TargetPort": port,
        "Packets": made,
        "Label": "",
    }


SYNACK, RST, DATA = ({"SYN": True, "ACK": True}, None), ({"RST": True}, None), ({"ACK": True}, "FgMD")


def test_cendpi():
    control = connection(SYNACK, DATA, control=True)

    def one(*test, port=443):
        records = [control | {"TargetPort": port}, connection(*test, port=port)]
        ((said, found),) = short(read("cendpi", records)).values()
        return said, found

    assert one(SYNACK, DATA) == ("free", ())
    assert one(SYNACK, RST) == ("blocked", ("tls.sni.rst",))
    assert one(SYNACK) == ("blocked", ("tls.sni.drop",))
    assert one() == ("blocked", ("ip.drop",))
    assert one(SYNACK, RST, port=80) == ("blocked", ("http.rst",))
    assert short(read("cendpi", [connection(SYNACK, control=True), connection(SYNACK)])) == {
        "https://twitter.com/": ("inconclusive", ())
    }
    assert complaints(read("cendpi", [connection(SYNACK)])) == [("not a result", "")]


def test_cendpi_as_it_ran_in_a_world():
    """A reset, a silence and a free site; of the first, two other ways to send the same, which both pass."""
    report = read("cendpi", (RECORDED / "cendpi-tls.jsonl").read_text("utf-8"))
    assert short(report) == {
        "https://twitter.com/": ("blocked", ("tls.sni.rst",)),
        "https://www.facebook.com/": ("blocked", ("tls.sni.drop",)),
        "https://vk.com/": ("free", ()),
    }
    (twitter,) = (one for one in report.verdicts if "twitter" in one.target)
    assert twitter.words == "RST, the control is answered; 2 of 2 probes pass"
    assert report.complaints == ()


def test_cendpi_counts_the_ways_that_pass():
    split = "Fragment[layer:TCP;type:fragmentSize;size:8]"
    records = [connection(SYNACK, DATA, control=True), connection(SYNACK, RST)]
    records += [connection(SYNACK, DATA, probe=split, control=True), connection(SYNACK, DATA, probe=split)]
    (verdict,) = read("cendpi", records).verdicts
    assert verdict.words == "RST, the control is answered; 1 of 1 probes pass"
