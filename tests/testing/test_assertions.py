"""Assertions about commands, and what the marker means. No world is needed."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.errors import InputError
from testbed.testing import VantageResult, assert_blocked, assert_free
from testbed.testing.cases import cases_of

RULE = "mts/tspu-mts/social-reset"


def result(*rules: str, status: int = 0, passed: tuple[str, ...] = ()) -> VantageResult:
    return VantageResult(
        args=["curl", "https://twitter.com/"], returncode=status, stdout="", stderr="curl: (35) reset",
        scenario="s", phase="block", vantage="mts", rules=rules, passed=passed,
        known=(RULE, "mts/tspu-mts/news-drop"),
    )  # fmt: skip


def test_blocked_by_a_rule() -> None:
    assert_blocked(result(RULE))
    assert_blocked(result(RULE), by="social-reset")
    assert_blocked(result(RULE), by="tspu-mts/social-reset")


@pytest.mark.parametrize(
    ("seen", "by", "message"),
    [
        (result(), None, "no rule acted on the command's packets"),
        (result(), "social-reset", "rule 'social-reset' did not act"),
        (result(RULE), "news-drop", "rule 'news-drop' did not act"),
        (result(RULE), "social-rest", "there is no rule 'social-rest' here; did you mean 'social-reset'"),
    ],
)
def test_not_blocked(seen: VantageResult, by: str | None, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        assert_blocked(seen, by=by)


def test_a_failure_explains_itself() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_blocked(result(status=35, passed=("twitter.com passed mts/x/y: two segments",)))
    assert str(caught.value).splitlines() == [
        "no rule acted on the command's packets",
        "command     curl https://twitter.com/",
        "at          mts in s/block",
        "exit status 35",
        "rules met   none",
        f"rules here  {RULE}, mts/tspu-mts/news-drop",
        "passed      twitter.com passed mts/x/y: two segments",
        "stderr      curl: (35) reset",
    ]


def test_of_commands_at_once_nobody_knows_whose_rule_it_was() -> None:
    both = replace(result(RULE), alone=False)
    for assertion in (assert_blocked, assert_free):
        with pytest.raises(AssertionError, match="several commands ran at once"):
            assertion(both)
    assert_free(replace(result(), alone=False))


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("def test_x(): pass", "has the marker scenario and none of its fixtures"),
        ("@pytest.mark.scenario('free-network')\ndef test_x(truth): pass", "has the marker scenario twice"),
    ],
)
def test_a_marker_that_would_do_nothing_is_refused(tmp_path: Path, text: str, refusal: str) -> None:
    (tmp_path / "test_mine.py").write_text(f"import pytest\n@pytest.mark.scenario('no-such')\n{text}\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "/dev/null", "test_mine.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, refusal in done.stdout + done.stderr) == (2, True), done.stdout + done.stderr


def _pause() -> None:
    time.sleep(0.5)


@pytest.mark.world
@pytest.mark.scenario("twitter-facebook-block-2022-03", vantage="mts")
def test_commands_at_once_in_a_world(vantage) -> None:
    blocked, free = ["curl", "-sS", "https://twitter.com/"], ["sh", "-c", "sleep 1; curl -sS https://vk.com/"]
    with ThreadPoolExecutor(2) as pool:
        both = [*pool.map(vantage.run, (blocked, free))]
        called = pool.submit(vantage.call, _pause)
        assert not vantage.run(free).alone
        called.result()
    assert [(one.returncode, bool(one.rules), one.alone) for one in both] == [
        (35, True, False),
        (0, True, False),
    ]
    one_by_one = [vantage.run(each) for each in (blocked, free)]
    assert [one.alone for one in one_by_one] == [True, True]
    assert_blocked(one_by_one[0], by="social-reset")
    assert_free(one_by_one[1])


def test_free() -> None:
    assert_free(result())
    with pytest.raises(AssertionError, match="a rule acted"):
        assert_free(result(RULE))
    with pytest.raises(AssertionError, match="the command failed all the same"):
        assert_free(result(status=6))


def meant(*args: object, **given: object) -> list[tuple[str, str, str]]:
    return [(case.phase, case.vantage, name) for case, name in cases_of(args, given)]


def test_what_the_marker_means() -> None:
    throttling = "twitter-throttling-2021"
    assert meant(throttling) == [("substring", "rostelecom", "")]
    assert meant(throttling, phase="2021-04-10", vantage="beeline") == [("exact", "beeline", "")]
    assert meant(throttling, phase=["before", "exact"], vantage=["mts", "beeline"]) == [
        ("before", "mts", "before-mts"), ("before", "beeline", "before-beeline"),
        ("exact", "mts", "exact-mts"), ("exact", "beeline", "exact-beeline"),
    ]  # fmt: skip
    assert {phase for phase, _, _ in meant(throttling, phase="all")} >= {"before", "substring", "exact"}
    assert len(meant(throttling, phase="exact", vantage="all", model=["D", "R"])) % 2 == 0


@pytest.mark.parametrize(
    ("args", "given", "message"),
    [
        (["twitter-throtling-2021"], {}, "did you mean 'twitter-throttling-2021'"),
        (["twitter-throttling-2021"], {"phase": "exakt"}, "did you mean 'exact'"),
        (["twitter-throttling-2021"], {"fase": "exact"}, "did you mean 'phase'"),
        ([], {}, "0 names"),
    ],
)
def test_what_it_cannot_mean(args: list[str], given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(cases_of(args, given))
