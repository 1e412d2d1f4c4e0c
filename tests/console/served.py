"""`testbed console`'s server over a world that is held open, as a process with a terminal of its own.

The page itself need not be built for it.
"""

import os
import pty
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError

from tests.console.wsclient import PATIENCE

MOST_TERMINALS = 2  # less than the product's, so that the test is quick
_LINK = re.compile(r"http://127\.0\.0\.1:(\d+)(/w/[^/]+/)enter\?token=(\S+)")


@dataclass
class ServedConsole:
    """A console that runs. `place`: the path of its world."""

    keyboard: int
    process: "subprocess.Popen[str]"
    port: int = 0
    place: str = ""
    token: str = ""

    def read_link(self) -> None:
        """The next link that it prints."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := _LINK.search(line):
                self.port, self.place, self.token = int(found[1]), found[2], found[3]
                return
        raise AssertionError("the console ended without a link")

    def press_enter(self) -> None:
        """Where the console runs: it prints a new link."""
        os.write(self.keyboard, b"\n")
        self.read_link()

    def get(self, path: str, **headers: str) -> tuple[int, str, str]:
        """Status, body, and the session that a page gets."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.build_opener(_NotFollowed).open(asked, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode(), ""
        except HTTPError as refused:
            with refused:
                cookie = refused.headers.get("set-cookie", "").partition(";")[0]
                return refused.code, refused.read().decode(), cookie

    def enter(self) -> str:
        """The session of a browser that opens the latest link."""
        status, body, cookie = self.get(f"{self.place}enter?token={self.token}")
        assert (status, cookie.startswith("testbed-seat=")) == (303, True), body
        return cookie


class _NotFollowed(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """A redirect is an answer like any other."""


@contextmanager
def served(world: str) -> Iterator[ServedConsole]:
    """The console of the world."""
    keyboard, terminal = pty.openpty()
    try:
        command = [sys.executable, "-m", "tests.console.served", world]
        with subprocess.Popen(
            command, stdin=terminal, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        ) as process:
            try:
                console = ServedConsole(keyboard, process)
                console.read_link()
                yield console
            finally:
                process.terminate()
                process.wait(PATIENCE)
    finally:
        os.close(terminal)
        os.close(keyboard)


def _serve(world: str) -> None:
    from tempfile import TemporaryDirectory

    from testbed.console import webapp, webserver

    with TemporaryDirectory() as folder:
        Path(folder, "index.html").write_text("the page", "utf-8")
        webapp.ASSETS = Path(folder)  # type: ignore[misc]
        webapp._MOST_TERMINALS = MOST_TERMINALS  # type: ignore[misc]
        webserver.require_assets = lambda: None  # type: ignore[assignment]
        print(webserver.serve_worlds([world], 0, lambda line: print(line, flush=True)).words, flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
