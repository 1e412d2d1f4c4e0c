"""The pages of a class on one server: one for each student, one for the lecturer. An ASGI app.

A student's page is at /w/NAME/: the tasks, the state of the world, a terminal in it. It shows no box and no
rule: those are what the tasks ask for. The lecturer's is at /class/.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from testbed.console.seats import Seats
from testbed.console.shellsocket import FULL, attend_shell, comes_free
from testbed.console.socketends import started, stopped, until_gone
from testbed.console.subscribertty import StudentShell, SubscriberTerminal
from testbed.console.webapp import ASSETS
from testbed.console.webguard import WebGuard
from testbed.labs.classclerk import ClassClerk
from testbed.labs.classprogress import StudentProgress, progress_of
from testbed.labs.classworlds import ClassWorlds
from testbed.labs.labfile import assign
from testbed.report.classpage import ClassRow, class_page

LECTURER: Final = "/lecturer"  # no student can have this name
_COOKIE: Final = "testbed-class"
_HOURS: Final = 12  # a browser may come back so long; our choice
_TICK: Final = 0.5  # seconds; our choice
_MOST_TERMINALS: Final = 4  # of a student's; our choice
_TAKEN: Final = 4001
_WRONG: Final = "403: this link is wrong, or has been used. Ask your lecturer for a new one.\n"


class ClassWeb:
    """The handlers, and what they know."""

    def __init__(
        self,
        worlds: ClassWorlds,
        seats: Seats,
        link: Callable[[str], str],
        moment: Callable[[], float] = time.time,
    ) -> None:
        """`link`: a new link for a student."""
        self.worlds, self._seats, self._link, self._moment = worlds, seats, link, moment
        self._sockets: dict[str, dict[WebSocket, asyncio.Event]] = {name: {} for name in worlds.worlds}
        self._closing: set[asyncio.Task[None]] = set()
        folder = worlds.folder
        self._assignments = {name: assign(folder.lab, name, folder.code) for name in worlds.worlds}

    def progress(self, student: str) -> StudentProgress:
        """How far a student is, from the disk."""
        return progress_of(self.worlds.folder.workbook(student), self._assignments[student])

    def lost_seat(self, student: str) -> None:
        """Another browser has taken the seat."""
        for socket, over in dict(self._sockets.get(student, {})).items():
            over.set()
            task = asyncio.ensure_future(_closed(socket))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _student(self, connection: HTTPConnection) -> str | None:
        """Whose page is asked for, if this browser has that seat."""
        name = connection.path_params["student"]
        cookie = connection.cookies.get(_COOKIE)
        return name if name in self.worlds.worlds and self._seats.holds(name, cookie) else None

    def _is_lecturer(self, connection: HTTPConnection) -> bool:
        return self._seats.holds(LECTURER, connection.cookies.get(_COOKIE))

    async def enter(self, request: Request) -> Response:
        """The link with the token, once: a student's, or the lecturer's."""
        name = request.path_params.get("student", LECTURER)
        known = name == LECTURER or name in self.worlds.worlds
        session = self._seats.exchange(name, request.query_params.get("token", "")) if known else None
        if session is None:
            return PlainTextResponse(_WRONG, 403)
        place = "/class/" if name == LECTURER else f"/w/{name}/"
        answer = RedirectResponse(place, 303)
        answer.set_cookie(
            _COOKIE, session, path=place, httponly=True, samesite="strict", max_age=_HOURS * 3600,
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return answer

    async def page(self, request: Request) -> Response:
        """A student's page, the same for all."""
        if self._student(request) is None:
            return PlainTextResponse(_WRONG, 403)
        return FileResponse(ASSETS / "classroom.html")

    async def worksheet(self, request: Request) -> Response:
        """The lab's worksheet, as text."""
        if self._student(request) is None:
            return PlainTextResponse(_WRONG, 403)
        return PlainTextResponse(self.worlds.folder.lab.worksheet.read_text("utf-8"))

    async def world(self, request: Request) -> Response:
        """Start the student's world, or end it."""
        student = self._student(request)
        if student is None:
            return PlainTextResponse(_WRONG, 403)
        if request.path_params["what"] == "start":
            self.worlds.ask(student)
        else:
            self.worlds.end(student, "you ended your world")
        return PlainTextResponse(self.worlds.line(student))

    async def live(self, socket: WebSocket) -> None:
        """The student's snapshot whenever it has changed."""
        student = self._student(socket)
        if student is None:
            await socket.close(4403)
            return
        await socket.accept()
        over = self._sockets[student][socket] = asyncio.Event()
        ends = {asyncio.create_task(until_gone(socket)), asyncio.create_task(over.wait())}
        shown = ""
        try:
            while not any(one.done() for one in ends):
                now = json.dumps(await asyncio.to_thread(self._snapshot, student), ensure_ascii=False)
                if now != shown:
                    await socket.send_text(now)
                    shown = now
                await asyncio.wait(ends, timeout=_TICK, return_when=asyncio.FIRST_COMPLETED)
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self._sockets[student].pop(socket)
            for task in ends:
                await stopped(task)

    def _snapshot(self, student: str) -> dict[str, Any]:
        """What a student's page shows: nothing of the world but whether it is there."""
        world, made = self.worlds.worlds[student], self.progress(student)
        lab = self.worlds.folder.lab
        return {
            "title": lab.part.title,
            "student": student,
            "vantage": lab.part.vantage,
            "state": world.state,
            "words": self.worlds.line(student),
            "points": made.points,
            "most": made.most,
            "tasks": [
                {
                    "name": name,
                    "question": f"comes after {one.waits}" if one.waits else one.task.question,
                    "options": [] if one.waits else list(one.task.options),
                    "words": one.words,
                    "left": one.left,
                    "most": one.task.points,
                }
                for name, one in made.tasks.items()
            ],
        }

    async def terminal(self, socket: WebSocket) -> None:
        """A shell in the student's world, which ends with the socket."""
        student = self._student(socket)
        if student is None:
            await socket.close(4403)
            return
        world, folder = self.worlds.worlds[student], self.worlds.folder
        sockets = self._sockets[student]
        if world.state != "ready" or not await comes_free(lambda: len(sockets) <= _MOST_TERMINALS):
            why = "your world is not open" if world.state != "ready" else "too many terminals; close one"
            await socket.accept()
            await socket.close(FULL, why)
            return
        self.worlds.touch(student)
        home = folder.room(student) / "home"
        shell = StudentShell(
            student_shell(student, folder.lab.name), folder.variables(student), folder.seclusion(student)
        )

        def open_it(columns: int, rows: int) -> SubscriberTerminal:
            return SubscriberTerminal.open(
                world.name, folder.lab.part.vantage, home, columns, rows, student=shell
            )

        await attend_shell(socket, open_it, sockets, partial(self.worlds.touch, student))

    async def lecturer(self, request: Request) -> Response:
        """The lecturer's page: each student and task."""
        if not self._is_lecturer(request):
            return PlainTextResponse(_WRONG, 403)
        still = "still" in request.query_params
        return HTMLResponse(await asyncio.to_thread(self.table, still=still))

    def table(self, *, still: bool = False) -> str:
        """The page; `still`: without renewing itself."""
        now = self._moment()
        rows = []
        for name, world in self.worlds.worlds.items():
            made = self.progress(name)
            ago = f"{max(0, now - made.latest) / 60:.0f} min ago" if made.latest else ""
            used = f"{world.used >> 20} MB" if world.used else ""
            handed = self.worlds.folder.submission(name).exists()
            rows.append(ClassRow(name, made, world.state, self.worlds.line(name), used, ago, handed))
        return class_page(self.worlds.folder.lab, rows, still=still)

    async def new_link(self, request: Request) -> Response:
        """A new link for a student whose old one is used up: it takes the page over."""
        if not self._is_lecturer(request):
            return PlainTextResponse(_WRONG, 403)
        student = request.query_params.get("student", "")
        if student not in self.worlds.worlds:
            return PlainTextResponse("404: there is no such student\n", 404)
        return PlainTextResponse(f"{student}: {self._link(student)}\n")


def student_shell(student: str, lab: str) -> list[str]:
    """The command line of a student's shell: bash without anybody's start-up files."""
    place = f"[{student} · {lab}] \\w $ "
    return ["env", f"PS1={place}", "bash", "--norc", "--noprofile", "-i"]


async def _closed(socket: WebSocket) -> None:
    with suppress(RuntimeError, WebSocketDisconnect):
        await socket.close(_TAKEN)


def class_app(
    web: ClassWeb,
    seats: Seats,
    hosts: Collection[str],
    clerk: ClassClerk,
    broken: Callable[[], object],
) -> ASGIApp:
    """The app. `hosts`: "192.0.2.1:8080", every name and port by which it is reached.

    While it lives, `clerk` and the worlds of `web` work. `broken` is called if they fail, and MUST end it.
    """
    routes = [
        Route("/w/{student}/enter", web.enter),
        Route("/w/{student}/", web.page),
        Route("/w/{student}/worksheet", web.worksheet),
        Route("/w/{student}/world/{what:str}", web.world, methods=["POST"]),
        WebSocketRoute("/w/{student}/live", web.live),
        WebSocketRoute("/w/{student}/terminal/{vantage}", web.terminal),
        Route("/class/enter", web.enter),
        Route("/class/", web.lecturer),
        Route("/class/link", web.new_link),
        Mount("/assets", StaticFiles(directory=ASSETS, check_dir=False)),
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        seats.on_left(web.lost_seat)
        tasks = [started(web.worlds.run(), broken), started(clerk.run(), broken)]
        yield
        for task in tasks:
            await stopped(task)

    return WebGuard(Starlette(routes=routes, lifespan=lifespan), hosts)
