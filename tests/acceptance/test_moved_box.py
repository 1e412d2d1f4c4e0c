"""A box of a standing world that is moved or changed: where it works then, and what is recorded of it."""

import json
import re
from collections.abc import Iterator

import pytest

from testbed import open_world
from testbed.errors import InputError
from testbed.run.open import StandingWorld
from testbed.run.requests import change_box

pytestmark = pytest.mark.world
BOX, RULE = "mts/tspu-substring", "mts/tspu-substring/twitter-policer"
CURL = ["curl", "-sS", "-o", "/dev/null", "https://abs.twimg.com/bytes/30000"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingWorld]:
    folder = tmp_path_factory.mktemp("console")
    (folder / "runtime").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("SHELL", "/bin/bash")
        made = open_world("twitter-throttling-2021", vantages=["mts"], out=folder / "run", name="w")
        yield made
        assert made.close().valid, made.close().problems


def test_a_moved_box_works_where_it_is_and_leaves_a_receipt(world: StandingWorld) -> None:
    world.run(CURL, vantage="mts", check=True)
    name, receipt = change_box("w", BOX, hop=4)
    assert (name, receipt["from"], receipt["phase"]) == ("w", "substring", "substring~1")
    assert receipt["change"] == f"{BOX}: from hop 2 to hop 4"
    assert RULE in receipt["ended"]["fired"]  # at hop 2
    world.run(CURL, vantage="mts", check=True)
    ended = world.phase("before")
    assert ended.phase == "substring~1"
    assert ended.fired[RULE] > 0  # at hop 4
    world.run(CURL, vantage="mts", check=True)
    assert RULE not in world.phase("substring").fired
    lines = (world.folder / "changes.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["change"] for line in lines] == [receipt["change"]]
    places = json.loads((world.folder / "scenario.json").read_text("utf-8"))["phases"]
    assert [places[phase]["placements"][0]["hop"] for phase in ("substring", "substring~1")] == [2, 4]
    assert not (world.folder / "rates.jsonl").exists()  # nobody watched


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"hop": 9}, "mts has no hop 9"),
        ({"hop": 2}, "is so already"),
        ({"model": "none"}, "unknown model 'none'"),
        ({"hop": 3, "censor": "mts/none"}, "no box 'mts/none'"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_changed(
    world: StandingWorld, change: dict[str, object], why: str
) -> None:
    before = world.status()["phase"]
    with pytest.raises(InputError, match=re.escape(why)):
        change_box("w", **{"censor": BOX, **change})  # type: ignore[arg-type]
    assert world.status()["phase"] == before
