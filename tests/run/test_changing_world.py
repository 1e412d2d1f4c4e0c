"""Phases that change sites and links of a standing world, which is not built again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import open_world
from testbed.run.open import StandingWorld

pytestmark = pytest.mark.world

SCENARIO = """\
title: Links and sites that change
period: any
sources: [our choice]
operators: [mts, beeline]
phases:
  usual: {}
  dead: {links: {mts: {backbone: {dead: true}}}, sites: {ok.ru: {behaviour: {status: 503}}}}
  slow: {links: {mts: {access: {rate: 400 kbit/s}, backbone: {dead: ipv6}}}}
default_phase: usual
expect:
  - {phase: dead, vantage: mts, target: "https://vk.com/", outcome: outage}
controls: ["https://vk.com/"]
"""


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingWorld]:
    folder: Path = tmp_path_factory.mktemp("changing")
    (folder / "changing.yaml").write_text(SCENARIO)
    with open_world(
        folder / "changing.yaml", name="changing", vantages=("mts", "beeline"), timeout=5, out=folder / "run"
    ) as world:
        yield world


def status(world: StandingWorld, url: str, vantage: str = "mts", *options: str) -> str:
    """What curl says of a page: its status, or 000; with the seconds that it took."""
    form = "%{http_code} %{time_total}"
    done = world.run(
        ["curl", "-s", "-o", "/dev/null", "-m", "8", "-w", form, *options, url],
        vantage=vantage,
        capture_output=True,
        text=True,
    )
    return str(done.stdout)


def code(world: StandingWorld, url: str, vantage: str = "mts", *options: str) -> str:
    return status(world, url, vantage, *options).split()[0]


def seconds(world: StandingWorld, url: str) -> float:
    done, taken = status(world, url).split()
    assert done == "200"
    return float(taken)


def test_links_and_sites_change_with_the_phase(standing: StandingWorld) -> None:
    assert (code(standing, "https://ok.ru/"), code(standing, "https://ok.ru/", "mts", "-6")) == ("200", "200")

    standing.phase("dead")
    assert code(standing, "https://ok.ru/", "mts", "-m", "1") == "000"
    assert (
        code(standing, "https://ok.ru/", "beeline") == "503"
    )  # the site changed, this operator's links did not
    assert code(standing, "https://vk.com/", "beeline") == "200"

    ended = standing.phase("slow")
    assert ended.problems == ()
    assert ended.controls["mts"] == {"https://vk.com/": "outage"}
    assert ended.controls["beeline"] == {"https://vk.com/": "ok"}
    limited = seconds(standing, "https://ok.ru/bytes/60000")
    assert limited > 0.9  # 60 kB at 400 kbit/s last 1.2 s, less the burst
    assert code(standing, "https://ok.ru/", "mts", "-6", "-m", "1") == "000"
    assert code(standing, "https://ok.ru/", "beeline", "-6") == "200"

    standing.phase("usual")
    assert min(seconds(standing, "https://ok.ru/bytes/60000") for _ in range(3)) < limited
    assert code(standing, "https://ok.ru/", "mts", "-6") == "200"
