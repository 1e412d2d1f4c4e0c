"""What an expectation may say beside its outcome, from the file to JSON and to a line of text."""

import pytest

from testbed.errors import InputError
from testbed.internet.pages import MAX_BYTES, MAX_BYTES_HTTP3
from testbed.measurement.kinds import parse
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


@pytest.mark.parametrize("key", ["phase", "vantage", "target"])
def test_an_expectation_for_nothing(desk, key):
    given = {"phase": "block", "vantage": "mts", "target": '"https://twitter.com/"'} | {key: "[]"}
    line = "{" + ", ".join(f"{one}: {value}" for one, value in given.items()) + ", outcome: ok}"
    with pytest.raises(InputError) as caught:
        desk.load(EXPECT, f"{EXPECT}\n  - {line}")
    (problem,) = caught.value.problems
    assert f"an expectation for no {key} tests nothing" in str(problem)
    assert f"expect[1].{key}" in str(problem)


def test_a_control_that_is_expected_to_be_harmed(desk):
    with pytest.raises(InputError) as caught:
        desk.load("https://vk.com/", "https://twitter.com/")
    assert "is a control, and 'tls.sni.rst' is expected of it from mts" in str(caught.value)


@pytest.mark.parametrize("number", ["-1", "x", "", str(MAX_BYTES + 1), "9" * 30])
def test_a_download_of_no_number(number):
    with pytest.raises(InputError, match="does not say how much to download"):
        parse(f"https://www.bbc.com/bytes/{number}")


def test_downloads_end_where_the_servers_do():
    for scheme, most in (("https", MAX_BYTES), ("h3", MAX_BYTES_HTTP3)):
        assert parse(f"{scheme}://www.bbc.com/bytes/{most}").bulk
        with pytest.raises(InputError):
            parse(f"{scheme}://www.bbc.com/bytes/{most + 1}")
