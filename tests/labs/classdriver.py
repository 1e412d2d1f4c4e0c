"""`testbed lab serve` as a process, and its students as browsers are: cookies, requests, a terminal."""

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from tests.acceptance.conftest import TESTBED
from tests.console.wsclient import WebSocketClient, websocket

_LINK = re.compile(r"^(\S+)\s+(https?://127\.0\.0\.1:(\d+)(/w/[^/]+/|/class/)enter\?token=\S+)$")
_BEGUN, _DONE = "here-it-begins", "here-it-ends"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass
class ClassBrowser:
    """One person's browser. `place`: where the page is."""

    port: int
    place: str
    link: str
    home: Path  # of the shell
    cookie: str = ""

    def enter(self) -> int:
        """Open the link; the status. A right one leaves a cookie."""
        try:
            urllib.request.build_opener(_NoRedirect).open(self.link, timeout=60)
        except HTTPError as answer:
            self.cookie = (answer.headers.get("set-cookie") or "").partition(";")[0] or self.cookie
            return answer.code
        raise AssertionError("it redirects")

    def get(self, path: str = "", *, at: str = "", post: bool = False) -> tuple[int, str]:
        """A page; the status and the text."""
        url = f"http://127.0.0.1:{self.port}{at or self.place}{path}"
        headers = {"cookie": self.cookie, "origin": f"http://127.0.0.1:{self.port}"}
        request = urllib.request.Request(url, headers=headers, method="POST" if post else "GET")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    @contextmanager
    def socket(self, path: str, at: str = "", patience: float = 60.0) -> Iterator[WebSocketClient]:
        """A WebSocket of the page, which waits so many seconds for whatever comes next."""
        with websocket(self.port, f"{at or self.place}{path}", cookie=self.cookie) as client:
            client.wait_at_most(patience)
            yield client

    def wait_for(self, state: str, patience: float = 60.0) -> dict[str, Any]:
        """The page's snapshot once the world is in this state."""
        with self.socket("live", patience=patience) as page:
            while True:
                shown = page.next_message()
                if shown["state"] == state:
                    return shown

    def start(self, patience: float = 60.0) -> dict[str, Any]:
        """Have the world built."""
        assert self.get("world/start", post=True)[0] == 200
        return self.wait_for("ready", patience)

    def run(self, *commands: str, patience: float = 60.0) -> str:
        """What a terminal shows of these commands."""
        lines = [f"echo {_BEGUN}", *commands, f"echo {_DONE}"]
        (self.home / ".typed").write_text("\n".join(lines))
        with self.socket("terminal/mts?cols=200&rows=50", patience=patience) as terminal:
            terminal.type("bash .typed\n")
            shown = terminal.until(f"\n{_DONE}\r\n").replace("\r", "")
        return shown.partition(f"{_BEGUN}\n")[2].partition(f"{_DONE}\n")[0]


@dataclass
class ServedClass:
    """A class that is served. `people`: by name; "lecturer" is the lecturer."""

    folder: Path
    process: "subprocess.Popen[str]"
    people: dict[str, ClassBrowser] = field(default_factory=dict)

    def read_links(self) -> None:
        """What it prints at its start."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := _LINK.match(line):
                name, link, port, place = found.groups()
                self.people[name] = ClassBrowser(
                    int(port), place, link, self.folder / "students" / name / "home"
                )
            elif line.startswith("the links are in"):
                return
        raise AssertionError(f"it ended with {self.process.wait()}")


@contextmanager
def served(
    folder: Path, lab: str, students: Sequence[str], *options: str, become: Sequence[str] = ()
) -> Iterator[ServedClass]:
    """A class, from its start to its end by Ctrl-C."""
    names = folder / "class.txt"
    names.write_text("".join(f"{one}\n" for one in students), "utf-8")
    line = [
        *become,
        str(TESTBED),
        "lab",
        "serve",
        lab,
        "--students",
        str(names),
        "--folder",
        str(folder / "class"),
    ]
    process = subprocess.Popen(
        [*line, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        cwd=folder, env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    made = ServedClass(folder / "class", process)
    try:
        made.read_links()
        yield made
        process.terminate()
        assert process.stdout is not None
        assert (process.wait(400), process.stdout.read()) == (0, "")  # it ends its worlds, and in silence
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()
            assert process.stdout is not None
            process.stdout.close()


def tasks(shown: dict[str, Any]) -> dict[str, str]:
    """Task -> how it stands, of a snapshot."""
    return {one["name"]: one["words"] for one in json.loads(json.dumps(shown))["tasks"]}
