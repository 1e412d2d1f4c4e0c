"""Values of match keys that no packet can have are refused, with what to write instead."""

import pytest

from tests.scenario.conftest import Desk

STAR = "has a star that is at neither end"
WRONG = {  # match -> place below `match`, message, remedy
    '{http.url: "http://twitter.com/*/x"}': (
        ".http.url",
        STAR,
        "leave it out, or write a pattern for each part",
    ),
    '{http.url: "*a*b*"}': (".http.url", STAR, "leave it out, or write a pattern for each part"),
    '{ip: "::ffff:104.244.42.1"}': (".ip", "over IPv4 have IPv4 addresses", "write 104.244.42.1"),
    '{ip: "::ffff:104.244.42.0/120"}': (".ip", "over IPv4 have IPv4 addresses", "write 104.244.42.0/24"),
    '{ip: "2a00::1%eth0"}': (".ip", "has the zone of one machine", "write it without"),
    "{tls.sni: twitter.com.}": (".tls.sni", "ends in a dot, which no client sends", "write 'twitter.com'"),
    "{tls.sni: пример.рф}": (".tls.sni", "is not ASCII", "write it as on the wire: 'xn--e1afmkfd.xn--p1ai'"),
    '{tls.sni: "*a*b*"}': (".tls.sni", "is not a name pattern", "write example.com, "),
    '{dns.qname: "**"}': (".dns.qname", "matches no name", "write example.com, "),
}


@pytest.mark.parametrize("match", WRONG)
def test_is_refused(match: str, desk: Desk) -> None:
    problem = desk.rule_problem(match)
    place, message, remedy = WRONG[match]
    assert problem.place.startswith(f"x.yaml:10 censors.tspu.rules[0].match{place}")
    assert message in problem.message
    assert remedy in problem.remedy


def test_in_a_list_from_elsewhere_they_are_converted(desk: Desk) -> None:
    (desk.folder / "list.txt").write_text("192.0.2.1\n::ffff:104.244.42.1\n::ffff:104.244.0.0/112\n")
    scenario = desk.rule("{ip: {file: list.txt}}")()
    ((_, networks),) = scenario.phases["block"].placements[0].policy.rules[0].match.parts
    assert [str(one) for one in networks] == ["192.0.2.1/32", "104.244.42.1/32", "104.244.0.0/16"]
    assert scenario.remarks == ("list.txt: 2 of 3 lines converted: IPv4 addresses in the form of IPv6 (2)",)


def test_a_star_inside_a_published_page_is_a_star(desk: Desk) -> None:
    (desk.folder / "urls.txt").write_text("http://a.com/b*c\n")
    scenario = desk.rule("{http.url: {file: urls.txt}}")()
    ((_, urls),) = scenario.phases["block"].placements[0].policy.rules[0].match.parts
    assert urls.patterns == ("a.com/b*c",)
