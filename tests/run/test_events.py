"""Which rules were triggered by which flows, read from events.jsonl."""

from testbed.run.events import PassedName, ends_of, passed_names, rules_by_flow, rules_matched

LINES = """\
{"t": 1.0, "censor": "mts/tspu", "kind": "match", "rule": "sni", "flow": "tcp a:1 > b:443", "detail": {}}
{"t": 1.1, "censor": "mts/tspu", "kind": "miss", "rule": "sni", "flow": "tcp a:2 > b:443", "detail": {}}
{"t": 1.2, "censor": "mts/isp", "kind": "match", "rule": "page", "flow": "tcp a:1 > b:443", "detail": {}}
{"t": 1.3, "censor": "mts/tspu", "kind": "match", "rule": "sni", "flow": "tcp a:3 > b:443", "detail": {}}
{"t": 1.4, "censor": "mts/tspu", "kind": "ma"""


def test_a_flow_has_its_rules_and_a_line_cut_short_is_left_out(tmp_path):
    file = tmp_path / "events.jsonl"
    file.write_text(LINES)
    assert rules_by_flow(file) == {
        "tcp a:1 > b:443": ("mts/tspu/sni", "mts/isp/page"),
        "tcp a:3 > b:443": ("mts/tspu/sni",),
    }
    assert rules_matched(file) == {"mts/tspu/sni": 2, "mts/isp/page": 1}


def test_from_a_place_in_the_file_on(tmp_path):
    file = tmp_path / "events.jsonl"
    file.write_text(LINES)
    start = LINES.index('{"t": 1.2')
    assert rules_matched(file, start) == {"mts/isp/page": 1, "mts/tspu/sni": 1}


def test_the_addresses_of_a_flow():
    assert ends_of("tcp 10.0.0.2:40000 > 192.0.2.1:443") == ("10.0.0.2", "192.0.2.1")
    assert ends_of("udp [2001:db8::2]:53 > [2001:db8::1]:443") == ("2001:db8::2", "2001:db8::1")
    assert ends_of("") == ("", "")


UNREAD = """\
{"t": 1, "censor": "mts/tspu", "kind": "unread", "rule": "sni", "flow": "tcp a:1 > b:443", "detail": {"name": "x.com", "why": "split"}}
{"t": 2, "censor": "mts/tspu", "kind": "unread", "rule": "sni", "flow": "tcp a:2 > b:443", "detail": {"name": "x.com", "why": "split"}}
{"t": 3, "censor": "mts/tspu", "kind": "unread", "rule": "sni", "flow": "tcp twin:2 > b:443", "detail": {"name": "y.com", "why": "split"}}
{"t": 4, "censor": "mts/tspu", "kind": "miss", "rule": "sni", "flow": "tcp a:3 > b:443", "detail": {"name": "z.com"}}
{"t": 5, "censor": "mts/tspu", "kind": "match", "rule": "sni", "flow": "tcp a:4 > b:443", "detail": {"name": "w.com"}}
"""  # noqa: E501


def test_names_that_passed_although_they_are_listed(tmp_path):
    file = tmp_path / "events.jsonl"
    file.write_text(UNREAD)
    found = passed_names(file, {"twin"})
    assert found == (
        PassedName("x.com", "mts/tspu/sni", "split"),
        PassedName("z.com", "mts/tspu/sni", "the box missed it, as its share of misses says"),
    )
    assert str(found[0]) == "x.com passed mts/tspu/sni: split"
