"""Patterns of pages with large letters: hosts compare without regard to case, paths as they were sent."""

import pytest

from testbed.censor.urls import UrlMatcher
from testbed.scenario.namelists import url_patterns


@pytest.mark.parametrize(
    ("written", "url", "fits"),
    [
        ("*Twitter*", "twitter.com/", True),
        ("*Twitter*", "a.com/Twitter", True),
        ("*Twitter*", "a.com/twitter", False),
        ("*TWITTER.com/x", "twitter.com/x", True),
        ("*TWITTER.com/x", "m.twitter.com/x", True),
        ("*TWITTER.com/x", "twitter.com/xy", False),
        ("*TWITTER.com/x", "twitter.com/X", False),
        ("*TWITTER.com/x", "a.com/twitter.com/x", False),
        ("*TWITTER.com/x", "a.com/TWITTER.com/x", True),
        ("*TWITTER.com/x*", "m.twitter.com/xy", True),
        ("*TWITTER.com/x*", "a.com/twitter.com/x", False),
        ("*Page", "page.com/", False),
        ("http://TWITTER.com/X", "twitter.com/X", True),
        ("*пример.рф/x", "xn--e1afmkfd.xn--p1ai/x", True),
        ("*Пример.рф/x", "xn--e1afmkfd.xn--p1ai/x", True),
        ("*/пример", "a.com/%D0%BF%D1%80%D0%B8%D0%BC%D0%B5%D1%80", True),
    ],
)
def test_capitals_and_other_letters(written: str, url: str, *, fits: bool) -> None:
    assert (url in UrlMatcher(url_patterns(written))) is fits
