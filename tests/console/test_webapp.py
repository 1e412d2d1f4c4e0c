"""The console's app: who gets in, what a page is shown, and what it may ask."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from testbed.console import webapp
from testbed.console.webapp import require_assets
from testbed.console.webguard import HEADERS
from testbed.console.worldfeed import WatchingPage
from testbed.errors import UnsupportedError
from tests.console.quietworld import HERE, OWN, QuietFeed, browsers, enter, feed, live

FLOW = "tcp 91.76.0.100:42808 > 152.199.21.141:443"
BOX = "mts/tspu-substring"


@pytest.fixture(autouse=True)
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page itself is of no interest here, and need not be built."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "index.html").write_text("the page", "utf-8")
    monkeypatch.setattr(webapp, "ASSETS", tmp_path / "assets")


def event(name: str = "abs.twimg.com", **changed: Any) -> str:
    detail = {"action": "police", "name": name, "handover": {"police": {"rate": 140000.0, "burst": 16384}}}
    made = {"t": 1.5, "censor": "mts/tspu-substring", "kind": "match", "rule": "twitter-policer"}
    return json.dumps({**made, "flow": FLOW, "detail": detail, **changed}) + "\n"


def test_the_link_opens_the_page_once(tmp_path: Path) -> None:
    with browsers(feed(tmp_path / "w")) as (seats, client):
        assert client.get("/w/w/").status_code == 403
        link = f"/w/w/enter?token={seats.issue('w')}"
        answer = client.get(link)
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"].lower()
        assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/w/w/"))
        shown = client.get("/w/w/")
        assert (shown.status_code, shown.text) == (200, "the page")
        assert {name: shown.headers[name] for name in HEADERS} == HEADERS
        again = client.get(link)
        assert (again.status_code, "has been used" in again.text) == (403, True)


class BrokenFeed(QuietFeed):
    """What watches it has a bug."""

    async def run(self) -> None:
        raise ZeroDivisionError


def test_a_server_that_no_longer_watches_its_world_ends(tmp_path: Path) -> None:
    ended = list[str]()

    def serve() -> None:
        world = BrokenFeed("w", feed(tmp_path / "w").about)
        with browsers(world, broken=lambda: ended.append("at once")) as (_, client):
            assert (client.get("/w/w/").status_code, ended) == (403, ["at once"])

    with pytest.raises(ZeroDivisionError):
        serve()


def test_a_second_browser_is_refused_until_it_takes_over(tmp_path: Path) -> None:
    with browsers(feed(tmp_path / "w")) as (seats, client):
        enter(client, seats)
        first = client.cookies.get("testbed-seat")
        client.cookies.clear()  # another browser
        refused = client.get("/w/w/")
        assert (refused.status_code, "another browser has this console" in refused.text) == (403, True)
        with live(client, cookie=first) as socket:
            socket.receive_json()
            enter(client, seats)  # by a new link
            code, _ = to_the_end(socket)
        assert code == 4001
        assert client.get("/w/w/").status_code == 200
        client.cookies.clear()
        assert client.get("/w/w/", headers={"cookie": f"testbed-seat={first}"}).status_code == 403


def test_what_a_page_says_on_the_live_view_means_nothing(tmp_path: Path) -> None:
    with browsers(feed(tmp_path / "w")) as (seats, client):
        enter(client, seats)
        with live(client) as socket:
            socket.receive_json()
            socket.send_bytes(b"\xff")
            socket.send_text("[" * 3000)
            enter(client, seats)  # elsewhere
            assert to_the_end(socket)[0] == 4001


def test_a_token_of_one_world_opens_no_other(tmp_path: Path) -> None:
    with browsers(feed(tmp_path / "one", "one"), feed(tmp_path / "two", "two")) as (seats, client):
        seats.issue("two")
        wrong = client.get("/w/two/enter", params={"token": seats.issue("one")})
        assert wrong.status_code == 403
        enter(client, seats, "one")
        assert client.get("/w/one/").status_code == 200
        for place in ("/w/two/", "/w/two/story?flow=x", "/w/none/", "/w/none/enter?token=x"):
            assert client.get(place).status_code == 403, place


@pytest.mark.parametrize("path", ["/w/w/live", "/w/w/terminal/mts"])
@pytest.mark.parametrize(
    "headers", [{}, {"origin": "http://evil.example"}, {**OWN, "host": "evil.example:8080"}]
)
def test_a_socket_of_a_foreign_page_is_refused(tmp_path: Path, path: str, headers: dict[str, str]) -> None:
    with browsers(feed(tmp_path / "w")) as (seats, client):
        enter(client, seats)
        with (
            pytest.raises(WebSocketDisconnect) as refused,
            client.websocket_connect(f"ws://{HERE}{path}", headers={**headers}),
        ):
            pass
        assert refused.value.code == 4403


@pytest.mark.parametrize("path", ["/w/w/live", "/w/w/terminal/mts"])
def test_a_socket_without_a_seat_is_refused(tmp_path: Path, path: str) -> None:
    with (
        browsers(feed(tmp_path / "w")) as (_, client),
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(f"ws://{HERE}{path}", headers={**OWN}),
    ):
        pass


@pytest.mark.parametrize("path", ["/w/w/phase", "/w/w/change"])
def test_nothing_is_changed_from_elsewhere_or_without_a_seat(tmp_path: Path, path: str) -> None:
    with browsers(feed(tmp_path / "w")) as (seats, client):
        assert client.post(path, content="{}", headers=OWN).status_code == 403
        enter(client, seats)
        assert client.post(path, content="{}").status_code == 403
        assert client.post(path, content="{}", headers={"origin": "null"}).status_code == 403
        assert client.get(path).status_code == 405


@pytest.mark.parametrize("body", ["", "x", "[1]", '{"a": "' + "x" * 5000 + '"}', "[" * 3000])
def test_a_request_that_is_no_object_is_refused(tmp_path: Path, body: str) -> None:
    with browsers(feed(tmp_path / "w")) as (seats, client):
        enter(client, seats)
        assert client.post("/w/w/phase", content=body, headers=OWN).status_code == 400


def test_what_the_world_refuses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # where no world is
    with browsers(feed(tmp_path / "w")) as (seats, client):
        enter(client, seats)
        answer = client.post("/w/w/phase", content='{"phase": "exact"}', headers=OWN)
        assert (answer.status_code, "there is no world 'w'" in answer.json()["error"]) == (409, True)
        for body in ({}, {"phase": 3}):
            assert client.post("/w/w/phase", json=body, headers=OWN).status_code == 409
        hop = client.post("/w/w/change", json={"box": "mts/tspu", "hop": "3"}, headers=OWN)
        assert (hop.status_code, hop.json()["error"]) == (409, "hop: it is no number")


def test_a_snapshot_has_the_map_and_what_happened(tmp_path: Path) -> None:
    world = feed(tmp_path / "w")
    (world.folder / "events.jsonl").write_text(event(), "utf-8")
    (world.folder / "rates.jsonl").write_text(
        json.dumps({"t": 1.0, "seconds": 0.25, "bytes": {"mts.hop2": {"in": [10, 200], "out": [400, 10]}}})
        + "\n",
        "utf-8",
    )
    with browsers(world) as (seats, client):
        enter(client, seats)
        shown = until(client, lambda one: bool(one["rules"] and one["curves"][BOX]["before"]))
    assert [(one["key"], [box["name"] for box in one["boxes"]]) for one in shown["map"]["operators"]] == [
        ("mts", ["mts/tspu-substring"]),
        ("beeline", ["beeline/tspu-substring"]),
    ]
    assert shown["rules"][0]["rule"] == "mts/tspu-substring/twitter-policer"
    curve = shown["curves"][BOX]
    assert (curve["limit"], curve["before"][-1], curve["after"][-1]) == (140000.0, [1.0, 12800], [1.0, 6400])


def test_names_with_markup_and_control_characters_arrive_as_plain_text(tmp_path: Path) -> None:
    world = feed(tmp_path / "w")
    (world.folder / "events.jsonl").write_text(event("\x1b]0;x\x07<script>\u202e"), "utf-8")
    with browsers(world) as (seats, client):
        enter(client, seats)
        shown = until(client, lambda one: bool(one["rules"]))
    assert shown["rules"][0]["name"] == r"\x1b]0;x\x07<script>\u202e"  # the page sets it as text


def test_the_world_ends_under_the_page(tmp_path: Path) -> None:
    world = feed(tmp_path / "w")
    with browsers(world) as (seats, client):
        enter(client, seats)
        with live(client) as socket:
            socket.receive_json()
            world.ended = {"by": "testbed down", "valid": True, "problems": []}
            code, last = to_the_end(socket)
    assert (last["ended"], code) == ({"by": "testbed down", "valid": True, "problems": []}, 4002)


def test_who_cannot_keep_up_gets_the_newest_and_the_others_are_counted(tmp_path: Path) -> None:
    world = feed(tmp_path / "w")
    watcher = world.watch()
    for _ in range(5):
        watcher.notify()
    assert world.snapshot(watcher)["dropped"] == 5
    assert isinstance(watcher, WatchingPage)


def test_the_ladder_of_a_flow(tmp_path: Path) -> None:
    world = feed(tmp_path / "w")
    (world.folder / "events.jsonl").write_text(event(), "utf-8")
    with browsers(world) as (seats, client):
        enter(client, seats)
        story = client.get("/w/w/story", params={"flow": FLOW, "t": 1.5}).json()
        none = client.get("/w/w/story", params={"flow": "tcp 1.2.3.4:5 > 6.7.8.9:10"})
    assert (story["phase"], story["vantage"]) == ("substring", "mts")
    assert "rule twitter-policer (police) matches on" in story["text"]
    later = "the kernel's counts of it come when the phase ends"
    assert story["why"] == [f"rule twitter-policer of mts/tspu-substring matched; {later}"]
    assert (none.status_code, "no flow or target" in none.json()["error"]) == (409, True)


def test_a_page_that_was_not_built_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="make frontend"):
        require_assets(tmp_path / "none")


def until(client: TestClient, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    with live(client) as socket:
        while True:
            shown: dict[str, Any] = socket.receive_json()
            if enough(shown):
                return shown


def to_the_end(socket: WebSocketTestSession) -> tuple[int, dict[str, Any]]:
    """Why the socket was closed, and its last message."""
    last: dict[str, Any] = {}
    while True:
        try:
            last = socket.receive_json()
        except WebSocketDisconnect as end:
            return end.code, last
