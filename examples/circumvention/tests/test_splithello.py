"""splithello against filters that were: what it gets through, and what it does not."""

import sys
from pathlib import Path

import pytest
from splithello import cut

from testbed.testing import assert_blocked, assert_free

PROXY = str(Path(__file__).parents[1] / "splithello.py")
SCRIPT = """
"$1" "$2" 8443 > ready & proxy=$!
until [ -s ready ]; do sleep 0.05; done
curl -sS -o /dev/null -m 20 --proxy http://127.0.0.1:8443 "$3"; status=$?
kill $proxy; exit $status
"""


@pytest.fixture
def through(vantage, tmp_path):
    """A function: curl through the proxy, both as the subscriber."""

    def run(url):
        return vantage.run(["sh", "-c", SCRIPT, "sh", sys.executable, PROXY, url], cwd=tmp_path)

    return run


def test_the_name_is_cut_in_two():
    first, second = cut(b"..twitter.com..", "twitter.com")
    assert (first, second) == (b"..twitt", b"er.com..")


@pytest.mark.scenario("twitter-facebook-block-2022-03", phase="block", vantage=["mts", "obit"])
def test_it_is_needed_and_it_helps(vantage, through):
    url = "https://twitter.com/"
    assert_blocked(vantage.run(["curl", "-sS", "-m", "20", url]), by="social-reset")
    assert_free(through(url))


@pytest.mark.scenario("twitter-facebook-block-2022-03", phase="block", vantage="mts", model=["T", "R"])
def test_it_does_not_help_against_a_box_that_reassembles(through, scenario_case):
    result = through("https://twitter.com/")
    if scenario_case.model == "R":
        assert_blocked(result, by="social-reset")
        assert result.returncode != 0
    else:
        assert_free(result)


@pytest.mark.scenario("twitter-facebook-block-2022-03", phase="block", vantage="rostelecom")
def test_a_lie_in_dns_it_cannot_help(through):
    assert_blocked(through("https://www.bbc.com/"), by="bbc-sinkhole")


@pytest.mark.scenario("twitter-facebook-block-2022-03", phase="block", vantage="mts")
def test_the_hello_leaves_in_two_segments(through, captures):
    through("https://twitter.com/")
    sent = [one.raw[one.raw[0] % 16 * 4 :] for one in captures() if one.up and one.raw[9] == 6]
    data = [segment[segment[12] // 16 * 4 :] for segment in sent]
    first, second = [piece for piece in data if piece][:2]
    assert first[:3] == b"\x16\x03\x01"
    assert b"twitter.com" not in first
    assert b"twitter.com" not in second
    assert b"twitter.com" in first + second
