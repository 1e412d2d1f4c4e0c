"""Make the pictures that `testbed monitor` draws: python tools/history.py [NAME… | --all] [--keep DIR].

Without a name it makes docs/monitoring/history.svg, of February to April 2022; with names those on the pages
of docs/episodes. Each runs its COMMAND, a few minutes on two cores.
"""

import argparse
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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


@dataclass(frozen=True, slots=True)
class WatchedEpisode:
    """How an episode is watched for its page: so that each phase is met, in a few minutes."""

    every: str
    targets: tuple[str, ...] = ()  # (): all
    vantages: tuple[str, ...] = ()  # (): all
    begin: str = ""
    until: str = ""

    def command(self, name: str) -> str:
        """The one line that makes it again."""
        words = ["testbed", "monitor", name, "--every", self.every]
        words += ["--from", self.begin] * bool(self.begin) + ["--until", self.until] * bool(self.until)
        words += [word for one in self.vantages for word in ("--vantage", one)]
        words += [word for one in self.targets for word in ("--target", one)]
        return shlex.join(words)


VK, WIKI = "https://vk.com/", "https://www.wikipedia.org/"
ON_PAGES: Final = {
    "cloudflare-ech-2024": WatchedEpisode(
        "7 d",
        (
            "ech://cloudflare-ech.com/",
            "ech+quic://cloudflare-ech.com/",
            "ech://cloudflare-ech.com/off",
            "ech://public.tls-ech.dev/",
            "https://cloudflare-ech.com/",
            VK,
            WIKI,
        ),
    ),
    "dns-hijack-2026": WatchedEpisode("12 h", begin="2026-08-17"),
    "dns-outages-2021": WatchedEpisode(
        "6 h",
        (
            "dns://8.8.8.8/vk.com",
            "dns://1.1.1.1/vk.com",
            "https://dns.google/",
            "https://doh.opendns.com/",
            "https://docs.google.com/",
            VK,
            WIKI,
        ),
    ),
    "eu-rt-sputnik-2022": WatchedEpisode("12 h"),
    "false-friends": WatchedEpisode("1 d"),
    "free-network": WatchedEpisode("3 h"),
    "freeze-16kb-2025": WatchedEpisode("1 d"),
    "instagram-block-2022-03": WatchedEpisode("6 h", until="2022-03-15"),
    "kharkiv-outages-2022": WatchedEpisode(
        "12 h", ("https://twitter.com/", "https://www.facebook.com/", "dns://8.8.8.8/twitter.com", VK, WIKI)
    ),
    "kremlin-site-down-2022": WatchedEpisode("6 h", until="2022-03-01"),
    "linkedin-ban-2016": WatchedEpisode("6 h"),
    "mobile-allowlist-2025": WatchedEpisode("3 d"),
    "still-blocked-2022-12": WatchedEpisode(
        "2 d",
        (
            "https://twitter.com/",
            "https://www.facebook.com/",
            "https://www.instagram.com/",
            "https://www.bbc.com/",
            "https://www.linkedin.com/",
            "https://www.youtube.com/",
            "https://web.telegram.org/",
            VK,
            WIKI,
        ),
    ),
    "telegram-ip-blocking-2018": WatchedEpisode("1 d", until="2018-04-24"),
    "tor-block-2021": WatchedEpisode("3 d", begin="2021-11-15", until="2022-01-05"),
    "twitter-throttling-2021": WatchedEpisode(
        "1 d",
        (
            "https://abs.twimg.com/bytes/140000",
            "https://www.reddit.com/bytes/140000",
            "https://speed.example.net/bytes/140000",
            VK,
            WIKI,
        ),
        ("rostelecom", "mts", "obit"),
        begin="2021-03-10 12:00",
        until="2021-04-06",
    ),
    "vpn-blocking-2023": WatchedEpisode("3 d", until="2023-08-20"),
    "youtube-2024": WatchedEpisode(
        "21 d",
        (
            "https://manifest.googlevideo.com/bytes/100000",
            "https://www.youtube.com/",
            "https://i.ytimg.com/",
            VK,
            WIKI,
        ),
    ),
}
"""The episodes with a picture of their own; February and March 2022 share history.svg."""


def place_of(name: str) -> Path:
    """The picture of an episode."""
    return ROOT / f"docs/episodes/pictures/{name}-monitor.svg"


def drawn(folder: Path, title: str = "") -> str:
    """The picture of a finished monitor."""
    watched = Observatory.resume(folder).run(lambda _line: None)
    if watched.exit_status:
        sys.exit(f"{folder}: the monitor is not as expected, status {watched.exit_status}")
    return picture(watched, title or watched.story.scenario.title)


def make(command: str, path: Path, title: str, keep: Path | None) -> None:
    """Run and draw one. `keep`: its folder; where it is there already, it is only drawn again."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch) / "monitor"
        if not folder.exists():
            done = subprocess.run([*shlex.split(command), "-o", str(folder)], check=False)
            if done.returncode:
                sys.exit(f"{command}: exit status {done.returncode}; {folder} has what it found")
        path.parent.mkdir(exist_ok=True)
        path.write_text(drawn(folder, title), "utf-8")


def main(arguments: Sequence[str]) -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*ON_PAGES, []], metavar="NAME")
    parser.add_argument("--all", action="store_true", help="every episode that has a picture of its own")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="for the monitors' folders")
    options = parser.parse_args(arguments)
    names = [*ON_PAGES] if options.all else options.names
    for name in names:
        keep = options.keep / name if options.keep else None
        make(ON_PAGES[name].command(name), place_of(name), "", keep)
    if not names:
        make(COMMAND, PICTURE, "February to April 2022: throttled, then blocked", options.keep)


if __name__ == "__main__":
    main(sys.argv[1:])
