"""What the first version promises on the command line, with unmodified programs as clients."""

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.acceptance.conftest import TESTBED, Done

pytestmark = pytest.mark.world
Run = Callable[..., Done]

SPEED = ("curl", "-s", "-o", "/dev/null", "-w", "%{speed_download}\\n")
TWIMG = "https://abs.twimg.com/bytes/400000"


def kbit(done: Done) -> float:
    assert done.status == 0, done.err
    return float(done.out) * 8 / 1000


@pytest.mark.parametrize(
    ("version", "octets", "most"), [("-4", 400_000, 150), ("-6", 150_000, 165)], ids=["IPv4", "IPv6"]
)
def test_twitter_crawls_on_beeline(testbed: Run, version: str, octets: int, most: int) -> None:
    """The shorter the transfer, the more of it passes at once while the bucket is full."""
    url = f"https://abs.twimg.com/bytes/{octets}"
    phase = ("twitter-throttling-2021", "--phase", "substring")
    done = testbed(*phase, "--vantage", "beeline", "--", *SPEED, version, url)
    assert 130 <= kbit(done) <= most


def test_rostelecom_is_clean_and_so_is_a_name_that_is_not_listed(testbed: Run) -> None:
    clean = testbed(
        "twitter-throttling-2021", "--phase", "substring", "--vantage", "rostelecom", "--", *SPEED, TWIMG
    )
    assert kbit(clean) > 2_000
    neutral = TWIMG.replace("abs.twimg.com", "speed.example.net")
    same_address = testbed(
        "twitter-throttling-2021", "--phase", "substring", "--vantage", "beeline", "--", *SPEED, neutral
    )
    assert kbit(same_address) > 2_000


def test_upload_crawls_likewise(testbed: Run, tmp_path: Path) -> None:
    photo = tmp_path / "photo"
    photo.write_bytes(bytes(200_000))
    up = ("curl", "-s", "-o", "/dev/null", "-w", "%{speed_upload}\\n", "-T", str(photo))
    listed = testbed(
        "twitter-throttling-2021", "--vantage", "beeline", "--", *up, "https://upload.twitter.com/upload"
    )
    assert 125 <= kbit(listed) <= 170  # the first 16 KB of a short upload pass in the bucket
    neutral = testbed(
        "twitter-throttling-2021", "--vantage", "beeline", "--", *up, "https://speed.example.net/upload"
    )
    assert kbit(neutral) > 1_000


def test_twitter_is_reset_and_vk_is_fine_in_the_same_world(testbed: Run) -> None:
    both = "curl -sS https://twitter.com/; echo $?; curl -sS -o /dev/null https://vk.com/; echo $?"
    done = testbed("twitter-facebook-block-2022-03", "--vantage", "mts", "--", "sh", "-c", both)
    assert done.out.split() == ["35", "0"]
    assert "reset" in done.err.lower()
    alone = testbed(
        "twitter-facebook-block-2022-03", "--vantage", "mts", "--", "curl", "-sS", "https://twitter.com/"
    )
    assert alone.status == 35, "the command's own exit status"


def test_without_a_censor_the_same_command_works(testbed: Run) -> None:
    done = testbed(
        "free-network", "--vantage", "mts", "--", "curl", "-sS", "-o", "/dev/null", "https://twitter.com/"
    )
    assert (done.status, done.out) == (0, "")


def test_five_runs_make_the_same_decisions(testbed: Run) -> None:
    twice = "curl -s -m 1 -o /dev/null https://twitter.com/; curl -s -o /dev/null https://vk.com/"
    script = f"for n in 1 2 3; do {twice}; done"
    seen = []
    for _ in range(5):
        done = testbed(
            "twitter-facebook-2022-02", "--vantage", "tele2", "--seed", "7", "--", "sh", "-c", script
        )
        assert done.summary["valid"], done.summary
        seen.append([(e["censor"], e["kind"], e["rule"], str(e["detail"])) for e in done.events])
    assert seen[0], "something must have happened"
    assert all(events == seen[0] for events in seen)


def test_two_scenarios_at_the_same_time(testbed: Run) -> None:
    throttled = (
        "twitter-throttling-2021",
        "--vantage",
        "mts",
        "--",
        *SPEED,
        "https://abs.twimg.com/bytes/100000",
    )
    reset = ("twitter-facebook-block-2022-03", "--vantage", "mts", "--", "curl", "-s", "https://twitter.com/")
    with ThreadPoolExecutor() as pool:
        slow, dead = pool.map(lambda args: testbed(*args), (throttled, reset))
    assert 130 <= kbit(slow) <= 180  # a sixth of so short a transfer passes in the bucket
    assert dead.status == 35


@pytest.mark.parametrize("name", ["free-network", "linkedin-ban-2016", "twitter-facebook-block-2022-03"])
def test_a_whole_scenario_is_as_expected(testbed: Run, name: str) -> None:
    done = testbed(name, timeout=110)
    assert done.status == 0, done.out + done.err
    assert done.summary["valid"]


def test_command_line_without_a_scenario_suggests_one() -> None:
    done = subprocess.run(
        [TESTBED, "run", "twiter-throttling-2021"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "twitter-throttling-2021" in done.stderr
    assert "Traceback" not in done.stderr
