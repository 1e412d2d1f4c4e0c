"""Run by the tests as a subscriber: load a page with headless Chromium, and say what came of it.

Prints {"title": …, "error": "ERR_…" or ""}. Further arguments are Chromium's. With "untrusted" as the first
argument the machine's policies for Chromium are hidden before, and with them the world's authority.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

POLICY = "/etc/chromium/policies/managed/testbed.json"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
LONGEST = 45  # seconds
QUIET = [  # nothing that a page did not ask for
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-default-apps", "--disable-domain-reliability"),
    *("--disable-sync", "--no-first-run", "--timeout=20000"),
]


def browse(url: str, *options: str) -> dict[str, str]:
    program = next(name for name in PROGRAMS if which(name))
    with TemporaryDirectory(ignore_cleanup_errors=True) as home:
        line = [program, *QUIET, f"--user-data-dir={home}/profile", *options, "--dump-dom", url]
        done = subprocess.run(
            line,
            env={**os.environ, "HOME": home},
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    title = re.search("<title>(.*?)</title>", done.stdout)
    failure = re.search(r"net::(ERR_\w+)", done.stderr)
    if not title and not failure:
        raise SystemExit(f"{program}: {done.returncode}\n{done.stdout[-500:]}\n{done.stderr[-2000:]}")
    return {"title": title[1] if title else "", "error": failure[1] if failure else ""}


def main(*arguments: str) -> None:
    if arguments[0] == "untrusted":
        arguments = arguments[1:]
        with TemporaryDirectory() as folder:
            nothing = Path(folder, "nothing.json")
            nothing.write_text("{}")
            subprocess.run(["mount", "--bind", str(nothing), POLICY], check=True)
    print(json.dumps(browse(*arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
