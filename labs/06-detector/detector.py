"""A detector, to begin with: it believes curl's exit status. Run it: "$TESTBED_PYTHON" detector.py URL

It prints one line: {"target": URL, "verdict": "blocked" or "free", "mechanism": "tls.sni.rst" or …, or ""}
"""

import json
import subprocess
import sys

target = sys.argv[1]
done = subprocess.run(
    ["curl", "-s", "-o", "/dev/null", "-m", "5", "-w", "%{http_code}", target],
    capture_output=True,
    text=True,
    check=False,
)
verdict = "free" if done.returncode == 0 else "blocked"
print(json.dumps({"target": target, "verdict": verdict, "mechanism": ""}))
