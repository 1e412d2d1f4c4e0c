"""The server of a class: on loopback, or on an address that was asked for, until a signal ends it."""

import asyncio
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hypercorn.asyncio import serve as hypercorn_serve

from testbed.console.classapp import LECTURER, ClassWeb, class_app
from testbed.console.seats import Seats
from testbed.console.webapp import require_assets
from testbed.console.webserver import ADDRESS, listener_at, quiet_config
from testbed.errors import InputError
from testbed.labs.classclerk import ClassClerk
from testbed.labs.classfolder import ClassFolder
from testbed.labs.classworlds import ClassLimits, ClassWorlds
from testbed.labs.opening import tidy

LINKS = "links.csv"
_END = 300.0  # seconds in which all worlds of a class, thirty on a busy machine, must have ended; our choice


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAddress:
    """Where a class is reached."""

    listen: str = ADDRESS
    port: int = 0
    names: tuple[str, ...] = ()  # further names of this machine, as browsers write them
    certificate: Path | None = None
    key: Path | None = None

    @property
    def scheme(self) -> str:
        """http, or https with a certificate."""
        return "https" if self.certificate else "http"

    def hosts(self, port: int) -> list[str]:
        """Every Host that is meant: "name:port", and "name" alone on the usual port."""
        own = [] if self.listen in ("0.0.0.0", "::") else [self.listen]
        names = [*self.names, *own, *(["localhost"] if self.listen == ADDRESS else [])]
        written = [f"[{name}]" if ":" in name else name for name in names]
        usual = {"http": 80, "https": 443}[self.scheme]
        return [*(f"{name}:{port}" for name in written), *(written if port == usual else [])]

    def base(self, port: int) -> str:
        """The beginning of every link."""
        return f"{self.scheme}://{self.hosts(port)[0]}"


def serve_class(
    folder: ClassFolder,
    students: Sequence[str],
    limits: ClassLimits,
    address: ClassAddress,
    tell: Callable[[str], object],
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP. `tell` is given lines to print; links are also in links.csv.

    Errors: InputError for an address or a port that cannot be had, or a class that is served already;
    UnsupportedError if the page is not built.
    """
    require_assets()
    with folder.alone(), listener_at(address.listen, address.port) as listener:
        for student in students:
            tidy(folder.workbook(student))
        asyncio.run(_serve(folder, students, limits, address, listener, tell))


async def _serve(
    folder: ClassFolder,
    students: Sequence[str],
    limits: ClassLimits,
    address: ClassAddress,
    listener: socket.socket,
    tell: Callable[[str], object],
) -> None:
    port = listener.getsockname()[1]
    base, seats = address.base(port), Seats()

    def link(student: str) -> str:
        return f"{base}/w/{student}/enter?token={seats.issue(student)}"

    worlds = ClassWorlds(folder, students, limits)
    web = ClassWeb(worlds, seats, link)
    web.table()  # what is missing is said now
    clerk = ClassClerk(folder, students, limits.at_once, worlds.touch)
    over = asyncio.Event()
    app = class_app(web, seats, address.hosts(port), clerk, over.set)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    kept = folder.path / LINKS
    kept.touch(mode=0o600)
    links = {student: link(student) for student in students}
    kept.write_text("student,link\n" + "".join(f"{one},{url}\n" for one, url in links.items()), "utf-8")
    tell(f"{folder.lab.name}: {len(students)} students; each link works once, for one browser")
    tell(f"lecturer  {base}/class/enter?token={seats.issue(LECTURER)}")
    for student, url in links.items():
        tell(f"{student}  {url}")
    tell(f"the links are in {kept}, answers in {folder.path}; Ctrl-C ends the class, and loses no answer")
    config = quiet_config(listener)
    config.shutdown_timeout = _END
    if address.certificate:
        config.certfile, config.keyfile = str(address.certificate), str(address.key)
    await hypercorn_serve(app, config, shutdown_trigger=over.wait, mode="asgi")  # type: ignore[arg-type]


def checked(address: ClassAddress, *, plain: bool) -> ClassAddress:
    """InputError for an address that gives the class away: others reach it, and nothing is encrypted.

    `plain`: whoever asks for it knows.
    """
    away = address.listen not in (ADDRESS, "::1", "localhost")
    if away and not (address.certificate or plain):
        message = f"{address.listen}: everybody on the way could read links and answers, and take a page over"
        remedy = (
            "give --certificate and --key; or --plain; or leave --listen out, and students come by ssh -L"
        )
        raise InputError.at("--listen", message, remedy)
    if bool(address.certificate) != bool(address.key):
        raise InputError.at("--certificate", "it needs its key, and a key its certificate", "give both")
    if address.listen in ("0.0.0.0", "::") and not address.names:
        raise InputError.at("--listen", "by which name do students reach it?", "give --host NAME")
    for file in filter(None, (address.certificate, address.key)):
        if not file.is_file():
            raise InputError.at("--certificate", f"there is no file {file}", "name a file in PEM")
    return address
