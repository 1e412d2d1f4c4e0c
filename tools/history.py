"""Make docs/monitoring/history.svg from a real monitor: python tools/history.py [DIR].

It runs COMMAND, some minutes on two cores; with DIR, the folder of a monitor that did, it draws that again.
"""

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from testbed.monitor.observatory import Observatory
from testbed.report.historyplot import picture

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs/monitoring/history.svg"
TARGETS = (
    "https://twitter.com/bytes/100000",
    "https://www.facebook.com/",
    "https://static.xx.fbcdn.net/bytes/100000",
    "https://www.instagram.com/",
    "https://www.bbc.com/",
    "https://meduza.io/",
    "https://vk.com/",
    "https://www.wikipedia.org/",
)
COMMAND = (
    "testbed monitor twitter-facebook-2022-02 twitter-facebook-block-2022-03 --until 2022-05-01"
    " --every '2 d' " + " ".join(f"--target {target}" for target in TARGETS)
)


def drawn(folder: Path) -> str:
    """The picture of a finished monitor."""
    watched = Observatory.resume(folder).run(lambda _line: None)
    if watched.exit_status:
        sys.exit(f"{folder}: the monitor is not as expected, status {watched.exit_status}")
    return picture(watched, "February to April 2022: throttled, then blocked")


def main() -> None:
    """Draw and write."""
    if len(sys.argv) > 1:
        text = drawn(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "monitor"
            subprocess.run([*shlex.split(COMMAND), "-o", str(place)], check=True)
            text = drawn(place)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
