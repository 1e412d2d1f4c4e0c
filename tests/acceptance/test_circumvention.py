"""`run --circumvention`: what gets through, what must not, and entries that prove nothing."""

import pytest

pytestmark = pytest.mark.world

SCENARIO = """\
title: One operator filters names, and its resolver lies
period: any
sources: [our choice]
operators: [mts]
censors:
  box:
    profile: t22
    rules:
      - {name: names, match: {tls.sni: [twitter.com, t.co]}, action: rst-rewrite}
      - {name: quic-v1, match: {quic: {version: 1, min_payload: 1001}}, action: drop}
      - {name: proxies, match: {ip: 95.216.2.7}, action: drop}
  lies:
    profile: leg-dns
    at: resolver
    rules: [{name: lie, match: {dns.qname: www.bbc.com}, action: {dns: {rcode: nxdomain}}}]
phases: {on: {mts: [box, lies]}}
default_phase: on
expect:
  - {vantage: mts, target: ["https://twitter.com/", "https://t.co/"], outcome: tls.sni.rst, by: names}
  - {vantage: mts, target: "https://www.bbc.com/", outcome: dns.nxdomain, by: lie}
  - {vantage: mts, target: "h3://twitter.com/", outcome: quic.drop, by: quic-v1}
controls: ["https://vk.com/"]
circumvention:
"""
GOOD = """\
  - {name: split-segments, recipe: split-segments, target: &x "https://twitter.com/"}
  - {name: split-records, recipe: split-records, target: *x}
  - {name: padded-hello, recipe: padded-hello, target: *x}
  - {name: proxy-abroad, recipe: proxy-abroad, target: *x}
  - {name: quic-decoy, recipe: quic-decoy, target: "h3://twitter.com/"}
  - {name: doh, recipe: {resolver: "https://dns.quad9.net/dns-query"}, target: "https://www.bbc.com/"}
  - {name: dot, recipe: {resolver: "tls://dns.quad9.net"}, target: "https://www.bbc.com/"}
  - {name: tcp-dns, recipe: {resolver: "tcp://8.8.8.8"}, target: "https://www.bbc.com/"}
  - {name: doh-at-names, recipe: {resolver: "https://dns.quad9.net/dns-query"}, target: *x, fails_by: names}
  - {name: dns-abroad, recipe: dns-abroad, target: "https://www.bbc.com/"}
  - {name: dns-at-names, recipe: dns-abroad, target: *x, fails_by: names}
  - name: proxy-dead
    recipe: proxy-abroad
    target: *x
    fails_by: box/proxies
    server: {ipv4: 95.216.2.7, ipv6: "2a01:4f9:0:2::77"}
  - name: decoy-that-ends-early
    recipe:
      proxy: socks5://127.0.0.1:1080
      client:
        - command:
            run: exec "$TESTBED_PYTHON" -m testbed.evade --listen 127.0.0.1:1080 low-ttl:3
            ready: {tcp: 1080}
    target: *x
  - {name: not-here, recipe: {proxy: "http://127.0.0.1:1", programs: [no-such-tool]}, target: *x}
"""
BAD = """\
  - {name: gets-through, recipe: split-segments, target: "https://twitter.com/", fails_by: names}
  - {name: other-cause, recipe: {resolver: "udp://9.9.9.9"}, target: "https://t.co/", fails_by: quic-v1}
  - name: not-needed
    recipe: {resolver: "udp://9.9.9.9"}
    instead_of: {resolver: "udp://8.8.8.8"}
    target: "https://www.bbc.com/"
  - name: broken
    recipe: {proxy: "socks5://127.0.0.1:9", client: [{command: "echo no key; exit 3"}]}
    target: "https://twitter.com/"
"""

ASKED = {
    "by-tls": "dns:tls://dns.quad9.net",
    "by-tcp": "dns:tcp://8.8.8.8",
    "by-udp": "dns:udp://8.8.8.8",
    "by-own": "",  # the operator's, which lies
}
RELAY = """\
  - name: NAME
    recipe:
      proxy: socks5://127.0.0.1:1080
      client:
        - command:
            run: exec "$TESTBED_PYTHON" -m testbed.evade --listen 127.0.0.1:1080 segments:name HOW
            ready: {tcp: 1080}
    target: "https://www.bbc.com/"
"""
RELAYS = "".join(RELAY.replace("NAME", name).replace("HOW", how) for name, how in ASKED.items())


def rows(done):
    return {row["name"]: row for row in done.summary["circumvention"]}


def test_tools_get_through_and_fail_as_the_scenario_says(testbed, tmp_path):
    (tmp_path / "good.yaml").write_text(SCENARIO + GOOD + RELAYS + "    fails_by: lie\n")
    done = testbed("good.yaml", "--circumvention", timeout=120)
    assert done.status == 0, done.out + done.err
    found = {name: (row["direct"], row["observed"], row["free"]) for name, row in rows(done).items()}
    through, https = ("tls.sni.rst", "ok", "ok"), ("dns.nxdomain", "ok", "ok")
    assert found == {
        "split-segments": through,
        "split-records": through,
        "padded-hello": through,
        "proxy-abroad": through,
        "quic-decoy": ("quic.drop", "ok", "ok"),
        "doh": https,
        "dot": https,
        "tcp-dns": https,
        "dns-abroad": https,
        "by-tls": https,
        "by-tcp": https,
        "by-udp": https,
        "by-own": ("dns.nxdomain", "broken", "ok"),
        "dns-at-names": ("tls.sni.rst", "tls.sni.fin", "ok"),
        "doh-at-names": ("tls.sni.rst", "tls.sni.rst", "ok"),
        "proxy-dead": ("tls.sni.rst", "ip.drop", "ok"),
        "decoy-that-ends-early": ("tls.sni.rst", "ok", "tls.mitm"),  # it reaches a server so near
        "not-here": ("", "", ""),
    }
    assert rows(done)["proxy-dead"]["acted"] == ["mts/box/proxies"]
    assert "skipped: not-here: no-such-tool is not installed" in done.out
    assert "circumvention as expected: 17 of 17, 1 skipped" in done.out


def test_what_proves_nothing_is_invalid(testbed, tmp_path):
    (tmp_path / "bad.yaml").write_text(SCENARIO + BAD)
    done = testbed("bad.yaml", "--circumvention", timeout=120)
    assert done.status == 3, done.out + done.err
    assert {name: row["verdict"] for name, row in rows(done).items()} == {
        "gets-through": "differs",
        "other-cause": "by another cause",
        "not-needed": "not needed",
        "broken": "broken by itself",
    }
    said = "the method not-needed to https://www.bbc.com/ from mts proves nothing: the direct way is ok"
    assert said in done.out
    assert "no key" in done.out
