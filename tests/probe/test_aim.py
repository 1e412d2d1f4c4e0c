from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import InputError
from testbed.probe.aim import Aim, parse


@pytest.mark.parametrize(
    ("url", "want"),
    [
        ("https://a.example/", Aim("https://a.example/", "https", "a.example", 443)),
        ("https://a.example:8443", Aim("https://a.example:8443", "https", "a.example", 8443)),
        ("http://a.example/x?y=1", Aim("http://a.example/x?y=1", "http", "a.example", 80, "/x?y=1")),
        ("h3://a.example/", Aim("h3://a.example/", "h3", "a.example", 443)),
        ("dns://8.8.8.8/t.co", Aim("dns://8.8.8.8/t.co", "dns", "8.8.8.8", 53, name="t.co")),
        ("dns://[2001:db8::1]/t.co", Aim("dns://[2001:db8::1]/t.co", "dns", "2001:db8::1", 53, name="t.co")),
        ("dns+tcp://1.1.1.1/x", Aim("dns+tcp://1.1.1.1/x", "dns", "1.1.1.1", 53, name="x", tcp=True)),
        ("dns://dns.google/x", Aim("dns://dns.google/x", "dns", "dns.google", 53, name="x")),
        ("dns://resolver/t.co", Aim("dns://resolver/t.co", "dns", "resolver", 53, name="t.co")),
        ("put+https://a.example/upload?bytes=9",
         Aim("put+https://a.example/upload?bytes=9", "https", "a.example", 443, "/upload", upload=9)),
    ],
)  # fmt: skip
def test_forms(url, want):
    assert parse(url) == want


@pytest.mark.parametrize(
    "url",
    ["", "twitter.com", "ftp://a/", "https://", "https://a:b/", "https://a:99999/", "dns://8.8.8.8/",
     "put+https://a/upload", "put+https://a/upload?bytes=x", "put+https://a/upload?bytes=0",
     "put+dns://1.1.1.1/x", "https://[::1/"],
)  # fmt: skip
def test_what_is_no_target_says_what_to_write(url):
    with pytest.raises(InputError) as caught:
        parse(url)
    assert caught.value.problems[0].remedy


@given(st.text())
def test_any_text_is_a_target_or_an_input_error(text):
    with suppress(InputError):
        assert parse(text).url == text


def test_authority_leaves_the_usual_port_out():
    assert parse("https://a.example/").authority == "a.example"
    assert parse("http://[::1]:8080/").authority == "[::1]:8080"
    assert parse("http://[::1]/").authority == "[::1]"
