"""What an expectation may say beside its outcome, from the file to JSON and to a line of text."""

from testbed.scenario.summary import expectation_lines
from testbed.scenario.tojson import to_json

EXPECT = '{phase: block, vantage: mts, target: "https://twitter.com/", outcome: tls.sni.rst, by: reset}'
SEVERAL = """\
{phase: block, vantage: mts, target: "https://twitter.com/", ip: 4, outcome: tls.sni.rst, by: reset, \
tries: 20, share: 30..70 %}
  - {phase: block, vantage: mts, target: "https://twitter.com/", ip: 6, outcome: ok}
  - {phase: block, vantage: mts, target: "https://twitter.com/bytes/70000", outcome: freeze, \
received: 12..20 KiB, by: reset}"""


def test_from_the_file_to_json_and_to_text(desk):
    scenario = desk.load(EXPECT, SEVERAL)
    found = [
        {key: one[key] for key in ("outcome", "received", "ip", "tries", "share")}
        for one in to_json(scenario)["expect"]
    ]
    assert found[:3] == [
        {"outcome": "tls.sni.rst", "received": None, "ip": 4, "tries": 20, "share": [0.3, 0.7]},
        {"outcome": "ok", "received": None, "ip": 6, "tries": 1, "share": None},
        {"outcome": "freeze", "received": [12288, 20480], "ip": None, "tries": 1, "share": None},
    ]
    lines = expectation_lines(scenario)
    assert "tls.sni.rst in 30-70 % of 20 tries over IPv4  https://twitter.com/" in lines[0]
    assert "ok over IPv6  https://twitter.com/" in lines[1]
    assert "freeze after 12288-20480 bytes  https://twitter.com/bytes/70000" in lines[2]
