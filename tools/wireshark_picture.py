"""Make docs/pictures/wireshark*.png again: a run's capture in a real Wireshark, with the testbed's profile.

    .venv/bin/python tools/wireshark_picture.py [--capture FILE]

It needs Wireshark and Xvfb (apt-get install wireshark xvfb). Nothing is captured, and Wireshark gets a
configuration of its own. Without --capture the run is made first.
"""

import argparse
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
PROFILE = ROOT / "testbed" / "capture" / "wireshark"
SCENARIO = "twitter-facebook-block-2022-03"
WIDTH, HEIGHT = 1680, 860
LOADED = 12.0  # seconds in which Wireshark has read 4,000 packets, and drawn them
VIEWS = {
    "wireshark": "frame.comment",
    "wireshark-decrypted": 'http and frame.interface_name == "server.far"',
}


def main() -> None:
    """A picture for each view."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--capture", type=Path)
    given = parser.parse_args()
    for program in ("wireshark", "Xvfb"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is not installed: apt-get install wireshark xvfb")
    with TemporaryDirectory(prefix="wireshark-") as folder:
        capture = given.capture or _run(Path(folder))
        for name, shown in VIEWS.items():
            with _screen(Path(folder)) as (display, screen):
                _picture(Path(folder), capture, shown, display, screen, PICTURES / f"{name}.png")


def _run(folder: Path) -> Path:
    testbed = str(Path(sys.executable).parent / "testbed")
    words = ["run", SCENARIO, "--vantage", "mts", "--capture", "--out", str(folder / "run")]
    subprocess.run([testbed, *words], check=True, stdout=subprocess.DEVNULL)
    return folder / "run" / "capture.pcapng"


@contextmanager
def _screen(folder: Path) -> Iterator[tuple[str, Path]]:
    """A screen that nobody sees: its name, and the file with what is on it."""
    read, write = os.pipe()
    line = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-fbdir", str(folder)]
    with subprocess.Popen([*line, "-nolisten", "tcp"], pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        try:
            number = os.read(read, 16).decode().strip()
            yield f":{number}", folder / "Xvfb_screen0"
        finally:
            os.close(read)
            server.terminate()


def _picture(folder: Path, capture: Path, shown: str, display: str, screen: Path, file: Path) -> None:
    profile = folder / "home/.config/wireshark/profiles/testbed"
    if not profile.exists():
        shutil.copytree(PROFILE, profile)
        place = f"gui.geometry_main_x: 0\ngui.geometry_main_y: 0\ngui.geometry_main_width: {WIDTH}\n"
        common = folder / "home/.config/wireshark/recent_common"
        common.write_text(f"{place}gui.geometry_main_height: {HEIGHT}\n", "utf-8")
    home = folder / "home"
    environment = {
        **os.environ, "DISPLAY": display, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"),
        "QT_QPA_PLATFORM": "xcb", "XDG_RUNTIME_DIR": str(folder), "LANG": "C.UTF-8",
    }  # fmt: skip
    line = ["wireshark", "-C", "testbed", "-r", str(capture), "-Y", shown]
    with subprocess.Popen(line, env=environment, stderr=subprocess.DEVNULL) as program:
        try:
            time.sleep(LOADED)
            if program.poll() is not None:
                sys.exit(f"Wireshark ended with {program.returncode}")
            _of_screen(screen).save(file, optimize=True)
            print(file)
        finally:
            program.terminate()


def _of_screen(file: Path) -> Image.Image:
    """From X's own file of a screen (XWD, 32 bits of a pixel, the least significant byte first)."""
    data = file.read_bytes()
    head = struct.unpack(">25I", data[:100])
    size, width, height, line, colors = head[0], head[4], head[5], head[12], head[19]
    begin = size + 12 * colors
    pixels = data[begin : begin + line * height]
    return Image.frombuffer("RGB", (width, height), pixels, "raw", "BGRX", line, 1)


if __name__ == "__main__":
    main()
