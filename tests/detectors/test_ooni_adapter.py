"""OONI's measurements.

In `data` are real ones: miniooni 3.31 in each phase of `ooni-vectors`, without `x_doh` and the bodies of
answers, which are large; and one or more of each other experiment. The probe's own, which have urlgetter's
format, are real, too. What no run gave is made after OONI's specification (ts-024, ts-028, ts-037, ts-039).
"""

import json
from pathlib import Path

import pytest

from tests.detectors.ooni_vectors import KEYS, PLAIN, PUBLISHED, SITE
from tests.detectors.say import complaints, read, short

DATA = Path(__file__).with_name("data")
RESULTS = Path(__file__).parents[1] / "measurement/data/results.jsonl"


def measurement(name, target, /, **keys):
    return {"test_name": name, "input": target, "test_keys": keys}


def web(target, blocking, flags, *, accessible=False, dns=None, http=None):
    blocks, lies = flags
    found = {"blocking": blocking, "accessible": accessible, "x_blocking_flags": blocks, "x_dns_flags": lies}
    return measurement(
        "web_connectivity", target, **found, dns_experiment_failure=dns, http_experiment_failure=http
    )


RESET, SILENT = "connection_reset", "generic_timeout_error"
MEASURED = dict(zip(PUBLISHED, (DATA / "ooni-vectors.jsonl").read_text("utf-8").splitlines(), strict=True))
VECTORS = {
    "v01": ("blocked", "tls", ("tls.sni.rst",)),
    "v02": ("blocked", "dns", ("dns.poison", "tls.sni.rst")),
    "v03": ("blocked", "ip", ("ip.drop",)),
    "v04": ("blocked", "dns", ("dns.poison", "ip.rst")),
    "v05": ("blocked", "dns", ("dns.nxdomain",)),
    "v06": ("blocked", "dns", ("dns.poison",)),
    "v07": ("blocked", "http", ("http.rst",)),
    "v08": ("blocked", "http", ("http.page",)),
    "v09": ("blocked", "dns", ("dns.poison", "http.page")),
    "v10": ("blocked", "http", ("freeze", "throttle")),
    "v11": ("free", "", ()),
    "v12": ("free", "", ()),
    "v13": ("free", "", ()),
}


@pytest.mark.parametrize("vector", VECTORS)
def test_oonis_published_vectors(vector):
    report = read("ooni", MEASURED[vector] + "\n")
    (verdict,) = report.verdicts
    assert (verdict.said, verdict.layer, verdict.mechanisms) == VECTORS[vector]
    assert complaints(report) == []


@pytest.mark.parametrize("vector", VECTORS)
def test_the_saved_measurements_are_what_ooni_publishes(vector):
    record = json.loads(MEASURED[vector])
    assert (record["input"], *(record["test_keys"][key] for key in KEYS)) == PUBLISHED[vector]


def test_version_0_4_has_no_flags():
    record = web(SITE, "http-failure", (None, None), http=RESET)
    for name in ("x_blocking_flags", "x_dns_flags"):
        del record["test_keys"][name]
    (verdict,) = read("ooni", [record]).verdicts
    assert (verdict.layer, verdict.mechanisms) == ("tls", ("tls.sni.rst",))
    record["input"] = PLAIN
    (verdict,) = read("ooni", [record]).verdicts
    assert (verdict.layer, verdict.mechanisms) == ("http", ("http.rst",))


def test_null_is_could_not_tell():
    assert short(read("ooni", [web(SITE, None, (0, 0), accessible=None)])) == {SITE: ("inconclusive", ())}


def test_the_probes_own_saved_results_have_the_labels_of_their_run():
    by_vantage = {}
    for one in read("probe", RESULTS.read_text("utf-8")).verdicts:
        by_vantage.setdefault(one.vantage, {})[one.target] = (one.said, one.mechanisms)
    assert set(by_vantage) == {"outside", "mts"}
    assert {said for said, _ in by_vantage["outside"].values()} == {"free"}
    blocked = {target: found for target, (said, found) in by_vantage["mts"].items() if said == "blocked"}
    assert blocked == {
        SITE: ("tls.sni.rst",),
        "http://www.dw.com/": ("http.page",),
        "https://www.dw.com/": ("tls.mitm",),
        "dns://8.8.8.8/meduza.io": ("dns.poison",),
        "https://www.bbc.com/": ("ip.drop",),
        "h3://twitter.com/": ("quic.drop",),
    }


def handshake(failure=None, **more):
    return {"network": "tcp", "address": "192.0.2.1:443", "failure": failure} | more


SNI_WORDS = {
    "success.got_server_hello": ("free", ()),
    "interference.reset": ("blocked", ("tls.sni.rst",)),
    "interference.closed": ("blocked", ("tls.sni.fin",)),
    "interference.unknown_authority": ("blocked", ("tls.mitm",)),
    "anomaly.timeout": ("blocked", ("tls.sni.drop", "throttle")),
    "anomaly.test_helper_unreachable": ("inconclusive", ()),
    "anomaly.unexpected_failure": ("inconclusive", ()),
    "a word of tomorrow": ("inconclusive", ()),
}


@pytest.mark.parametrize("word", SNI_WORDS)
def test_sni_blocking(word):
    record = measurement("sni_blocking", "twitter.com", result=word, control={}, target={})
    assert short(read("ooni", [record])) == {"twitter.com": SNI_WORDS[word]}


def lookup(failure=None, operation=None):
    query = {"hostname": "example.org", "engine": "doh", "failure": failure, "query_type": "A"}
    return {"failure": failure, "failed_operation": operation, "queries": [query]}


def test_dnscheck():
    url = "dot://dns.google/"
    good, silent = lookup(), lookup(SILENT, "resolve")
    six = lookup("network_unreachable", "connect")

    def check(bootstrap=None, **lookups):
        keys = {"bootstrap_failure": bootstrap, "lookups": lookups}
        return short(read("ooni", [measurement("dnscheck", url, **keys)]))[url]

    assert check(**{"dot://8.8.8.8:853": good}) == ("free", ())
    assert check(**{"dot://8.8.8.8:853": silent}) == ("blocked", ("dns.drop",))
    assert check(**{"dot://8.8.8.8:853": good, "dot://[2001:4860:4860::8888]:853": six}) == ("free", ())
    assert check("dns_nxdomain_error") == ("blocked", ("dns.nxdomain",))
    assert check() == ("inconclusive", ())


def trace(*failures):
    return {"iterations": [{"ttl": ttl, "handshake": handshake(one)} for ttl, one in enumerate(failures, 1)]}


def test_tlsmiddlebox_says_behind_how_many_routers_the_box_is():
    far = [SILENT, SILENT, SILENT, "ssl_invalid_hostname"]

    def middlebox(target, control=far):
        traces = [
            {"address": "192.0.2.1:443", "control_trace": trace(*control), "target_trace": trace(*target)}
        ]
        (verdict,) = read(
            "ooni", [measurement("tlsmiddlebox", "tlstrace://a.example", iterative_trace=traces)]
        ).verdicts
        return verdict.said, verdict.mechanisms, dict(verdict.parameters)

    assert middlebox([SILENT, SILENT, RESET, RESET]) == ("blocked", ("tls.sni.rst",), {"hop": 2.0})
    assert middlebox([SILENT] * 4) == ("blocked", ("tls.sni.drop", "throttle"), {})
    assert middlebox(far) == ("free", (), {})
    assert middlebox([RESET], [SILENT] * 4) == ("inconclusive", (), {})


def test_echcheck():
    plain, outer = handshake(server_name="cloudflare-ech.com"), "cloudflare-ech.com"
    url = "https://cloudflare-ech.com/cdn-cgi/trace"

    def check(*handshakes):
        return short(read("ooni", [measurement("echcheck", url, tls_handshakes=list(handshakes))]))[url]

    def ech(failure, name=outer):
        return handshake(failure, echconfig="GREASE", outer_server_name=name)

    assert check(plain, ech(None), ech(None, "cloudflare.com")) == ("free", ())
    assert check(plain, ech(SILENT), ech(None, "cloudflare.com"))[0:1] == ("blocked",)
    assert check(handshake(SILENT), ech(SILENT)) == ("inconclusive", ())
    old = measurement("echcheck", url, control=handshake(), target=handshake(RESET))
    assert short(read("ooni", [old])) == {url: ("blocked", ("tls.sni.rst",))}


def test_what_cannot_be_read():
    good = json.dumps(web(SITE, False, (0, 0), accessible=True))
    text = "\n".join([good, good, good[:60], '"a word"', json.dumps(measurement("ndt", SITE))])
    report = read("ooni", text)
    assert complaints(report) == [
        ("duplicate", "line 2"), ("truncated line", "line 3"), ("not a result", "line 4"),
        ("not a result", "line 5"),
    ]  # fmt: skip
    assert len(report.verdicts) == 1
    novel = web(SITE, "http-failure", (4, 0), http="quantum_decoherence_error") | {"mood": 1}
    report = read("ooni", [novel])
    assert [(one.kind, one.message) for one in report.complaints] == [
        ("unknown field", "'mood'"), ("unknown failure", "quantum_decoherence_error"),
    ]  # fmt: skip
    assert short(report) == {SITE: ("blocked", ())}  # OONI says blocked; by what is not guessed


def test_other_experiments_as_miniooni_measured_them():
    """In phase v01: Twitter is reset by a box behind 5 routers, dns.google and vk.com are free.

    sni_blocking is of `twitter-facebook-block-2022-03` with a host example.org, echcheck of
    `cloudflare-ech-2024` with an HTTPS record: Go's long ClientHello passes that box. With a short one
    (GODEBUG=tlsmlkem=0) the box drops it, and miniooni 3.31 wrote nothing within 100 s.
    """
    report = read("ooni", (DATA / "ooni-others.jsonl").read_text("utf-8"))
    assert [(one.target, one.said, one.mechanisms) for one in report.verdicts] == [
        (SITE, "blocked", ("tls.sni.rst",)),  # web_connectivity 0.4
        (SITE, "blocked", ("tls.sni.rst",)),  # urlgetter
        ("https://vk.com/", "free", ()),
        ("tlstrace://twitter.com", "blocked", ("tls.sni.rst",)),
        ("https://dns.google/dns-query", "free", ()),
        ("twitter.com", "blocked", ("tls.sni.rst",)),  # sni_blocking
        ("vk.com", "free", ()),
        ("https://cloudflare-ech.com/cdn-cgi/trace", "free", ()),
    ]
    assert report.verdicts[3].parameters == {"hop": 5.0}
    assert complaints(report) == []
