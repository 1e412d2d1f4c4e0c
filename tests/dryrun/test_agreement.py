"""Whether written expectations follow from the rules: what `testbed check` says of those that do not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.dryrun.agreement import Agreement
from testbed.scenario.loader import load
from tests.dryrun.conftest import text

Checked = Callable[..., list[str]]
RESET = "{tls.sni: twitter.com}", "rst-rewrite"


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checked:
    monkeypatch.chdir(tmp_path)

    def checked(expect: str, match: str = RESET[0], action: str = RESET[1], **more: str) -> list[str]:
        Path("one.yaml").write_text(text(match, action, expect=expect, **more))
        return [str(problem) for problem in Agreement(load("one.yaml")).problems()]

    return checked


def test_what_follows_from_the_rules(check: Checked) -> None:
    assert check(
        '{phase: on, vantage: mts, target: "https://twitter.com/", outcome: tls.sni.rst, by: rule}\n'
        '{phase: off, target: ["https://twitter.com/", "dns://8.8.8.8/twitter.com"], outcome: ok}\n'
        '{phase: on, vantage: beeline, target: "https://twitter.com/", outcome: ok}'
    ) == []  # fmt: skip


def test_another_outcome_than_the_rules_give(check: Checked) -> None:
    expect = '{phase: on, vantage: mts, target: "https://twitter.com/", outcome: tls.sni.drop, by: rule}'
    (said,) = check(expect)
    assert said == (
        "one.yaml:17 expect[0]: https://twitter.com/: 'tls.sni.drop' by rule is expected, and the rules give "
        "'tls.sni.rst', by box/rule, from mts in phase on; write 'outcome: tls.sni.rst, by: rule', or change "
        "the rules"
    )


def test_an_effect_that_no_rule_has(check: Checked) -> None:
    expect = '{phase: on, vantage: mts, target: "https://www.bbc.com/", outcome: tls.sni.rst, by: rule}'
    (said,) = check(expect)
    assert said == (
        "one.yaml:17 expect[0]: https://www.bbc.com/: 'tls.sni.rst' by rule is expected, and the rules give "
        "'ok', and no rule acts, from mts in phase on; write 'outcome: ok', or change the rules"
    )


def test_places_with_the_same_fault_are_one_problem(check: Checked) -> None:
    free, reset = check('{target: "https://twitter.com/", outcome: broken}')
    assert free == (
        "one.yaml:17 expect[0]: https://twitter.com/: 'broken' is expected, and the rules give 'ok', and no "
        "rule acts, from mts and beeline in phase off; from beeline in phase on; write 'outcome: ok', or "
        "change the rules"
    )
    assert "give 'tls.sni.rst', by box/rule, from mts in phase on" in reset


def test_an_effect_over_one_ip_version(check: Checked) -> None:
    expect = '{phase: on, vantage: mts, target: "https://twitter.com/", outcome: ip.drop, by: rule}'
    four = "{ip: 104.244.42.0/24}", "drop"
    (said,) = check(expect, *four)
    assert "https://twitter.com/ over IPv6: 'ip.drop' by rule is expected, and the rules give 'ok'" in said
    assert said.endswith("give it 'ip: 4', and another expectation for 'ip: 6', or change the rules")
    only = expect.replace("outcome", "ip: 4, outcome")
    six = '{phase: on, vantage: mts, target: "https://twitter.com/", ip: 6, outcome: ok}'
    assert check(f"{only}\n{six}", *four) == []


def test_a_size_is_another_over_ipv6(check: Checked) -> None:
    """A SYN has 60 bytes over IPv4 and 80 over IPv6."""
    small = "{transport: tcp, ports: 80, opening: true, size: {max: 60}}", "drop"
    expect = "{phase: on, vantage: mts, target: 'http://twitter.com/', outcome: ip.drop, by: rule}"
    (said,) = [one for one in check(expect, *small) if "twitter" in one]
    assert "http://twitter.com/ over IPv6: 'ip.drop' by rule is expected, and the rules give 'ok'" in said
    assert said.endswith("give it 'ip: 4', and another expectation for 'ip: 6', or change the rules")


LIES = "{phase: on, vantage: mts, target: 'dns://8.8.8.8/twitter.com%s', outcome: dns.poison, by: rule}"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("a: []", ""),
        ("rcode: servfail", ""),
        ("a: [1.2.3.4]", "?type=AAAA"),
        ("aaaa: ['2001:db8::1']", "?type=A"),
    ],
)
def test_an_answer_without_an_address_poisons_nobody(check: Checked, answer: str, kind: str) -> None:
    (said,) = check(LIES % kind, "{dns.qname: twitter.com}", f"{{dns: {{{answer}}}}}")
    assert "'dns.poison' by rule is expected, and the rules give 'dns.error', by box/rule" in said


def test_a_lie_about_a_alone(check: Checked) -> None:
    """Over IPv6 the question is for AAAA: an empty answer is the same lie, if both versions are meant."""
    rule = "{dns.qname: twitter.com}", "{dns: {a: [1.2.3.4]}}"
    assert check(LIES % "", *rule) == []
    (said,) = check((LIES % "").replace("outcome", "ip: 6, outcome"), *rule)
    assert "the rules give 'dns.error'" in said
    other = "{dns.qname: twitter.com}", "{dns: {aaaa: ['2001:db8::1']}}"
    (said,) = check(LIES % "", *other)
    assert "the rules give 'dns.error'" in said


def test_a_harmed_control(check: Checked) -> None:
    (said,) = check("[]", "{tls.sni: vk.com}", "drop")
    assert said.startswith(
        "one.yaml:18 controls: https://vk.com/: 'ok' is expected, and the rules give 'tls.sni.drop'"
    )


def test_a_rate_and_a_size(check: Checked) -> None:
    target = "phase: on, vantage: mts, target: 'https://twitter.com/bytes/200000'"
    slow = f"{{{{{target}, outcome: throttle, by: rule, rate: {{}}}}}}"
    police = "{tls.sni: twitter.com}", "{police: {rate: 140 kbit/s}}"
    assert check(slow.format("120..150 kbit/s"), *police, profile="t21") == []
    (said,) = check(slow.format("300..400 kbit/s"), *police, profile="t21")
    assert "kbit/s; change 'rate', or the rule" in said.replace(", from mts in phase on", "")
    frozen = (
        '{{phase: on, vantage: mts, target: "https://twitter.com/", outcome: freeze, by: rule, received: {}}}'
    )
    freeze = "{tls.sni: twitter.com}", "{freeze: {octets: 16 KiB, count: down}}"
    assert check(frozen.format("12..20 KiB"), *freeze, profile="t25") == []
    (said,) = check(frozen.format("1..2 KiB"), *freeze, profile="t25")
    assert "change 'received', or the rule" in said


def test_a_share_of_the_tries(check: Checked) -> None:
    target = "phase: on, vantage: mts, target: 'https://twitter.com/'"
    share = f"{{{{{target}, outcome: tls.sni.rst, by: rule, tries: 10, share: {{}}}}}}"
    half = {"more": "miss: {rst-rewrite: 50 %}"}
    assert check(share.format("30..70 %"), **half) == []
    (said,) = check(share.format("90..100 %"), **half)
    assert (
        "'tls.sni.rst' is expected of 90..100 % of the tries at https://twitter.com/, and by the rules it is"
        in said
    )
    (said,) = check(share.format("30..70 %"))
    assert "it is 100 % of 100 tries" in said


def test_what_some_draws_give_is_accepted(check: Checked) -> None:
    half = {"more": "miss: {rst-rewrite: 50 %}"}
    for outcome in ("tls.sni.rst, by: rule", "ok"):
        expect = f'{{phase: on, vantage: mts, target: "https://twitter.com/", outcome: {outcome}}}'
        assert check(expect, **half) == []
    assert (
        check('{phase: on, vantage: mts, target: "https://twitter.com/", outcome: freeze, by: rule}', **half)
        != []
    )


def test_the_same_effect_by_another_rule(check):
    second = "- {name: second, match: {tls.sni: www.bbc.com}, action: rst-rewrite}"
    two = f"rst-rewrite\n      {second}"
    expect = '{{phase: on, vantage: mts, target: "https://twitter.com/", outcome: tls.sni.rst, by: {}}}'
    assert check(expect.format("rule"), action=two) == []
    (said,) = check(expect.format("second"), action=two)
    assert "'tls.sni.rst' by second is expected, and the rules give 'tls.sni.rst', by box/rule" in said


def test_a_server_whose_certificate_has_no_address(check: Checked) -> None:
    """And no ClientHello has an address as its name."""
    target = 'phase: on, vantage: mts, target: "https://104.244.42.1/"'
    assert check(f"{{{target}, outcome: broken}}") == []
    (said,) = check(f"{{{target}, outcome: ok}}")
    assert "'ok' is expected, and the rules give 'broken'" in said
    (said,) = check(f"{{{target}, outcome: tls.sni.drop, by: rule}}", "{tls.sni: 104.244.42.1}", "drop")
    assert "the rules give 'broken', and no rule acts" in said


def test_a_rule_that_acts_unseen_is_named(check: Checked) -> None:
    late = RESET[0], "{delay: {by: 10 ms}}"
    target = 'phase: on, vantage: mts, target: "https://twitter.com/"'
    (said,) = check(f"{{{target}, outcome: ok}}", *late)
    assert "'ok' is expected, and box/rule acts on its packets, from mts in phase on" in said
    assert said.endswith("write 'outcome: ok, by: rule', or change the rules")
    assert check(f"{{{target}, outcome: ok, by: rule}}", *late) == []


def test_a_share_of_tries_that_no_rule_meets(check: Checked) -> None:
    target = 'phase: on, vantage: mts, target: "https://www.bbc.com/"'
    (said,) = check(f"{{{target}, outcome: tls.sni.rst, by: rule, tries: 3, share: 0..100 %}}")
    assert "by the rules it is 0 % of 30 tries" in said
    assert said.endswith("expect 'ok', or change the rules")
