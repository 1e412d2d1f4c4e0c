"""Which rules were triggered by which flows, read from events.jsonl."""

from testbed.run.events import rules_by_flow, rules_matched

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
