"""URLs of proxies and resolvers."""

import pytest

from testbed.measurement.passage import DIRECT, Endpoint, Passage


@pytest.mark.parametrize(
    ("passage", "proxy", "resolver"),
    [
        (DIRECT, None, None),
        (Passage(proxy="socks5://127.0.0.1"), Endpoint("socks5", "127.0.0.1", 1080), None),
        (Passage(proxy="http://[::1]:81"), Endpoint("http", "::1", 81), None),
        (Passage(resolver="udp://9.9.9.9"), None, Endpoint("udp", "9.9.9.9", 53)),
        (Passage(resolver="tls://dns.quad9.net"), None, Endpoint("tls", "dns.quad9.net", 853)),
        (Passage(resolver="https://a.b/q"), None, Endpoint("https", "a.b", 443, "/q")),
    ],
)
def test_what_they_mean(passage, proxy, resolver):
    assert (passage.proxy_at, passage.resolver_at) == (proxy, resolver)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"proxy": "127.0.0.1:1080"}, "'127.0.0.1:1080' is none of socks5://, http://"),
        ({"proxy": "socks5://x:y"}, "'socks5://x:y' is not a URL"),
        ({"resolver": "udp://dns.google"}, "'dns.google' is no address"),
        ({"resolver": "quic://9.9.9.9"}, "'quic://9.9.9.9' is none of udp://, tcp://, tls://, https://"),
    ],
)
def test_what_is_none(given, said):
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        Passage(**given)
    assert said in str(raised.value)
