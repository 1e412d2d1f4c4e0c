"""A solution of lab 5: the week every 6 h, then closer to each event. Prints `task answer` lines."""

import csv
import re
import subprocess
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

BEGIN = datetime.fromisoformat("2022-03-01")
NAMES = {"mts": "MTS", "beeline": "Beeline", "megafon": "MegaFon", "rostelecom": "Rostelecom"}
HOME = "https://vk.com/"  # nobody filters it


def watch(every: str, *more: str) -> list[dict[str, str]]:
    """Samples."""
    line = ["testbed", "lab", "watch", "--every", every, *more]
    said = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    path = re.search(r"written: ([^,\n]+\.csv)", said)[1]
    return list(csv.DictReader(Path(path).expanduser().read_text().splitlines()))


def when(samples: list[dict[str, str]], vantage: str, target: str, *, was: str) -> tuple[float, float]:
    """The hours of two samples that follow each other: the first is `was` ("ok" or not), the second not."""
    mine = sorted(
        (float(one["hours"]), one["state"])
        for one in samples
        if (one["vantage"], one["target"]) == (vantage, target)
    )
    for (before, state), (after, then) in pairwise(mine):
        if (state == "ok") == (was == "ok") and (then == "ok") != (was == "ok"):
            return before, after
    raise ValueError(vantage)


def closer(samples: list[dict[str, str]], vantage: str, target: str, *, was: str) -> str:
    """The same, an hour apart and more; from one sample to the next."""
    low, _ = when(samples, vantage, target, was=was)
    begin = BEGIN + timedelta(hours=low)
    more = watch(
        "90 min",
        "--from",
        f"{begin:%Y-%m-%d %H:%M}",
        "--until",
        f"{begin + timedelta(hours=6):%Y-%m-%d %H:%M}",
        "--vantage",
        vantage,
    )
    one, two = when(samples + more, vantage, target, was=was)
    return f"{one:g}..{two:g}"


week = watch("6 h")
inside = [one for one in week if one["vantage"] != "outside"]
dark = next(one["vantage"] for one in inside if one["state"] == "outage")
slowed, slow_target = next((one["vantage"], one["target"]) for one in inside if one["state"] == "slow")
blocking, block_target = next((one["vantage"], one["target"]) for one in inside if one["state"] == "blocked")
print("dark", NAMES[dark])
print("darkness", closer(week, dark, HOME, was="ok"))
print("light", closer(week, dark, HOME, was="outage"))
print("slowed", NAMES[slowed])
print("slowness", closer(week, slowed, slow_target, was="ok"))
print("block", closer(week, blocking, block_target, was="ok"))
print("site", "no, it failed from outside, too")
print("latest", 6)
