import pickle
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import InputError
from testbed.measurement.kinds import KINDS, parse
from testbed.measurement.kinds.dns import OWN_RESOLVER, question
from testbed.measurement.kinds.upload import size_of
from testbed.measurement.target import Target


def taken_apart(url: str) -> tuple[str, str, int, str]:
    target = parse(url)
    return target.kind.scheme, target.host, target.port, target.path


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://a.example/", ("https", "a.example", 443, "/")),
        ("https://A.example:8443", ("https", "a.example", 8443, "/")),
        ("http://a.example/x?y=1", ("http", "a.example", 80, "/x?y=1")),
        ("h3://a.example/", ("h3", "a.example", 443, "/")),
        ("dns://8.8.8.8/t.co", ("dns", "8.8.8.8", 53, "/t.co")),
        ("dns://[2001:db8::1]/t.co", ("dns", "2001:db8::1", 53, "/t.co")),
        ("dns+tcp://1.1.1.1/x", ("dns+tcp", "1.1.1.1", 53, "/x")),
        ("dns://8.8.8.8/t.co?type=HTTPS", ("dns", "8.8.8.8", 53, "/t.co?type=HTTPS")),
        ("dot://dns.google/t.co", ("dot", "dns.google", 853, "/t.co")),
        ("doh://dns.google/t.co", ("doh", "dns.google", 443, "/t.co")),
        ("tcp://a.example:22/", ("tcp", "a.example", 22, "/")),
        ("tls://a.example/", ("tls", "a.example", 443, "/")),
        ("quic://a.example/", ("quic", "a.example", 443, "/")),
        ("put+https://a.example/upload?bytes=9", ("put+https", "a.example", 443, "/upload?bytes=9")),
        ("put+http://a.example/upload?bytes=9", ("put+http", "a.example", 80, "/upload?bytes=9")),
    ],
)
def test_forms(url, parts):
    assert taken_apart(url) == parts
    assert parse(url).url == url


def test_what_a_kind_reads_from_the_rest_of_the_url():
    assert question(parse(f"dns://{OWN_RESOLVER}/t.co")) == "t.co"
    assert size_of(parse("put+https://a.example/upload?bytes=9")) == 9


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", ("target: '' is not a target; write one of https://NAME/, dns://RESOLVER/NAME, "
             "dns+tcp://RESOLVER/NAME, doh://RESOLVER-NAME/NAME, dot://RESOLVER-NAME/NAME, h2://NAME/, "
             "h3://NAME/, http://NAME/, openvpn://NAME:1194/, put+http://NAME/upload?bytes=N, "
             "put+https://NAME/upload?bytes=N, quic://NAME/, tcp://NAME:443/, tls://NAME/, "
             "wireguard://NAME:51820/")),
        ("twitter.com", "target: 'twitter.com' is not a target; write one of"),
        ("ftp://a/", "target: 'ftp://a/' is not a target; write one of"),
        ("https://", "target: 'https://' is not a target; write one of"),
        ("put+dns://1.1.1.1/x", "target: 'put+dns://1.1.1.1/x' is not a target; write one of"),
        ("https://a:b/", "target: 'https://a:b/' is not a URL: "),
        ("https://a:99999/", "target: 'https://a:99999/' is not a URL: "),
        ("https://[::1/", "target: 'https://[::1/' is not a URL: "),
        ("https://a:0/", "target: 'https://a:0/' has port 0; write https://NAME/"),
        ("https://me@a/", "target: 'https://me@a/' has a user; write https://NAME/"),
        ("dns://8.8.8.8/", "target: 'dns://8.8.8.8/' asks for no name; write dns://8.8.8.8/NAME"),
        ("dns://8.8.8.8/x?type=MX", "asks for a type that is not read; write A, AAAA, HTTPS"),
        ("dns://8.8.8.8/x?kind=A", "says 'kind=A'; write ?type=HTTPS, or nothing"),
        ("dot://8.8.8.8/x", "names the resolver by its address; write dot://dns.google/…"),
        ("tcp://a/", "target: 'tcp://a/' has no port; write tcp://NAME:443/"),
        ("put+https://a/upload", ("target: 'put+https://a/upload' does not say how much to upload; "
                                 "end it with ?bytes=N, N from 1 to 100000000")),
        ("put+https://a/upload?bytes=x", "does not say how much"),
        ("put+https://a/upload?bytes=0", "does not say how much"),
        ("put+https://a/upload?bytes=100000001", "does not say how much"),
    ],
)  # fmt: skip
def test_what_is_no_target_says_what_to_write(url, problem):
    with pytest.raises(InputError) as caught:
        parse(url)
    assert problem in str(caught.value)
    assert caught.value.problems[0].remedy


@given(
    st.text() | st.sampled_from(sorted(KINDS)).flatmap(lambda scheme: st.text().map(f"{scheme}://".__add__))
)
def test_any_text_is_a_target_or_an_input_error(text):
    with suppress(InputError):
        assert parse(text).url == text


def test_which_targets_measure_speed():
    bulk = ["https://a/bytes/9", "h3://a/bytes/9", "put+http://a/upload?bytes=9"]
    assert [parse(url).bulk for url in bulk] == [True] * 3
    assert [parse(url).bulk for url in ("https://a/", "https://a/x/bytes/9", "dns://a/bytes/9")] == [
        False
    ] * 3


def test_transports():
    assert {scheme: kind.transport for scheme, kind in KINDS.items()} == {
        "https": "tls",
        "http": "http",
        "h2": "tls",
        "h3": "quic",
        "put+https": "tls",
        "put+http": "http",
        "tcp": "tcp",
        "tls": "tls",
        "quic": "quic",
        "dns": "dns/udp",
        "dot": "dns/tls",
        "doh": "dns/https",
        "dns+tcp": "dns/tcp",
        "openvpn": "udp",
        "wireguard": "udp",
    }


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_form_is_an_example_of_its_kind(kind):
    assert kind.form.startswith(f"{kind.scheme}://")
    assert parse(kind.form.replace("bytes=N", "bytes=1")).kind is kind


def test_targets_are_values():
    target = parse("https://a.example/")
    assert pickle.loads(pickle.dumps(target)) == target == parse("https://a.example/")
    assert {target: 1}[parse("https://a.example/")] == 1
    assert target != Target(target.url, KINDS["h3"], target.host)
