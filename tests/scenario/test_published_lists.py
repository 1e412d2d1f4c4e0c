"""Lists as others publish them: read as what they mean, and how many lines is said."""

import pytest

from testbed.censor.names import NameMatcher
from testbed.censor.urls import UrlMatcher
from testbed.replay.policyfile import PolicyChoice, load_policy
from testbed.scenario.published import as_names, as_networks, as_url
from tests.scenario.conftest import Desk


@pytest.mark.parametrize(
    ("line", "entries"),
    [
        ("пример.рф", ("xn--e1afmkfd.xn--p1ai",)),
        ("*.пример.рф", ("*.xn--e1afmkfd.xn--p1ai",)),
        ("https://example.com/page?x=1", ("example.com",)),
        ("http://пример.рф:8080/", ("xn--e1afmkfd.xn--p1ai",)),
        ("example.com/page", ("example.com",)),
        ("example.com.", ("example.com",)),
        ("example.com:8443", ("example.com",)),
        (".example.com", ("example.com", "*.example.com")),
        ("domain:example.com", ("example.com", "*.example.com")),
        ("domain:example.com @cn @ads", ("example.com", "*.example.com")),
        ("full:www.example.com", ("www.example.com",)),
        ("keyword:casino", ("*casino*",)),
        ("||example.com^", ("example.com", "*.example.com")),
        ("||example.com^$third-party", ("example.com", "*.example.com")),
        ("regexp:^ads?\\.", ()),
        ("include:google", ()),
        ("192.0.2.0/24", ()),
        ("192.0.2.1/24", ()),
        ("2001:db8::1", ()),
        ("http://192.0.2.1/page", ()),
    ],
)
def test_a_line_as_names(line: str, entries: tuple[str, ...]) -> None:
    found = as_names(line)
    assert found is not None
    assert found.entries == entries
    assert found.how


@pytest.mark.parametrize("line", ["a b.com", "a..b", "**", "domain:a b", "full:", "пример .рф", "a*.com"])
def test_a_line_that_is_no_name(line: str) -> None:
    assert as_names(line) is None


@pytest.mark.parametrize(
    ("line", "entries"),
    [
        ("192.0.2.1/24", ("192.0.2.0/24",)),
        ("192.0.2.0-192.0.2.255", ("192.0.2.0/24",)),
        ("192.0.2.1 - 192.0.2.3", ("192.0.2.1/32", "192.0.2.2/31")),
        ("http://192.0.2.1/page", ("192.0.2.1/32",)),
        ("http://example.com/", ()),
        ("example.com", ()),
        ("пример.рф", ()),
    ],
)
def test_a_line_as_networks(line: str, entries: tuple[str, ...]) -> None:
    found = as_networks(line)
    assert found is not None
    assert found.entries == entries


@pytest.mark.parametrize("line", ["192.0.2.400", "192.0.2.9-192.0.2.1", "1.2.3.4-2001:db8::1", "a b"])
def test_a_line_that_is_no_network(line: str) -> None:
    found = as_networks(line)
    assert found is None or not found.entries


@pytest.mark.parametrize(
    ("line", "entries"),
    [
        ("http://Example.com/Page", ("example.com/Page",)),
        ("example.com/page#top", ("example.com/page",)),
        ("http://example.com", ("example.com/",)),
        ("http://example.com:80/", ("example.com/",)),
        ("http://example.com:8080/", ("example.com:8080/",)),
        ("http://пример.рф/стр", ("xn--e1afmkfd.xn--p1ai/%D1%81%D1%82%D1%80",)),
        ("http://example.com/*", ("example.com/*",)),
        ("*/page", ("*/page",)),
        ("https://example.com/page", ()),
    ],
)
def test_a_line_as_a_url(line: str, entries: tuple[str, ...]) -> None:
    found = as_url(line)
    assert found is not None
    assert found.entries == entries


@pytest.mark.parametrize("line", ["ftp://example.com/", "http://", "http://a b/"])
def test_a_line_that_is_no_url(line: str) -> None:
    assert as_url(line) is None


def test_urls_are_compared_whole_by_beginning_end_and_part() -> None:
    urls = UrlMatcher(("a.com/page", "b.com/dir/*", "*/last", "*casino*"))
    seen = ["a.com/page", "b.com/dir/", "b.com/dir/x?y", "x.com/last", "x.com/casino/1"]
    unseen = ["", "a.com/page2", "a.com/", "b.com/dir", "x.com/last/"]
    assert [url in urls for url in seen] == [True] * len(seen)
    assert [url in urls for url in unseen] == [False] * len(unseen)


FIELD_16 = "twitter.com\nпример.рф\n"


def test_a_list_of_names_is_read_and_counted(desk: Desk) -> None:
    (desk.folder / "names.txt").write_text(FIELD_16 + "https://a.com/x\ndomain:b.com\n10.0.0.0/8\n")
    scenario = desk.rule("{tls.sni: {file: names.txt}}")()
    names = scenario.phases["block"].placements[0].policy.rules[0].match["tls.sni"]
    listed = NameMatcher(names.patterns)
    assert [name in listed for name in ("xn--e1afmkfd.xn--p1ai", "a.com", "x.b.com", "c.com")] == [
        True
    ] * 3 + [False]
    (remark,) = scenario.remarks
    assert remark.startswith("names.txt: 4 of 5 lines converted: names outside ASCII, as IDNA (1); ")
    assert "addresses or prefixes, left out: they belong under ip (1)" in remark
    assert remark.partition(": ")[2] in names.source


def test_a_list_in_our_own_form_is_not_remarked_upon(desk: Desk) -> None:
    (desk.folder / "names.txt").write_text("twitter.com\n*.a.com\n")
    assert desk.rule("{tls.sni: {file: names.txt}}")().remarks == ()


def test_one_list_for_names_and_addresses(desk: Desk) -> None:
    (desk.folder / "registry.txt").write_text(
        "a.com\n192.0.2.0/24\nhttp://b.com/x\n198.51.100.1-198.51.100.2\n"
    )
    more = "      - {name: two, match: {tls.sni: {file: registry.txt}}, action: drop}\n"
    more += "      - {name: three, match: {http.url: {file: urls.txt}}, action: drop}\n"
    (desk.folder / "urls.txt").write_text("http://b.com/x\nhttps://c.com/\n")
    scenario = desk.rule("{ip: {file: registry.txt}, data: true}", more=more)()
    rules = scenario.phases["block"].placements[0].policy.rules
    assert [str(each) for each in rules[0].match["ip"]] == [
        "192.0.2.0/24",
        "198.51.100.1/32",
        "198.51.100.2/32",
    ]
    assert rules[1].match["tls.sni"].patterns == ("a.com", "b.com")
    assert rules[2].match["http.url"].patterns == ("b.com/x",)
    assert len(scenario.remarks) == 3


def test_lines_that_nobody_understands_are_refused_with_their_place(desk: Desk) -> None:
    (desk.folder / "names.txt").write_text("a.com\nпример.рф\nc d\n")
    problem = desk.rule_problem("{tls.sni: {file: names.txt}}")
    assert (problem.place, "contains a space" in problem.message) == ("names.txt:3", True)


def test_a_list_of_which_nothing_is_left(desk: Desk) -> None:
    (desk.folder / "names.txt").write_text("10.0.0.0/8\n")
    problem = desk.rule_problem("{tls.sni: {file: names.txt}}")
    assert problem.message.startswith("no line is left; 1 of 1 lines converted")


def test_a_replay_is_told_as_well(desk: Desk) -> None:
    (desk.folder / "field-16-cyrillic.txt").write_text(FIELD_16)
    rules = (
        "profile: t22\nrules:\n  - {name: l, match: {tls.sni: {file: field-16-cyrillic.txt}}, action: drop}\n"
    )
    (desk.folder / "rules.yaml").write_text(rules)
    said: list[str] = []
    policy = load_policy(PolicyChoice("rules.yaml"), said.append)
    assert policy.rules[0].match["tls.sni"].patterns == ("twitter.com", "xn--e1afmkfd.xn--p1ai")
    assert said == ["field-16-cyrillic.txt: 1 of 2 lines converted: names outside ASCII, as IDNA (1)"]


DUMP = """Updated: 2022-03-04 10:00:00 +0000
192.0.2.1 | 192.0.2.2;example.com;http://example.com/a#b | https://example.com/c;ФНС;2-6-27;2016-04-21
198.51.100.0/24;;;Генпрокуратура;27-31;2018-04-16
;*.пример.рф;;МВД;1;2020-01-01
203.0.113.7;;http://b.com/page;суд;5;2019-05-05
"""


@pytest.mark.parametrize("coding", ["windows-1251", "utf-8"])
def test_the_registrys_own_dump(coding: str, desk: Desk) -> None:
    (desk.folder / "dump.csv").write_bytes(DUMP.encode(coding))
    more = "      - {name: two, match: {tls.sni: {file: dump.csv}}, action: drop}\n"
    more += "      - {name: three, match: {http.url: {file: dump.csv}}, action: drop}\n"
    scenario = desk.rule("{ip: {file: dump.csv}, data: true}", more=more)()
    networks, names, urls = (
        next(iter(rule.match.values())) for rule in scenario.phases["block"].placements[0].policy.rules
    )
    assert [str(each) for each in networks] == [
        "192.0.2.1/32",
        "192.0.2.2/32",
        "198.51.100.0/24",
        "203.0.113.7/32",
    ]
    assert names.patterns == ("example.com", "*.xn--e1afmkfd.xn--p1ai", "b.com")
    assert urls.patterns == ("example.com/a", "b.com/page")
    assert any("without a name, left out (1)" in remark for remark in scenario.remarks)
