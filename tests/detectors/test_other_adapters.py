"""Tools for people. Their outputs are made after the documentation and source that each names.

Those of blockcheck, dpi-ch and Chromium are also their own, from runs in worlds.
"""

import json
from pathlib import Path

import pytest

from tests.detectors.say import complaints, read, short

RECORDED = Path(__file__).with_name("data")


# -- dpi-ch: ru/dpi-ch/checkers/fullcheck.go


def checked(code="OK", message="Ok", bulk="OK", many="OK"):
    item = {"Group": "twitter.com", "Org": "Twitter", "AS": "AS13414", "IP": "104.244.42.1", "Tls": None}
    item |= {"Alive": {"Msg": message, "Code": code}, "Tcp1620": {"Msg": "", "Code": bulk}}
    item |= {"Siberian": {"Msg": "", "Code": many}, "BurstTxKbps": None, "BurstRxKbps": None}
    return {"Whoami": None, "CidrWhitelist": None, "Dns": None, "Webhost": {"popular": {"Items": [item]}}}


def test_dpi_ch():
    def one(document):
        return short(read("dpi-ch", json.dumps(document)))["twitter.com"]

    assert one(checked()) == ("free", ())
    assert one(checked("ERR", "tls: blocked by sni"))[1][0] == "tls.sni.drop"
    assert one(checked("ERR", "tcp: connection timeout")) == ("blocked", ("ip.drop",))
    assert one(checked(bulk="DETECTED")) == ("blocked", ("freeze",))
    assert one(checked(many="DETECTED")) == ("blocked", ("conncount",))
    report = read("dpi-ch", json.dumps(checked("ERR", "net: quantum error")))
    assert [(one.kind, one.message) for one in report.complaints] == [
        ("unknown failure", "net: quantum error")
    ]
    assert short(report) == {"twitter.com": ("inconclusive", ())}
    assert complaints(read("dpi-ch", json.dumps(checked())[:80])) == [("truncated line", "line 1")]


def test_dpi_ch_dns_and_allow_list():
    providers = {"Google": {"Msg": "", "Code": "RESPONSE_SPOOFING"}, "Yandex": {"Msg": "", "Code": "OK"}}
    document = checked() | {
        "Dns": {"Leak": None, "Plain": {"Status": {}, "Providers": providers}, "Doh": None},
        "CidrWhitelist": {"Status": {"Msg": "You're UNDER one", "Code": "DETECTED"}},
        "Webhost": {},
    }
    assert short(read("dpi-ch", json.dumps(document))) == {
        "Google": ("blocked", ("dns.poison",)),
        "Yandex": ("free", ()),
        "cidr-whitelist": ("blocked", ("ip.drop",)),
    }


def test_dpi_ch_in_three_phases_of_false_friends():
    """Real ones, without its own targets: a portal, an overloaded server, a name that is gone."""
    texts = (Path(__file__).with_name("data") / "dpi-ch.jsonl").read_text("utf-8").splitlines()
    portal, overloaded, gone = (read("dpi-ch", text) for text in texts)
    assert [complaints(one) for one in (portal, overloaded, gone)] == [[], [], []]
    notable = {one.target: (one.said, one.mechanisms) for one in portal.verdicts if one.said == "blocked"}
    services = ("AdGuard DNS", "Cloudflare DNS", "Google DNS", "OpenDNS")
    assert notable == dict.fromkeys(services, ("blocked", ("tls.mitm",)))
    assert [one.target for one in overloaded.verdicts if one.said == "blocked"] == []
    (linkedin,) = (one for one in gone.verdicts if one.target == "www.linkedin.com")
    assert (linkedin.said, linkedin.words.partition(",")[0]) == ("inconclusive", "alive: net: internal error")


# -- blockcheck: blockcheck.sh of zapret 72.12

BLOCKCHECK = """\
* curl_test_https_tls13 ipv4 twitter.com
- checking without DPI bypass
curl: (35) Recv failure: Connection reset by peer
UNAVAILABLE code=35
- checking tpws --split-pos=host+1
!!!!! AVAILABLE !!!!!

* SUMMARY
curl_test_http ipv4 twitter.com : working without bypass
curl_test_https_tls13 ipv4 twitter.com : tpws --split-pos=host+1
curl_test_https_tls13 ipv4 twitter.com : nfqws not working
curl_test_http3 ipv4 twitter.com : test aborted, no reason to continue. curl code 28: operation timed out

Please note this SUMMARY does not guarantee a magic pill for you to copy/paste and be happy.
"""


def test_blockcheck():
    report = read("blockcheck", BLOCKCHECK)
    assert short(report) == {
        "http://twitter.com/": ("free", ()),
        "https://twitter.com/": ("blocked", ("tls.sni.rst", "tls.sni.fin")),
        "h3://twitter.com/": ("blocked", ("quic.drop", "quic.sni.drop")),
    }
    assert report.complaints == ()


def test_blockcheck_as_it_ran_in_a_world():
    """Against a box that resets twitter.com: all that it printed, with 21 ways that work in its summary."""
    report = read("blockcheck", (RECORDED / "blockcheck-tls12.txt").read_text("utf-8"))
    assert short(report) == {"https://twitter.com/": ("blocked", ("tls.sni.rst", "tls.sni.fin"))}
    assert report.complaints == ()


def test_blockcheck_without_its_summary_says_nothing():
    cut = BLOCKCHECK.partition("* SUMMARY")[0]
    assert (short(read("blockcheck", cut)), complaints(read("blockcheck", cut))) == (
        {},
        [("truncated line", "line 7")],
    )


# -- NetLog: net/log/net_log_event_type_list.h, net/base/net_error_list.h and the design document

TYPES = {"REQUEST_ALIVE": 2, "URL_REQUEST_START_JOB": 103, "URL_REQUEST_REDIRECTED": 104,
         "HTTP_TRANSACTION_READ_RESPONSE_HEADERS": 155, "FAILED": 1}  # fmt: skip
ERRORS = {"ERR_IO_PENDING": -1, "ERR_TIMED_OUT": -7, "ERR_CONNECTION_RESET": -101, "ERR_NEW": -999,
          "ERR_NAME_NOT_RESOLVED": -105, "ERR_CONNECTION_TIMED_OUT": -118, "ERR_ABORTED": -3,
          "ERR_CERT_AUTHORITY_INVALID": -202}  # fmt: skip
CONSTANTS = {"logEventTypes": TYPES, "netError": ERRORS}


def event(name, number=1, **params):
    return {
        "type": TYPES[name],
        "source": {"id": number, "type": 1},
        "phase": 1,
        "time": "5",
        "params": params,
    }


def log(*events):
    return json.dumps({"constants": CONSTANTS, "events": list(events)})


URL = "https://twitter.com/"
START = event("URL_REQUEST_START_JOB", url=URL, method="GET")
ENDS = {
    "ERR_CONNECTION_RESET": ("blocked", ("tls.sni.rst",)),
    "ERR_TIMED_OUT": ("blocked", ("tls.sni.drop", "throttle")),
    "ERR_CONNECTION_TIMED_OUT": ("blocked", ("ip.drop",)),
    "ERR_NAME_NOT_RESOLVED": ("blocked", ("dns.nxdomain",)),
    "ERR_CERT_AUTHORITY_INVALID": ("blocked", ("tls.mitm", "dns.poison")),
    "ERR_ABORTED": ("inconclusive", ()),
    "ERR_IO_PENDING": ("inconclusive", ()),
}


@pytest.mark.parametrize("error", ENDS)
def test_netlog_errors(error):
    report = read("netlog", log(START, event("FAILED", net_error=ERRORS[error])))
    assert short(report) == {URL: ENDS[error]}
    assert report.complaints == ()


def test_netlog_pages_and_other_requests():
    came = event("HTTP_TRANSACTION_READ_RESPONSE_HEADERS")
    update = event("URL_REQUEST_START_JOB", 9, url="https://update.example/")
    assert short(read("netlog", log(START, came, update), URL)) == {URL: ("free", ())}
    page = event("URL_REQUEST_REDIRECTED", location="http://warning.rt.ru/")
    assert short(read("netlog", log(START, page))) == {URL: ("blocked", ("http.page",))}


def test_netlog_as_chromium_wrote_it_in_a_world():
    """Chromium 156 behind a box that resets twitter.com; of its log the constants and the page."""
    for name, verdict in (("reset", ("blocked", ("tls.sni.rst",))), ("free", ("free", ()))):
        url = "https://twitter.com/" if name == "reset" else "https://vk.com/"
        report = read("netlog", (RECORDED / f"netlog-{name}.json").read_text("utf-8"), url)
        assert (short(report)[url], report.complaints) == (verdict, ())


def test_netlog_of_a_browser_that_was_killed():
    first = f'{{"constants": {json.dumps(CONSTANTS)},\n"events": [\n'
    whole = first + "".join(json.dumps(one) + ",\n" for one in (START, event("FAILED", net_error=-101)))
    for cut in (whole, whole + '{"type": 1, "sou'):
        report = read("netlog", cut)
        assert short(report) == {URL: ("blocked", ("tls.sni.rst",))}
        assert [one.kind for one in report.complaints] == ["truncated line"]
    assert complaints(read("netlog", "{}")) == [("not a result", "")]
    assert complaints(read("netlog", log(START, event("FAILED", net_error=-999)))) == [
        ("unknown failure", URL)
    ]
