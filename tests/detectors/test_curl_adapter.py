"""curl's %{json}. The outputs were saved from curl 7.88.1 in worlds of the library, without certificates."""

import json
from pathlib import Path

import pytest

from tests.detectors.say import complaints, read, short

SAVED = [json.loads(line) for line in (Path(__file__).parent / "data/curl.jsonl").read_text().splitlines()]

# What curl alone can conclude where the truth is another word. All others begin with the truth's label.
ALIKE = {
    # An expired certificate of the site's own looks like an interception to a program that knows one vantage.
    ("broken", 60): ("blocked", "tls.mitm"),
    # A lie that leads to a server with another certificate. curl sees the certificate.
    ("dns.poison", 60): ("blocked", "tls.mitm"),
    # A lie that leads to a page of another server is no failure: without a comparison it is a page.
    ("dns.poison", 0): ("free", ""),
    # TSPU's drop on IPv6 came after the handshake's start here.
    ("tls.sni.drop", 28): ("blocked", "tls.sni.drop"),
    # The rule lists IPv4 addresses, and curl prefers IPv6: its packets did not meet the rule.
    ("ip.drop", 0): ("free", ""),
    # 403 from the server itself.
    ("refused", 0): ("free", ""),
    # Nothing but the missing data distinguishes a policer from a freeze at curl's limit of 8 s.
    ("throttle", 28): ("blocked", "freeze"),
}


@pytest.mark.parametrize("saved", SAVED, ids=lambda one: f"{one['outcome']} {one['target']} {one['status']}")
def test_a_saved_output_is_read_as_what_curl_saw(saved):
    (verdict,) = read("curl", saved["stdout"]).verdicts
    plain = ("free", "") if saved["outcome"] == "ok" else ("blocked", saved["outcome"])
    expected = ALIKE.get((saved["outcome"], saved["status"]), plain)
    assert (verdict.said, (verdict.mechanisms or ("",))[0]) == expected


def test_only_remote_ip_tells_a_dropped_syn_from_a_dropped_hello():
    by_outcome = {one["outcome"]: json.loads(one["stdout"]) for one in SAVED if one["status"] == 28}
    syn, hello = by_outcome["ip.drop"], by_outcome["tls.sni.drop"]
    assert (syn["time_connect"], hello["time_connect"]) == (0, 0)
    assert read("curl", json.dumps(syn)).verdicts[0].mechanisms == ("ip.drop",)
    assert read("curl", json.dumps(hello)).verdicts[0].mechanisms[0] == "tls.sni.drop"
    assert read("curl", json.dumps(hello | {"remote_ip": ""})).verdicts[0].mechanisms == ("ip.drop",)


def test_a_page_at_an_operators_page_or_at_an_address_that_is_nobodys():
    page = json.loads(next(one["stdout"] for one in SAVED if one["outcome"] == "ok"))
    assert short(read("curl", json.dumps(page))) == {page["url"]: ("free", ())}
    bogon = page | {"remote_ip": "10.0.0.7"}
    assert short(read("curl", json.dumps(bogon))) == {page["url"]: ("blocked", ("dns.poison",))}
    legal = page | {"http_code": 451}
    assert short(read("curl", json.dumps(legal))) == {page["url"]: ("blocked", ("http.page",))}


def test_several_urls_are_several_objects_without_a_line_end():
    one, two = SAVED[0]["stdout"], SAVED[1]["stdout"].replace("www.youtube.com/", "www.youtube.com/2")
    assert list(short(read("curl", one + two))) == ["https://www.youtube.com/", "https://www.youtube.com/2"]


def test_what_cannot_be_read():
    assert complaints(read("curl", "")) == [("empty", "")]
    assert complaints(read("curl", SAVED[0]["stdout"][:-40])) == [("truncated line", "object 1")]
    assert complaints(read("curl", "<html>")) == [("not a result", "object 1")]
    assert complaints(read("curl", '{"a": 1}')) == [("not a result", "object 1")]
    strange = json.dumps({"exitcode": 83, "http_code": 0, "url": "https://a.example/"})
    report = read("curl", strange)
    assert complaints(report) == [("unknown failure", "object 1")]
    assert short(report) == {"https://a.example/": ("inconclusive", ())}
    own = json.dumps({"exitcode": 3, "http_code": 0, "url": "https://a.example/"})
    assert complaints(read("curl", own)) == []
    assert short(read("curl", own)) == {"https://a.example/": ("inconclusive", ())}


def test_the_exit_status_alone():
    assert short(read("exit-status", "", "https://a.example/", 0)) == {"https://a.example/": ("free", ())}
    assert short(read("exit-status", "", "https://a.example/", 28)) == {"https://a.example/": ("blocked", ())}
    assert complaints(read("exit-status", "")) == [("empty", "")]
