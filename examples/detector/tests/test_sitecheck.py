"""sitecheck in three Russian networks that were: each test with its own world, and a world shared by all."""

import json
import sys
from pathlib import Path

import pytest
from sitecheck import check

from testbed.testing import assert_blocked, assert_free

PROGRAM = [sys.executable, str(Path(__file__).parents[1] / "sitecheck.py")]
SYN, RST, ACK = 2, 4, 16


def port(segment, at):
    return int.from_bytes(segment[at : at + 2], "big")


@pytest.mark.scenario("twitter-facebook-block-2022-03", phase="block", vantage="mts")
def test_a_reset_is_found(vantage, truth):
    url = "https://twitter.com/"
    result = vantage.run([*PROGRAM, url])
    assert_blocked(result, by="social-reset")
    assert json.loads(result.stdout)["mechanism"] == truth[url].outcome


@pytest.mark.scenario("twitter-facebook-block-2022-03", phase="block", vantage="mts")
def test_a_site_that_works_is_free(vantage):
    result = vantage.run([*PROGRAM, "https://vk.com/"])
    assert_free(result)
    assert json.loads(result.stdout)["verdict"] == "free"


@pytest.mark.scenario("twitter-facebook-block-2022-03", phase="block", vantage="mts")
def test_the_reset_is_in_the_packets(vantage, captures):
    vantage.run([*PROGRAM, "https://twitter.com/"])
    packets = captures()
    tcp = [(one.up, one.raw[one.raw[0] % 16 * 4 :]) for one in packets if one.raw[9] == 6]
    flags = [(up, segment[13]) for up, segment in tcp if 443 in (port(segment, 0), port(segment, 2))]
    assert flags[:2] == [(True, SYN), (False, SYN | ACK)]
    assert (False, RST | ACK) in flags
    assert captures.file.stat().st_size > sum(len(one.raw) for one in packets)


@pytest.mark.scenario("twitter-facebook-block-2022-03", phase="block", vantage="mts")
def test_the_function_itself_runs_as_the_subscriber(vantage):
    found = vantage.call(lambda: check("https://www.dw.com/"))
    assert (found["verdict"], found["mechanism"]) == ("blocked", "tls.mitm")


@pytest.mark.scenario("twitter-throttling-2021", phase=["before", "exact"], vantage="mts")
def test_throttling(vantage, truth, receipts):
    result = vantage.run([*PROGRAM, "https://abs.twimg.com/bytes/60000"])
    found = json.loads(result.stdout)
    if truth["https://abs.twimg.com/bytes/140000"].outcome == "throttle":
        assert_blocked(result, by="twitter-policer")
        assert "throttle" in found["mechanism"]
        assert sum(receipts().values()) > 0
    else:
        assert_free(result)
        assert found["verdict"] == "free"
