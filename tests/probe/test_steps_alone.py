"""Targets of one step, or of a lookup within TLS: each with a box in the way and without, over IPv4 and IPv6.

The expectations are asked of the core as well: `check` refuses a file whose expectations do not follow.
"""

import json
from pathlib import Path

import pytest

from testbed.dryrun.agreement import Agreement
from testbed.run.execute import execute
from testbed.run.job import Job
from testbed.scenario.loader import load

SCENARIO = """\
title: One box in the way of each step
period: any
sources: [our choice]
operators: [mts]
sites: {www.linkedin.com: {https_record: [h3, h2]}}
censors:
  tspu:
    profile: t25
    rules:
      - {name: gone, match: {ip: "site:www.dw.com"}, action: drop}
      - {name: refused, match: {ip: "site:meduza.io"}, action: rst}
      - {name: reset, match: {tls.sni: twitter.com}, action: rst-rewrite}
      - {name: quic, match: {quic.sni: www.wikipedia.org}, action: drop}
      - {name: dot, match: {tls.sni: dns.google, ports: 853}, action: drop}
      - {name: doh, match: {tls.sni: dns.google, ports: 443}, action: rst-rewrite}
      - {name: parameters, match: {dns.qname: www.linkedin.com, dns.qtype: HTTPS}, action: drop}
phases: {blocked: {mts: tspu}, free: {}}
default_phase: blocked
expect:
  - {phase: blocked, target: "tcp://www.dw.com:443/", outcome: ip.drop, by: gone}
  - {phase: blocked, target: "tcp://meduza.io:80/", outcome: ip.rst, by: refused}
  - {phase: blocked, target: "tls://twitter.com/", outcome: tls.sni.rst, by: reset}
  - {phase: blocked, target: "quic://www.wikipedia.org/", outcome: quic.sni.drop, by: quic}
  - {phase: blocked, target: "dot://dns.google/vk.com", outcome: tls.sni.drop, by: dot}
  - {phase: blocked, target: "doh://dns.google/vk.com?type=AAAA", outcome: tls.sni.rst, by: doh}
  - {phase: blocked, target: "dns://8.8.8.8/www.linkedin.com?type=HTTPS", outcome: dns.drop, by: parameters}
  - phase: free
    outcome: ok
    target:
      - tcp://www.dw.com:443/
      - tcp://meduza.io:80/
      - tls://twitter.com/
      - quic://www.wikipedia.org/
      - dot://dns.google/vk.com
      - doh://dns.google/vk.com?type=AAAA
      - dns://8.8.8.8/www.linkedin.com?type=HTTPS
controls: ["tcp://vk.com:443/", "tls://vk.com/", "dot://dns.quad9.net/vk.com", "doh://dns.quad9.net/vk.com"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "steps.yaml"
    file.write_text(SCENARIO)
    return file


def test_the_expectations_follow_from_the_rules(file: Path) -> None:
    assert [str(one) for one in Agreement(load(file)).problems()] == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("outcome: quic.sni.drop, by: quic", "outcome: ok", "rules give 'quic.drop'"),
     ("outcome: tls.sni.rst, by: doh", "outcome: dns.drop, by: doh", "rules give 'tls.sni.rst'"),
     ("outcome: dns.drop, by: parameters", "outcome: ok", "rules give 'dns.drop'")],
)  # fmt: skip
def test_and_others_do_not(file: Path, old: str, new: str, said: str) -> None:
    file.write_text(SCENARIO.replace(old, new))
    problems = [str(one) for one in Agreement(load(file)).problems()]
    assert [said in one for one in problems] == [True], problems


@pytest.mark.world
@pytest.mark.parametrize("ipv", [4, 6])
@pytest.mark.parametrize("phase", ["blocked", "free"])
def test_the_probe_sees_each_where_the_box_is(file: Path, tmp_path: Path, phase: str, ipv: int) -> None:
    closer = ("hop",) if ipv == 6 else ()
    result = execute(
        Job(
            file,
            phase=phase,
            vantages=["mts"],
            ipv=ipv,
            instruments=closer,
            out=tmp_path / "run",
        )
    )
    rows = result.judgement.rows if result.judgement else ()
    seen = {row.target: (row.observed, row.expected) for row in rows if row.verdict != "ok"}
    assert (result.problems, seen) == ((), {})
    answers = {
        query.query_type: [one.text or one.ipv4 or one.ipv6 for one in query.answers]
        for one in result.measurements
        if one.vantage == "outside" and one.target.startswith(("dns", "doh"))
        for query in one.test_keys.queries[-1:]
    }
    assert answers["HTTPS"] == [
        '1 . alpn="h3,h2" ipv4hint="108.174.10.10" ipv6hint="2620:109:c002::6cae:a0a"'
    ]
    assert len(answers["AAAA"]) == 1
    written = [json.loads(line) for line in (tmp_path / "run/results.jsonl").read_text().splitlines()]
    hops = {
        one["input"]: one["test_keys"]["x_closer"]["hop"] for one in written if "x_closer" in one["test_keys"]
    }
    looked = [row.target for row in rows if row.by] if closer and phase == "blocked" else []
    assert hops == dict.fromkeys(looked, 2)
