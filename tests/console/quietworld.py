"""A feed over a folder, without a world that could be asked; and a browser for it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient, WebSocketTestSession

from testbed.console.seats import Seats
from testbed.console.webapp import app
from testbed.console.worldfeed import WorldFeed
from testbed.scenario.loadcache import load_kept
from testbed.scenario.tojson import to_json

HERE = "127.0.0.1:8080"
OWN = {"origin": f"http://{HERE}"}
SCENARIO = "twitter-throttling-2021"


class QuietFeed(WorldFeed):
    """It looks at its folder, and is never asked how it is."""

    async def ask(self) -> bool:
        return False


def feed(folder: Path, name: str = "w") -> QuietFeed:
    scenario = load_kept(SCENARIO)
    folder.mkdir(exist_ok=True)
    (folder / "scenario.json").write_text(json.dumps(to_json(scenario), default=str), "utf-8")
    (folder / "start.json").write_text('{"monotonic": 100.0, "epoch": 1000.0, "phase": "substring"}', "utf-8")
    (folder / "events.jsonl").touch()
    titles = {key: phase.title for key, phase in scenario.phases.items()}
    about: dict[str, Any] = {
        "name": name, "scenario": SCENARIO, "folder": str(folder), "vantages": ["mts", "beeline", "outside"],
        "phase": "substring", "phases": [], "titles": titles, "running": [], "problems": [],
    }  # fmt: skip
    return QuietFeed(name, about)


@contextmanager
def browsers(
    *feeds: WorldFeed, broken: Callable[[], object] = lambda: None
) -> Iterator[tuple[Seats, TestClient]]:
    """The app over these worlds, and a browser that has no seat yet."""
    seats = Seats()
    web = app({one.name: one for one in feeds}, seats, [HERE], broken)
    with TestClient(web, base_url=f"http://{HERE}", follow_redirects=False) as client:
        yield seats, client


def enter(client: TestClient, seats: Seats, world: str = "w") -> None:
    answer = client.get(f"/w/{world}/enter", params={"token": seats.issue(world)})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/w/{world}/")


def live(client: TestClient, cookie: str | None = None) -> WebSocketTestSession:
    """The socket with what is new, as the page opens it."""
    headers = {**OWN, **({"cookie": f"testbed-seat={cookie}"} if cookie else {})}
    return client.websocket_connect(f"ws://{HERE}/w/w/live", headers=headers)
