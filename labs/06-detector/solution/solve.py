"""A solution of lab 6. Prints `task answer` lines; `--file` and a path is a program that is handed in."""

import re
import subprocess
from pathlib import Path

said = subprocess.run(["testbed", "lab", "check", "alarm"], capture_output=True, text=True, check=True).stdout
sites, blocked, alarms = map(int, re.search(r"Of (\d+) sites (\d+) are .* calls (\d+) %", said).groups())
hits, false = blocked, (sites - blocked) * alarms / 100
program = Path(__file__).with_name("detector.py")
print("detector", "--file", program)
print("mechanism", "--file", program)
print("alarm", round(100 * hits / (hits + false), 1))
print("cheat", "100 %")
