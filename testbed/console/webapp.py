"""The console as an ASGI app: several worlds, each reachable only by who has its seat."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from testbed.console.flowstories import flow_story
from testbed.console.seats import Seats
from testbed.console.shellsocket import FULL, attend_shell, comes_free
from testbed.console.socketends import started, stopped, until_gone
from testbed.console.subscribertty import SubscriberTerminal
from testbed.console.webguard import LONGEST_BODY, WebGuard
from testbed.console.worldfeed import WorldFeed
from testbed.errors import InputError, TestbedError, UnsupportedError
from testbed.foreignjson import json_value
from testbed.run import requests

ASSETS: Final = Path(__file__).parent / "assets"
_COOKIE: Final = "testbed-seat"
_MOST_TERMINALS: Final = 8  # of one world at once; our choice
_TAKEN, _ENDED = 4001, 4002  # why a WebSocket is closed
_WRONG: Final = (
    "403: this link is wrong, or has been used. The console prints a new one: press Enter there.\n"
)
_OTHER: Final = (
    "403: another browser has this console. To take it over, press Enter where `testbed console` runs, "
    "and open the new link.\n"
)


class _Place:
    """One world with the sockets that are open for it."""

    def __init__(self, feed: WorldFeed) -> None:
        self.feed = feed
        self.sockets: dict[WebSocket, asyncio.Event] = {}  # with what ends its handler
        self.terminals = 0
        self.explaining = asyncio.Lock()  # one story at a time: each reads the whole log

    async def close_all(self, code: int) -> None:
        """End every socket. Its handler ends at once: a page that does not answer could go on typing."""
        sockets = dict(self.sockets)
        for over in sockets.values():
            over.set()
        await asyncio.gather(*(one.close(code) for one in sockets), return_exceptions=True)


def require_assets(folder: Path = ASSETS) -> None:
    """UnsupportedError if the page was not built."""
    if not (folder / "index.html").is_file():
        raise UnsupportedError(
            "the console's page is not built; build it with `make frontend`, which needs Node.js 20 and npm"
        )


def app(
    feeds: Mapping[str, WorldFeed], seats: Seats, hosts: Collection[str], broken: Callable[[], object]
) -> ASGIApp:
    """The app over these worlds. `hosts`: "127.0.0.1:8080", every name and port by which it is reached.

    `broken` is called if watching a world fails, and MUST end the server.
    Each world is at /w/NAME/, by a token of `seats` alone. A lecturer's page may mount it several times.
    """
    places = {name: _Place(feed) for name, feed in feeds.items()}
    web = _Web(places, seats)
    routes = [
        Route("/w/{world}/enter", web.enter),
        Route("/w/{world}/", web.page),
        Route("/w/{world}/story", web.story),
        Route("/w/{world}/phase", web.phase, methods=["POST"]),
        Route("/w/{world}/change", web.change, methods=["POST"]),
        WebSocketRoute("/w/{world}/live", web.live),
        WebSocketRoute("/w/{world}/terminal/{vantage}", web.terminal),
        Mount("/assets", StaticFiles(directory=ASSETS, check_dir=False)),
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        seats.on_left(web.lost_seat)
        tasks = [started(room.feed.run(), broken) for room in places.values()]
        yield
        for task in tasks:
            await stopped(task)

    return WebGuard(Starlette(routes=routes, lifespan=lifespan), hosts)


class _Web:
    """The handlers."""

    def __init__(self, places: Mapping[str, _Place], seats: Seats) -> None:
        self._places, self._seats = places, seats
        self._closing: set[asyncio.Task[None]] = set()

    def lost_seat(self, world: str) -> None:
        """Another browser has taken the seat: what the former one has open is closed."""
        task = asyncio.ensure_future(self._places[world].close_all(_TAKEN))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _room(self, connection: HTTPConnection) -> _Place | None:
        """The world that is asked for, if this browser has its seat."""
        world = connection.path_params["world"]
        room = self._places.get(world)
        return room if room and self._seats.holds(world, connection.cookies.get(_COOKIE)) else None

    async def enter(self, request: Request) -> Response:
        """The link with the token: a session for it, once."""
        world = request.path_params["world"]
        session = self._seats.exchange(world, request.query_params.get("token", ""))
        if world not in self._places or session is None:
            return PlainTextResponse(_WRONG, 403)
        answer = RedirectResponse(f"/w/{world}/", 303)
        answer.set_cookie(_COOKIE, session, path=f"/w/{world}/", httponly=True, samesite="strict")
        return answer

    async def page(self, request: Request) -> Response:
        """The page itself, the same for every world."""
        if self._room(request) is None:
            taken = self._seats.taken(request.path_params["world"])
            return PlainTextResponse(_OTHER if taken else _WRONG, 403)
        return FileResponse(ASSETS / "index.html")

    async def story(self, request: Request) -> Response:
        """The story of a flow."""
        room = self._room(request)
        if room is None:
            return PlainTextResponse(_OTHER, 403)
        flow = request.query_params.get("flow", "")
        try:
            t = float(request.query_params.get("t", "0"))
        except ValueError:
            t = 0.0
        phase, goes_on = room.feed.phase_at(t)
        make = partial(flow_story, room.feed.folder, flow, phase, goes_on=goes_on)
        async with room.explaining:
            return await _answered(lambda: asyncio.to_thread(make))

    async def phase(self, request: Request) -> Response:
        """Switch the phase."""

        def switch(room: _Place, given: Mapping[str, Any]) -> dict[str, Any]:
            _, ended = requests.switch_phase(room.feed.name, _word(given, "phase"))
            return {"ended": ended.to_json()}

        return await self._control(request, switch)

    async def change(self, request: Request) -> Response:
        """Move a box, or change its model."""

        def alter(room: _Place, given: Mapping[str, Any]) -> dict[str, Any]:
            hop = given.get("hop")
            if hop is not None and not isinstance(hop, int):
                raise InputError.at("hop", "it is no number", "")
            model = _word(given, "model") if given.get("model") is not None else None
            return requests.change_box(room.feed.name, _word(given, "box"), hop=hop, model=model)[1]

        return await self._control(request, alter)

    async def _control(
        self, request: Request, do: Callable[[_Place, Mapping[str, Any]], dict[str, Any]]
    ) -> Response:
        room = self._room(request)
        if room is None:
            return PlainTextResponse(_OTHER, 403)
        given = await _body(request)
        if given is None:
            return JSONResponse({"error": "the request is no JSON object, or too long"}, 400)
        answer = await _answered(lambda: asyncio.to_thread(do, room, given))
        await room.feed.refresh()
        return answer

    async def live(self, socket: WebSocket) -> None:
        """Snapshots for as long as the page is open."""
        room = self._room(socket)
        if room is None:
            await socket.close(4403)
            return
        await socket.accept()
        over = room.sockets[socket] = asyncio.Event()
        watcher = room.feed.watch()
        ends = {asyncio.create_task(until_gone(socket)), asyncio.create_task(over.wait())}
        try:
            while True:
                news = asyncio.create_task(watcher.wait())
                done, _ = await asyncio.wait({news, *ends}, return_when=asyncio.FIRST_COMPLETED)
                if done & ends:
                    await stopped(news)
                    break
                await socket.send_text(json.dumps(room.feed.snapshot(watcher), ensure_ascii=False))
                if room.feed.ended is not None:
                    await socket.close(_ENDED)
                    break
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            room.feed.leave(watcher)
            room.sockets.pop(socket)
            for task in ends:
                await stopped(task)

    async def terminal(self, socket: WebSocket) -> None:
        """A shell in a vantage, which ends with the socket."""
        room = self._room(socket)
        if room is None:
            await socket.close(4403)
            return
        if not await comes_free(lambda: room.terminals < _MOST_TERMINALS):
            await socket.accept()
            await socket.close(FULL, f"{_MOST_TERMINALS} terminals are open already; close one")
            return
        room.terminals += 1
        try:
            await self._shell(room, socket)
        finally:
            room.terminals -= 1

    async def _shell(self, room: _Place, socket: WebSocket) -> None:
        vantage = socket.path_params["vantage"]
        open_it = partial(SubscriberTerminal.open, room.feed.name, vantage, room.feed.folder)
        await attend_shell(socket, open_it, room.sockets)


async def _answered(make: Callable[[], Awaitable[dict[str, Any]]]) -> Response:
    try:
        return JSONResponse(await make())
    except TestbedError as error:
        return JSONResponse({"error": str(error)}, 409)


async def _body(request: Request) -> Mapping[str, Any] | None:
    text = b""
    async for chunk in request.stream():
        text += chunk
        if len(text) > LONGEST_BODY:
            return None
    try:
        found = json_value(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _word(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise InputError.at(name, "it is missing", "give a name")
    return value
